# SPDX-License-Identifier: Apache-2.0
"""Build the C++ library with CMake, against the library file of the Python package ``onnxruntime``."""

import os
import shutil
import subprocess
from pathlib import Path

import onnxruntime
import pytest

from tests.paths import ROOT

CPP = ROOT / "cpp"
ONNXRUNTIME_ROOT = Path(onnxruntime.__file__).parent


def require_tools() -> None:
    """Skip where CMake or a C++ compiler is missing; in CI fail, so that nobody believes that the C++ part was tested."""
    missing = [name for name in ("cmake", "c++") if not shutil.which(name)]
    if not missing:
        return
    reason = f"{' and '.join(missing)} missing: install Debian's packages cmake and g++"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def build_library(build: Path, *options: str, source: Path = CPP, target: str = "all") -> Path:
    """Configure and build ``source`` in the folder ``build``, which comes back; ``options`` go to CMake."""
    command = ["cmake", "-S", str(source), "-B", str(build), f"-DONNXRUNTIME_ROOT={ONNXRUNTIME_ROOT}"]
    command += ["-DLSOOD_WERROR=ON", *options]
    for step in (command, ["cmake", "--build", str(build), "--parallel", "2", "--target", target]):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return build
