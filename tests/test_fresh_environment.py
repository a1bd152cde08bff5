# SPDX-License-Identifier: Apache-2.0
"""The wheel in an environment that has numpy and ONNX Runtime, and nothing else."""

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


@pytest.mark.slow
def test_wheel_scores_with_numpy_and_onnx_runtime_alone(bundle: Path, frames: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", f"{wheel}[cpu]")
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
