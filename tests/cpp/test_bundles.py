# SPDX-License-Identifier: Apache-2.0
"""Damaged bundles: the C++ library refuses those of the table that the Python runtime plays, and hostile graphs."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from lsood_runtime import BundleError
from lsood_runtime._bundle.graph_check import check_graph
from tests.cases.damaged_bundles import CASES, damaged
from tests.lsood_runtime.answers_bundle import answers_graph, write_answers_bundle
from tests.lsood_runtime.conftest import seal


def opened(cpp_build: Path, *folders: Path) -> list[str]:
    """What the program ``bundle_play`` says of each bundle."""
    done = subprocess.run([cpp_build / "bundle_play", *folders], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    (tmp_path / "sound").mkdir()
    return write_answers_bundle(tmp_path / "sound", tiles=True, with_map=True)


def test_damaged_bundles_are_refused_with_the_words_of_the_table(cpp_build: Path, sound: Path, tmp_path: Path) -> None:
    folders = [damaged(case, sound, tmp_path / str(i)) for i, case in enumerate(CASES)]
    for case, said in zip(CASES, opened(cpp_build, *folders), strict=True):
        if case["says"] is None:
            assert said == "ok", case["name"]
        else:
            assert said.startswith("bundle: "), case["name"]
            assert case["says"] in said, case["name"]


def hostile_graphs() -> dict[str, bytes]:
    """Graphs with what no export writes, and damaged bytes, by what is wrong."""
    whole = answers_graph(("quality", "causes", "severity", "tiles", "anomaly_map", "novelty"))
    made = {"cut": whole[:-7], "no bytes": b"", "ORT's own format": b"\x10\x00\x00\x00ORTM" + bytes(64)}
    for name, node in {
        "a loop": onnx.helper.make_node("Loop", ["a", "b"], ["c"]),
        "another domain": onnx.helper.make_node("Add", ["a", "b"], ["c"], domain="com.microsoft"),
        "a graph inside": onnx.helper.make_node("Add", [], [], body=onnx.helper.make_graph([], "g", [], [])),
        "a large tensor": onnx.helper.make_node("RandomNormal", [], ["r"], shape=[2**20, 2**20]),
        "large pads": onnx.helper.make_node("Conv", ["a", "b"], ["c"], pads=[0, 2**32, 0, 0]),
    }.items():
        model = onnx.load_from_string(whole)
        model.graph.node.append(node)
        made[name] = model.SerializeToString()
    model = onnx.load_from_string(whole)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2**40]), "wide"))
    model.graph.node.append(onnx.helper.make_node("Expand", ["a", "wide"], ["e"]))
    return made | {"a wide Expand": model.SerializeToString()}


def test_hostile_graphs_are_refused_as_python_refuses_them(cpp_build: Path, tmp_path: Path) -> None:
    folders = []
    for i, graph in enumerate(hostile_graphs().values()):
        with pytest.raises(BundleError):
            check_graph("detector.onnx", graph)
        folder = tmp_path / str(i)
        folder.mkdir()
        write_answers_bundle(folder, tiles=True, with_map=True)
        (folder / "detector.onnx").write_bytes(graph)
        manifest = json.loads((folder / "manifest.json").read_text())
        del manifest["files"]
        folders.append(seal(folder, manifest))
    for name, said in zip(hostile_graphs(), opened(cpp_build, *folders), strict=True):
        assert said.startswith("bundle: cannot load detector.onnx: "), (name, said)


def test_damaged_golden_frames_are_refused(cpp_build: Path, sound: Path, tmp_path: Path) -> None:
    generator, folders = np.random.default_rng(0), []
    for i in range(40):
        folder = Path(shutil.copytree(sound, tmp_path / f"golden-{i}"))
        arrays = dict(np.load(folder / "golden.npz"))
        if i == 1:
            arrays["scores"] = arrays["scores"].astype(np.float32)
        if i == 2:
            arrays["extra"] = arrays["scores"]
        if i == 3:
            del arrays["tiles"]
        if i == 4:
            arrays["quality"][0, 0] = np.nan
        (np.savez_compressed if i % 2 else np.savez)(folder / "golden.npz", **arrays)
        if i > 4:
            contents = bytearray((folder / "golden.npz").read_bytes())
            for place in generator.integers(0, len(contents), 3):
                contents[place] ^= 1 << int(generator.integers(8))
            (folder / "golden.npz").write_bytes(contents)
        manifest = json.loads((folder / "manifest.json").read_text())
        del manifest["files"]
        folders.append(seal(folder, manifest))
    said = opened(cpp_build, *folders)
    assert said[0] == "ok"
    assert all("golden.npz" in line for line in said[1:5]), said[:5]
    assert all(line == "ok" or "golden.npz" in line for line in said[5:])
