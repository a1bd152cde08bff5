# SPDX-License-Identifier: Apache-2.0
"""The C++ example: compiled, run, and compared with the Python runtime, where ONNX Runtime's headers are found.

    ONNXRUNTIME_ROOT=/opt/onnxruntime python -m pytest tests/examples/test_cpp_example.py

``include/`` there is enough: the library comes from the Python package.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from export.data.synthetic import SyntheticRoads
from lsood_runtime import OoDMonitor
from tests.paths import EXAMPLES

EXAMPLE = EXAMPLES / "cpp"
HEADER = "onnxruntime_cxx_api.h"
PREFIXES = ("/usr", "/usr/local", "/opt/onnxruntime")
FOLDERS = ("include", "include/onnxruntime", "include/onnxruntime/core/session")


def headers() -> Path | None:
    """The folder of a prefix that has the headers."""
    prefixes = [Path(root) for root in (os.environ.get("ONNXRUNTIME_ROOT"), *PREFIXES) if root]
    return next((p / f for p in prefixes for f in FOLDERS if (p / f / HEADER).is_file()), None)


pytestmark = [
    pytest.mark.skipif(headers() is None, reason=f"{HEADER} is not found; ONNXRUNTIME_ROOT says where it is"),
    pytest.mark.skipif(
        not (shutil.which("cmake") and shutil.which("c++")), reason="cmake or a C++ compiler is missing"
    ),
]


@pytest.fixture(scope="module")
def fused(export_small: Callable[..., Path]) -> Path:
    return export_small(fuse=True)


def configure(root: Path, build: Path) -> "subprocess.CompletedProcess[str]":
    command = ["cmake", "-S", str(EXAMPLE), "-B", str(build), f"-DONNXRUNTIME_ROOT={root}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built against the headers that were found and the library of the Python package."""
    root, build = tmp_path_factory.mktemp("onnxruntime"), tmp_path_factory.mktemp("build")
    found = headers()
    assert found is not None
    (root / "include").symlink_to(found)
    (library,) = Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.*")
    (root / "lib").mkdir()
    (root / "lib" / "libonnxruntime.so").symlink_to(library)
    (root / "lib" / f"libonnxruntime.so.{library.name.split('.so.')[1].split('.')[0]}").symlink_to(library)
    done = configure(root, build)
    assert done.returncode == 0, done.stderr
    subprocess.run(["cmake", "--build", str(build)], check=True, capture_output=True)
    return build / "monitor"


def run(program: Path, *arguments: object) -> tuple[int, list[str], str]:
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


def write_scenes(folder: Path, monitor: OoDMonitor) -> Sequence[Path]:
    contract = monitor.manifest.input
    source = SyntheticRoads(4, contract.frame_height, contract.frame_width, seed=8)
    paths = [folder / f"{i}.ppm" for i in range(4)]
    for i, path in enumerate(paths):
        Image.fromarray(source[i][0]).save(path)
    return paths


def test_cpp_example_of_frames_scores_as_the_python_runtime(program: Path, fused: Path, tmp_path: Path) -> None:
    with OoDMonitor(fused) as monitor:
        paths = write_scenes(tmp_path, monitor)
        expected = [monitor.score(np.asarray(Image.open(path))) for path in paths]
    threshold = sorted(expected)[1]
    code, lines, _ = run(program, fused / "monitor.onnx", f"{threshold + 1e-6:.17g}", *paths)
    assert code == 1
    assert [line.split()[0] for line in lines] == [str(path) for path in paths]
    assert [float(line.split()[1]) for line in lines] == pytest.approx(expected, rel=1e-5)
    assert [line.split()[2] for line in lines].count("ok") == 2
    assert run(program, fused / "monitor.onnx", max(expected) + 1, *paths)[0] == 0


def test_cpp_example_of_bad_input_ends_in_one_line(program: Path, fused: Path, tmp_path: Path) -> None:
    with OoDMonitor(fused) as monitor:
        path = write_scenes(tmp_path, monitor)[0]
    small, words, short = tmp_path / "small.ppm", tmp_path / "words.ppm", tmp_path / "short.ppm"
    Image.new("RGB", (3, 2)).save(small)
    words.write_text("no picture")
    short.write_bytes(path.read_bytes()[:-1])
    for frame, message in (
        (small, "got 3x2"),
        (words, "expected a binary PPM"),
        (short, "ends early"),
        (tmp_path / "none.ppm", "cannot read"),
    ):
        code, _, error = run(program, fused / "monitor.onnx", 1, frame)
        assert (code, error.count("\n")) == (2, 1)
        assert error.startswith("monitor: error: ")
        assert message in error
    for arguments in ((), (fused / "monitor.onnx", "high", path), (tmp_path / "no.onnx", 1, path)):
        assert run(program, *arguments)[0] == 2
    code, lines, error = run(program, fused / "monitor.onnx", 1, "--cuda", path)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        assert (code, lines) == (2, []), "CUDA is not replaced in silence"
        assert "CUDA" in error


def test_cpp_example_without_the_library_names_it(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    done = configure(tmp_path / "root", tmp_path / "build")
    if done.returncode == 0:
        pytest.skip("ONNX Runtime is installed system-wide")
    assert "give -DONNXRUNTIME_ROOT=its folder" in " ".join(done.stderr.split())
