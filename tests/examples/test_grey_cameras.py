# SPDX-License-Identifier: Apache-2.0
"""Programs without ``lsood_runtime`` take frames of a grey camera where the bundle does, and refuse them elsewhere.

The C++ program is compiled against a stand-in of ONNX Runtime's header, whose score tells which bytes it was given.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from export.frames.reading_options import ReadingOptions
from lsood_runtime import OoDMonitor
from tests.paths import EXAMPLES

STAND_IN = Path(__file__).with_name("onnxruntime_stand_in")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("c++"):
        pytest.skip("a C++ compiler is missing")
    path = tmp_path_factory.mktemp("cpp") / "monitor"
    command = ["c++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-isystem", str(STAND_IN)]
    subprocess.run([*command, EXAMPLES / "cpp" / "monitor.cpp", "-o", path], check=True)
    return path


def write_frame(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """A PGM or a PPM, as Pillow writes it."""
    path = path.with_suffix(".pgm" if pixels.ndim == 2 else ".ppm")
    Image.fromarray(pixels).save(path)
    return path


def run(program: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)


def manifests(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Manifests that say grey or not, with text around it that looks like it."""
    lure = 'a ", "pixels": {"grey": true} b'
    made: list[dict[str, Any]] = [{}]
    for grey in (False, True):
        pixels = {"bits": None, "grey": grey, "encodings": ["mono8"], "yuv": None}
        keys = rng.permutation(list(pixels)).tolist()
        made.append({"name": lure, "input": {"network_channels": "grey"}, "pixels": {key: pixels[key] for key in keys}})
        made.append({"config": {"reading": {"grey": not grey}}, "pixels": pixels, "warnings": [lure, "grey"]})
    return made


@pytest.mark.parametrize("seed", range(3))
def test_cpp_example_takes_grey_frames_where_the_manifest_says_grey(program: Path, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = (int(n) for n in rng.integers(1, 9, 2))
    colour = write_frame(tmp_path / "colour", rng.integers(0, 256, (rows, columns, 3), np.uint8))
    grey = write_frame(tmp_path / "grey", rng.integers(0, 256, (rows, columns), np.uint8))
    shown = np.asarray(Image.open(colour)), np.repeat(np.asarray(Image.open(grey))[..., None], 3, axis=2)
    wanted = [float((frame * np.array([1.0, 2.0, 3.0])).sum()) for frame in shown]
    for manifest in manifests(rng):
        graph = tmp_path / "monitor.onnx"
        graph.write_text(f"{rows} {columns}\n{json.dumps(manifest) if manifest else ''}")
        done = run(program, graph, 1e9, colour)
        assert (done.returncode, float(done.stdout.split()[1])) == (0, wanted[0])
        done = run(program, graph, 1e9, grey)
        if manifest.get("pixels", {}).get("grey", False):
            assert (done.returncode, float(done.stdout.split()[1])) == (0, wanted[1])
        else:
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
            assert f"{grey} is grey: export the bundle with --grey" in done.stderr


def test_cpp_example_of_a_grey_frame_of_another_size_or_depth_is_refused(program: Path, tmp_path: Path) -> None:
    graph = tmp_path / "monitor.onnx"
    graph.write_text('4 6\n{"pixels": {"grey": true}}')
    whole = write_frame(tmp_path / "whole", np.zeros((4, 6), np.uint8)).read_bytes()
    for content, message in (
        (whole[:-1], "ends early"),
        (whole.replace(b"6 4", b"4 6"), "expected 6x4, got 4x6"),
        (whole.replace(b"255", b"4095"), "expected a binary PPM of 8 bits"),
    ):
        frame = tmp_path / "frame.pgm"
        frame.write_bytes(content)
        done = run(program, graph, 1, frame)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr


@pytest.fixture(scope="module")
def of_grey_camera(export_small: Callable[..., Path]) -> Path:
    return export_small(fuse=True, reading=ReadingOptions(grey=True))


def test_fused_graph_example_of_grey_images_scores_as_the_runtime_or_refuses(
    of_grey_camera: Path, tmp_path: Path
) -> None:
    with OoDMonitor(of_grey_camera, channels="grey") as monitor:
        contract = monitor.manifest.input
        size = (contract.frame_height, contract.frame_width)
        grey = np.random.default_rng(1).integers(0, 256, size, np.uint8)
        wanted = monitor.score(grey)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    copy = shutil.copytree(of_grey_camera, tmp_path / "colour")
    graph = onnx.load(copy / "monitor.onnx", load_external_data=False)
    (carried,) = (entry for entry in graph.metadata_props if entry.key == "lsood_manifest")
    manifest = json.loads(carried.value)
    assert manifest["pixels"]["grey"] is True
    manifest["pixels"]["grey"] = False
    carried.value = json.dumps(manifest)
    (copy / "monitor.onnx").write_bytes(graph.SerializeToString())
    done = [
        subprocess.run(
            [sys.executable, EXAMPLES / "fused_graph.py", folder / "monitor.onnx", tmp_path / "grey.png"],
            capture_output=True,
            text=True,
            check=False,
        )
        for folder in (of_grey_camera, copy)
    ]
    assert float(done[0].stdout.split("\t")[1]) == pytest.approx(wanted, abs=1e-5 * max(1, abs(wanted)))
    assert (done[1].returncode, done[1].stdout) == (1, "")
    assert "is grey: export the bundle with --grey" in done[1].stderr
