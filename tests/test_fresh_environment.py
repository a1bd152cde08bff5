# SPDX-License-Identifier: Apache-2.0
"""The wheel in fresh environments: with numpy and ONNX Runtime alone, and with the extras that every command needs."""

import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from export.data import FrameFiles
from lsood_runtime import OoDMonitor
from tests.paths import ROOT

_SCORE = """
import sys, numpy, lsood_runtime
frame = numpy.load(sys.argv[2])
with lsood_runtime.OoDMonitor(sys.argv[1]) as monitor:
    print(repr(monitor.score(frame)))
"""


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # By way of the source distribution, whose wheel holds nothing that an earlier build left in the project's folder.
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path, requirement: str) -> Path:
    """The interpreter of a new environment in which a requirement is installed."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", requirement)
    return python


@pytest.mark.slow
def test_wheel_with_numpy_and_onnx_runtime_alone_scores(
    wheel: Path, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "bare", f"{wheel}[cpu]")
    installed = {line.split("==")[0].lower() for line in run(python, "-m", "pip", "list", "--format=freeze").split()}
    # What numpy and ONNX Runtime themselves ask for, and pip.
    assert installed <= {
        "lsood-runtime",
        "numpy",
        "onnxruntime",
        "flatbuffers",
        "packaging",
        "protobuf",
        "pip",
        "setuptools",
    }
    frame = FrameFiles([frames])[3]
    np.save(tmp_path / "frame.npy", frame)
    score = float(run(python, "-c", _SCORE, bundle, tmp_path / "frame.npy"))
    with OoDMonitor(bundle) as monitor:
        assert score == monitor.score(frame)
    assert run(python, "-m", "lsood_runtime", "inspect", bundle)
    done = subprocess.run(
        [python, "-m", "lsood_runtime", "score", bundle, frames / "0000.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "lsood-runtime[media]" in done.stderr


@pytest.mark.slow
def test_commands_with_the_extras_cpu_export_and_media_alone_run(
    wheel: Path, checkpoint: Path, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "offline", f"{wheel}[cpu,export,media]")
    installed = {line.split("==")[0].lower() for line in run(python, "-m", "pip", "list", "--format=freeze").split()}
    assert not installed & {"pandas", "matplotlib", "pacmap"}
    for command in ([], ["calibrate"], ["evaluate"], ["search"]):
        assert "exit codes" in run(python, "-m", "export", *command, "--help")
    assert "usage: " in run(python, "-m", "lsood_runtime", "--help")

    quick = ["--samples", "8", "--detectors", "kde", "--shifts", "fog", "--every", "4", "--timed", "0", "--quiet"]
    files: list[str | Path] = ["--ckpt", checkpoint, "--frames", frames, "--out", tmp_path / "rows.csv"]
    run(python, "-m", "export", "search", *files, *quick)
    assert "auroc_fog" in (tmp_path / "rows.csv").read_text()

    quick = ["--synthetic", "fog", "--severities", "3", "--every", "4"]
    evaluate: list[str | Path] = [python, "-m", "export", "evaluate", bundle, "--ind", frames, *quick]
    assert "auroc" in run(*evaluate, "--json")
    done = subprocess.run([*evaluate, "--report", tmp_path / "report"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'lsood-runtime[guide]'" in done.stderr.strip().splitlines()[-1]
