# SPDX-License-Identifier: Apache-2.0
"""Frames of four drives and a bundle that answers all, made once in a run of the tests; labels of one class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import made_once, write_scenes
from tests.export.answered_bundle import CALIBRATION, EVERY, ExportSmall


@pytest.fixture(scope="session")
def drives(shared_folder: Path) -> Path:
    """Four drives of 12 frames."""

    def write(folder: Path) -> None:
        for i, name in enumerate("abcd"):
            write_scenes(folder / name, 12, seed=30 + i)
            for path in sorted((folder / name).iterdir()):
                path.rename(folder / f"{name}_{path.name}")
            (folder / name).rmdir()

    return made_once(shared_folder / "frames" / "answered", write)


@pytest.fixture(scope="session")
def answered(export_small: ExportSmall, drives: Path) -> Path:
    """A bundle that answers all, with the fused graph."""
    return export_small(frames=(drives,), calibration=CALIBRATION, answers=EVERY, fuse=True)


@pytest.fixture
def labels(drives: Path, tmp_path: Path) -> Path:
    """A label of one class for each frame."""
    folder = tmp_path / "labels"
    folder.mkdir()
    for path in drives.iterdir():
        Image.fromarray(np.zeros((80, 160), np.uint8)).save(folder / path.name)
    return folder
