# SPDX-License-Identifier: Apache-2.0
"""What goes into the vehicle stays lean: numpy and ONNX Runtime, proven in a process of its own."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import lsood_runtime

HEAVY = (
    "torch",
    "torchvision",
    "pytorch_lightning",
    "onnx",
    "onnxscript",
    "scipy",
    "sklearn",
    "skl2onnx",
    "export",
    "PIL",
    "cv2",
)
SCORE = """
import sys, numpy, lsood_runtime
with lsood_runtime.OoDMonitor(sys.argv[1]) as monitor:
    contract = monitor.manifest.input
    monitor.assess(numpy.ones((contract.frame_height, contract.frame_width, 3), numpy.uint8))
"""


def heavy_modules_after(script: str, bundle: Path) -> set[str]:
    """Which of HEAVY a fresh process has loaded once ``script`` ran."""
    watched = f"{script}\nimport sys; print(*set(sys.modules) & set({HEAVY}))"
    command = [sys.executable, "-c", watched, str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_scoring_in_a_fresh_process_loads_numpy_and_onnx_runtime_alone(toy_bundle: Path) -> None:
    assert heavy_modules_after(SCORE, toy_bundle) == set()


@pytest.mark.parametrize("name", ["scipy", "onnx", "PIL", "cv2", "export"])
def test_heavy_modules_imported_on_purpose_are_found(toy_bundle: Path, name: str) -> None:
    assert importlib.util.find_spec(name), "a module that is not installed would prove nothing"
    assert name in heavy_modules_after(f"{SCORE}\nimport {name}", toy_bundle)


def test_heavy_modules_watched_are_installed_but_for_optional_ones() -> None:
    """A misspelt name could never be found in ``sys.modules``."""
    assert {name for name in HEAVY if not importlib.util.find_spec(name)} <= {"torchvision"}


def test_import_without_onnx_runtime_names_its_packages() -> None:
    script = "import sys; sys.modules['onnxruntime'] = None; import lsood_runtime"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: lsood_runtime needs ONNX Runtime: pip install onnxruntime, ")
    assert "'onnxruntime-gpu[cuda,cudnn]' for CUDA" in last


def test_exceptions_public_have_one_root_and_are_documented() -> None:
    errors = [
        error for name in lsood_runtime.__all__ if name.endswith("Error") and (error := getattr(lsood_runtime, name))
    ]
    defined = {kind for kind in vars(lsood_runtime._exceptions).values() if isinstance(kind, type)}
    assert set(errors) == defined - {lsood_runtime._exceptions.MissingPackageError}  # caught as MediaError
    assert all(issubclass(error, lsood_runtime.LsoodError) for error in errors)
    drawing = lsood_runtime._exceptions.__doc__ or ""
    assert all(f" {error.__name__} " in f"{drawing} ".replace("\n", " ") for error in errors)
