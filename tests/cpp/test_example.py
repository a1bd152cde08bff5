# SPDX-License-Identifier: Apache-2.0
"""The C++ example, built against the installed library as a user builds it, and compared with the Python runtime."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from export.data.synthetic import SyntheticRoads
from export.frames.reading_options import ReadingOptions
from lsood_runtime import OoDMonitor
from tests.cpp.building import CPP, build_library, require_tools


@pytest.fixture(scope="module")
def program(cpp_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("prefix")
    subprocess.run(["cmake", "--install", cpp_build, "--prefix", prefix], check=True, capture_output=True)
    build = tmp_path_factory.mktemp("build")
    return build_library(build, f"-DCMAKE_PREFIX_PATH={prefix}", source=CPP / "examples") / "monitor"


@pytest.fixture(scope="module")
def fused(export_small: Callable[..., Path]) -> Path:
    return export_small(fuse=True)


def run(program: Path, *arguments: object) -> tuple[int, list[str], str]:
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


def write_scenes(folder: Path, monitor: OoDMonitor) -> Sequence[Path]:
    contract = monitor.manifest.input
    source = SyntheticRoads(4, contract.frame_height, contract.frame_width, seed=8)
    paths = [folder / f"{i}.ppm" for i in range(5)]
    for i, path in enumerate(paths[:4]):
        Image.fromarray(source[i][0]).save(path)
    Image.fromarray(np.zeros_like(source[0][0])).save(paths[4])
    return paths


def test_example_gives_scores_and_states_of_the_python_runtime(program: Path, fused: Path, tmp_path: Path) -> None:
    with OoDMonitor(fused) as monitor:
        paths = write_scenes(tmp_path, monitor)
        expected = [monitor.assess(np.asarray(Image.open(path))) for path in paths]
    for options, tolerance in ((), 0.0), (("--fused",), 1e-5):
        code, lines, _ = run(program, fused, *options, *paths)
        assert code == 1
        assert [line.split()[0] for line in lines] == [str(path) for path in paths]
        scores = [verdict.score for verdict in expected]
        assert [float(line.split()[1]) for line in lines] == pytest.approx(scores, rel=tolerance, abs=0)
        states = [verdict.state.value for verdict in expected]
        assert [line.split()[2].rstrip(":,") for line in lines] == states
        assert lines[4].endswith(expected[4].reason)
    assert run(program, fused, paths[0])[0] == int(expected[0].is_ood)


def test_example_of_a_bad_frame_goes_on_and_of_bad_use_ends_in_one_line(
    program: Path, fused: Path, tmp_path: Path
) -> None:
    with OoDMonitor(fused) as monitor:
        path = write_scenes(tmp_path, monitor)[0]
    names = ("small.ppm", "words.ppm", "short.ppm", "grey.pgm", "frame.jpg", "frame.png", "empty.ppm", "none.ppm")
    small, words, short, grey, jpeg, png, empty, none = bad = [tmp_path / name for name in names]
    Image.new("RGB", (3, 2)).save(small)
    Image.open(path).convert("L").save(grey)
    Image.open(path).save(jpeg)
    Image.open(path).save(png)
    jpeg.write_bytes(jpeg.read_bytes()[:-200])
    words.write_text("no picture")
    short.write_bytes(path.read_bytes()[:-1])
    empty.touch()
    says = {
        small: "got 3x2",
        words: "words.ppm is something else: convert it",
        short: "short.ppm ends early",
        grey: "is grey: export the bundle with --grey",
        jpeg: "frame.jpg is a JPEG: convert it",
        png: "frame.png is a PNG: convert it",
        empty: "empty.ppm is an empty file: convert it",
        none: "cannot read " + str(none) + ": No such file or directory",
        tmp_path: "cannot read " + str(tmp_path) + ": Is a directory",
    }
    code, lines, error = run(program, fused, *bad, tmp_path, path)
    assert (code, error) == (1, "")
    for line, (frame, message) in zip(lines, says.items(), strict=False):
        assert line.startswith(f"{frame} inf invalid")
        assert message in line
    assert lines[-1].startswith(f"{path} "), "the frame behind them is assessed"
    assert " invalid" not in lines[-1]
    assert run(program, "--help") == (0, ["usage: monitor BUNDLE [--cuda] [--fused] FRAME.ppm ..."], "")
    for arguments, message in (
        ((fused,), "usage: monitor BUNDLE"),
        ((), "usage: monitor BUNDLE"),
        ((fused, "--fast", path), "expected --cuda, --fused or --help, got --fast"),
        ((tmp_path / "none", path), "expected a bundle folder"),
    ):
        code, lines, error = run(program, *arguments)
        assert (code, lines, error.count("\n")) == (2, [], 1)
        assert error.startswith("monitor: error: ")
        assert message in error
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        code, lines, error = run(program, fused, "--cuda", path)
        assert (code, lines) == (2, []), "CUDA is not replaced in silence"
        assert "CUDA" in error


def test_example_takes_grey_frames_of_a_bundle_that_was_exported_with_grey(
    program: Path, export_small: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = export_small(fuse=True, reading=ReadingOptions(grey=True))
    with OoDMonitor(bundle, channels="grey") as monitor:
        contract = monitor.manifest.input
        size = (contract.frame_height, contract.frame_width)
        grey = np.random.default_rng(1).integers(0, 256, size, np.uint8)
        expected = monitor.score(grey)
    Image.fromarray(grey).save(tmp_path / "grey.pgm")
    _, (line,), _ = run(program, bundle, tmp_path / "grey.pgm")
    assert float(line.split()[1]) == pytest.approx(expected, rel=1e-6)


def test_libraries_of_providers_lie_beside_that_of_the_python_package(tmp_path: Path) -> None:
    """ONNX Runtime looks for them in the folder that it was loaded from, which is that of the links."""
    require_tools()
    package = tmp_path / "onnxruntime" / "capi"
    package.mkdir(parents=True)
    names = {"libonnxruntime.so.1.99.0", "libonnxruntime_providers_shared.so", "libopenvino.so.2541"}
    for name in names:
        (package / name).write_text(name)
    command = ["cmake", "-S", str(CPP), "-B", str(tmp_path / "build"), f"-DONNXRUNTIME_ROOT={package.parent}"]
    subprocess.run(command, capture_output=True, check=True)
    links = {path.name: path.read_text() for path in (tmp_path / "build" / "onnxruntime").iterdir()}
    own = dict.fromkeys(("libonnxruntime.so", "libonnxruntime.so.1"), "libonnxruntime.so.1.99.0")
    assert links == {name: name for name in names} | own


def test_root_without_the_library_of_onnx_runtime_is_refused_whatever_the_system_has(tmp_path: Path) -> None:
    require_tools()
    (tmp_path / "root").mkdir()
    (tmp_path / "system" / "lib").mkdir(parents=True)
    (tmp_path / "system" / "lib" / "libonnxruntime.so").write_bytes(b"another library")
    roots = [f"-DONNXRUNTIME_ROOT={tmp_path / 'root'}", f"-DCMAKE_PREFIX_PATH={tmp_path / 'system'}"]
    command = ["cmake", "-S", str(CPP), "-B", str(tmp_path / "build"), *roots]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "give -DONNXRUNTIME_ROOT=its folder" in " ".join(done.stderr.split())
