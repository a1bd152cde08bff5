# SPDX-License-Identifier: Apache-2.0
"""Public networks of five libraries, each exported by the one command that its users would type.

They need torch 2.14.1 and torchvision 0.29.1, which this project's own environment does not have: an environment of their
own is made, or the one whose interpreter ``LSOOD_ZOO_PYTHON`` names is used. ``LSOOD_ZOO_RECORD=1`` keeps the figures.
"""

import os
import subprocess
import venv
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import made_once
from tests.zoo.network import CLASSES, ZooNetwork
from tests.zoo.results import ZooResult, record
from tests.zoo.run import run_network
from tests.zoo.table import NETWORKS

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def _make_environment(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    install: list[str | Path] = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--requirement",
        _REQUIREMENTS,
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        (folder / "why.txt").write_text(next((line for line in lines if line.startswith("ERROR")), lines[-1]))


@pytest.fixture(scope="session")
def zoo_python(shared_folder: Path) -> Path:
    """The interpreter of an environment with the five libraries."""
    named = os.environ.get("LSOOD_ZOO_PYTHON")
    if named:
        return Path(named)
    folder = made_once(shared_folder / "zoo", _make_environment)
    if (folder / "why.txt").exists():
        pytest.skip(f"no environment with {_REQUIREMENTS.name}: {(folder / 'why.txt').read_text()}")
    return folder / "bin" / "python"


@pytest.mark.slow
@pytest.mark.timeout(3600)  # the first one makes the environment, of several GB
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.key)
def test_zoo_network_by_one_command_segments_as_its_library_does(
    network: ZooNetwork, zoo_python: Path, tmp_path: Path
) -> None:
    run = run_network(network, zoo_python, tmp_path)
    classes = np.bincount(run.logits.argmax(axis=1).ravel(), minlength=CLASSES) / run.segmentation.size
    assert (classes > 0.01).sum() >= 3, f"a class map that is hardly any: {classes}"
    assert run.segmentation.shape == (len(run.logits), *run.logits.shape[2:])
    assert run.wrong_pixels == 0
    assert run.manifest["parity"]["frames"] > 0
    assert len(set(run.scores)) == len(run.scores)
    assert np.isfinite(run.scores).all()
    if os.environ.get("LSOOD_ZOO_RECORD"):
        figures = ZooResult(run.tap, run.expected_cost, round(run.measured_cost, 2), round(run.megabytes, 1))
        record(network, figures)
