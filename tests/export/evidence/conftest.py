# SPDX-License-Identifier: Apache-2.0
"""A toy bundle that answers all, its report and its certificate; none of them takes a network."""

from pathlib import Path

import pytest
from PIL import Image

from lsood_runtime._cli.main import run
from tests.conftest import made_once
from tests.export.evidence.drawn_figures import plain_figures, write_figures
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.conftest import random_frames


@pytest.fixture(scope="session")
def toy(shared_folder: Path) -> Path:
    """A bundle that answers all."""

    def write(folder: Path) -> None:
        folder.mkdir()
        write_answers_bundle(folder, tiles=True, with_map=True)

    return made_once(shared_folder / "evidence" / "toy", write)


@pytest.fixture
def report(toy: Path, tmp_path: Path) -> Path:
    """A report of the bundle in which all is well."""
    return write_figures(tmp_path / "report", toy, plain_figures())


@pytest.fixture(scope="session")
def certificate(toy: Path, shared_folder: Path) -> Path:
    """A certificate of the CPU for the bundle."""

    def write(folder: Path) -> None:
        (folder / "frames").mkdir(parents=True)
        for i, frame in enumerate(random_frames(12, seed=3)):
            Image.fromarray(frame).save(folder / "frames" / f"{i:02d}.png")
        words = ["certify", str(toy), "--provider", "cpu", "--frames", str(folder / "frames"), "--rounds", "6"]
        network = ["--network", str(toy / "segmentation.onnx")]
        assert run([*words, *network, "--out", str(folder / "certificate.json")]) == 0

    return made_once(shared_folder / "evidence" / "certificate", write) / "certificate.json"
