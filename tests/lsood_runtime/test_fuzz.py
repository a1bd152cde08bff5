# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile bundles: each ends in a monitor that works or in an error of our own.

Cases run in a process of their own, which a crash or a hang inside ONNX Runtime would end or stall: both fail the test that
sent the case. 2,600 cases in all, of which `make test` tries a quarter, and 1,000 frames in ``test_states.py``.
"""

import json
import math
import multiprocessing
import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx.external_data_helper import set_external_data

from lsood_runtime import BundleError, LsoodError, Manifest, OoDMonitor, State
from tests.drawn_examples import examples
from tests.lsood_runtime.conftest import (
    MASKS,
    random_frames,
    seal,
    segmentation_graph,
    toy_manifest,
    write_manifest,
    write_toy_bundle,
)
from tests.lsood_runtime.parts_bundle import parts_manifest, write_parts_bundle

SECONDS = 60
FRAME = random_frames(1, seed=9)[0]
FILES = ("segmentation.onnx", "detector.onnx", "golden.npz", "weights.bin")
LOADS = "loads"
ENDS = {LOADS, "BundleError", "ProviderError", "SelfTestError"}
fuzz = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def outcome_of(bundle: str) -> str:
    """What loading and scoring come to: LOADS, or the name of an error of ours; anything else is a defect.

    It is loaded without a self-test as well, since a user may do so.
    """
    untested = one_outcome_of(bundle, self_test=False)
    return one_outcome_of(bundle, self_test=True) if untested in ENDS else untested


def one_outcome_of(bundle: str, self_test: bool) -> str:
    try:
        with OoDMonitor(bundle, self_test=self_test) as monitor:
            score = monitor.score(FRAME)
            assert isinstance(score, float)
            assert not math.isnan(score)
            verdict = monitor.assess(FRAME)
            assert verdict.state is State.INVALID or all(map(math.isfinite, verdict.parts.values()))
            assert len(verdict.parts) == len(monitor.manifest.detector.parts)
    except LsoodError as error:
        return type(error).__name__ if str(error).isprintable() else f"no line of text: {error!r}"
    return LOADS


class Worker:
    """A child that loads bundles; a new one replaces it after a crash."""

    def __init__(self) -> None:
        self._pool = self._start()

    @staticmethod
    def _start() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def outcome(self, bundle: Path) -> str:
        try:
            return self._pool.submit(outcome_of, str(bundle)).result(SECONDS)
        except Exception:
            for process in self._pool._processes.values():
                process.kill()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = self._start()
            raise

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    child = Worker()
    yield child
    child.close()


def point_to(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    """Let the tensor's values lie in a file."""
    tensor.raw_data = b""
    set_external_data(tensor, location, offset=offset, length=length)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose masks lie in weights.bin, as the exporter's weights do."""
    folder = write_toy_bundle(tmp_path_factory.mktemp("original"), goldens=1)
    model = onnx.load_from_string(segmentation_graph("classes"))
    (masks,) = [tensor for tensor in model.graph.initializer if tensor.name == "masks"]
    masks.ClearField("float_data")
    point_to(masks, "weights.bin", 0, MASKS.nbytes)
    (folder / "segmentation.onnx").write_bytes(model.SerializeToString())
    (folder / "weights.bin").write_bytes(MASKS.tobytes())
    return seal(folder, toy_manifest())


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Callable[[], Path]:
    """Gives a fresh copy of the bundle, always in the same folder."""

    def fresh() -> Path:
        folder = tmp_path / "monitor"
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(original, folder)
        return folder

    return fresh


def fresh_parts_bundle(tmp_path: Path) -> Path:
    """A fresh bundle whose score is a sum of parts, always in the same folder."""
    folder = tmp_path / "parts"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    return write_parts_bundle(folder, latent=True)


def test_bundle_undamaged_loads_and_a_defect_would_be_seen(
    worker: Worker, copy: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert worker.outcome(copy()) == LOADS
    monkeypatch.setattr("lsood_runtime._monitor.open_bundle", lambda *_, **__: json.loads("{}")["no such key"])
    with pytest.raises(KeyError):
        outcome_of(str(copy()))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["../x", "/etc/passwd", "\0", "a" * 5000, 1e308, -1, 0, [], {}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(tree: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every node below the root."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in items for place in [(*where, key), *places(value, (*where, key))]]


def change_fields(manifest: Any, data: st.DataObject) -> None:
    """Remove or replace one to three fields of a manifest."""
    for _ in range(data.draw(st.integers(1, 3))):
        if not places(manifest):
            return
        way = data.draw(st.sampled_from(places(manifest)))
        node = manifest
        for key in way[:-1]:
            node = node[key]
        if data.draw(st.booleans()):
            node[way[-1]] = data.draw(json_values)
        else:
            del node[way[-1]]


@settings(fuzz, max_examples=examples(500))
@given(data=st.data())
def test_bundle_any_manifest_field_gone_or_changed_ends_in_our_error(
    worker: Worker, copy: Callable[[], Path], data: st.DataObject
) -> None:
    bundle = copy()
    manifest = json.loads((bundle / "manifest.json").read_text())
    change_fields(manifest, data)
    write_manifest(bundle, json.dumps(manifest).encode())
    assert worker.outcome(bundle) in ENDS


@settings(fuzz, max_examples=examples(300))
@given(contents=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_manifest_random_text_is_a_bundle_error(contents: bytes) -> None:
    with pytest.raises(BundleError):
        Manifest.from_json(contents)


def test_manifest_nested_deeply_is_a_bundle_error() -> None:
    for text in ("[" * 200_000, '{"schema": ' * 100_000, '{"schema": 2, "x": ' + "9" * 100_000 + "}"):
        with pytest.raises(BundleError):
            Manifest.from_json(text)


@settings(fuzz, max_examples=examples(300))
@given(name=st.sampled_from(FILES), contents=st.binary(max_size=300))
def test_bundle_file_of_random_bytes_with_a_right_digest_is_our_error(
    worker: Worker, copy: Callable[[], Path], name: str, contents: bytes
) -> None:
    bundle = copy()
    (bundle / name).write_bytes(contents)
    expected = {"BundleError"} if name != "weights.bin" else {"BundleError", "SelfTestError"}
    assert worker.outcome(seal(bundle, toy_manifest())) in expected


@settings(fuzz, max_examples=examples(600))
@given(name=st.sampled_from(FILES), seed=st.integers(0, 2**32), cut=st.booleans(), sealed=st.booleans())
def test_bundle_flipped_bits_and_cut_files_end_in_our_error(
    worker: Worker, copy: Callable[[], Path], name: str, seed: int, cut: bool, sealed: bool
) -> None:
    bundle, rng = copy(), random.Random(seed)
    contents = bytearray((bundle / name).read_bytes())
    if cut:
        contents = contents[: rng.randrange(len(contents))]
    else:
        for _ in range(rng.choice([1, 1, 4])):
            contents[rng.randrange(len(contents))] ^= 1 << rng.randrange(8)
    changed = bytes(contents) != (bundle / name).read_bytes()
    (bundle / name).write_bytes(bytes(contents))
    if sealed:
        assert worker.outcome(seal(bundle, toy_manifest())) in ENDS
    else:
        assert worker.outcome(bundle) == ("BundleError" if changed else LOADS)


TYPES = st.sampled_from(["Add", "Loop", "MatMul", "Gather", "Reshape", "NoSuchOperator", "Cast", ""])


def change_graph(model: onnx.ModelProto, data: st.DataObject) -> None:
    """Change one thing of a graph."""
    graph = model.graph
    node = data.draw(st.sampled_from(list(graph.node)))
    tensor = data.draw(st.sampled_from(list(graph.initializer)))
    value = data.draw(st.sampled_from([*graph.input, *graph.output]))
    number = data.draw(st.sampled_from([-(2**63), -1, 0, 1, 3, 7, 2**31, 2**62]))
    change = data.draw(st.integers(0, 9))
    if change == 0:
        node.op_type = data.draw(TYPES)
    elif change == 1:
        node.input[0] = data.draw(st.sampled_from(["", "nowhere", graph.output[0].name]))
    elif change == 2:
        graph.node.remove(node)
    elif change == 3:
        tensor.dims[:] = [number, *tensor.dims[1:]] if tensor.dims else [number]
    elif change == 4:
        tensor.data_type = data.draw(st.integers(0, 25))
    elif change == 5:
        tensor.raw_data = data.draw(st.binary(max_size=64))
    elif change == 6:
        value.type.tensor_type.elem_type = data.draw(st.integers(0, 25))
    elif change == 7:
        value.type.tensor_type.shape.dim[0].dim_value = number
    elif change == 8:
        for attribute in node.attribute:
            attribute.i = number
    else:
        model.opset_import[0].version = data.draw(st.sampled_from([-1, 0, 1, 7, 20, 99, 2**31]))


@settings(fuzz, max_examples=examples(400))
@given(data=st.data())
def test_bundle_changed_graphs_end_in_our_error(worker: Worker, copy: Callable[[], Path], data: st.DataObject) -> None:
    bundle = copy()
    path = bundle / data.draw(st.sampled_from(FILES[:2]))
    model = onnx.load_from_string(path.read_bytes())
    change_graph(model, data)
    path.write_bytes(model.SerializeToString())
    assert worker.outcome(seal(bundle, toy_manifest())) in ENDS


@settings(fuzz, max_examples=examples(200))
@given(data=st.data())
def test_bundle_with_parts_changed_features_and_parts_end_in_our_error(
    worker: Worker, tmp_path: Path, data: st.DataObject
) -> None:
    bundle = fresh_parts_bundle(tmp_path)
    manifest = json.loads((bundle / "manifest.json").read_text())
    change_fields(data.draw(st.sampled_from([manifest["features"], manifest["detector"]])), data)
    write_manifest(bundle, json.dumps(manifest).encode())
    assert worker.outcome(bundle) in ENDS


@settings(fuzz, max_examples=examples(300))
@given(data=st.data())
def test_bundle_with_parts_changed_graphs_end_in_our_error(worker: Worker, tmp_path: Path, data: st.DataObject) -> None:
    bundle = fresh_parts_bundle(tmp_path)
    path = bundle / data.draw(st.sampled_from(FILES[:2]))
    model = onnx.load_from_string(path.read_bytes())
    change_graph(model, data)
    path.write_bytes(model.SerializeToString())
    assert worker.outcome(seal(bundle, parts_manifest(latent=True))) in ENDS


@pytest.mark.parametrize("location", ["canary.bin", "../canary.bin", "{outside}", "weights.bin/../../canary.bin"])
@pytest.mark.parametrize("linked", [False, True])
def test_weights_outside_the_bundle_are_never_read(
    copy: Callable[[], Path], tmp_path: Path, location: str, linked: bool
) -> None:
    """The canary holds the right masks: were it read, the monitor would load and pass its self-test."""
    bundle = copy()
    canary = tmp_path / "canary.bin"
    canary.write_bytes(MASKS.tobytes())
    if linked:
        (bundle / "canary.bin").symlink_to(canary)
    model = onnx.load(str(bundle / "segmentation.onnx"), load_external_data=False)
    (masks,) = [tensor for tensor in model.graph.initializer if tensor.name == "masks"]
    point_to(masks, location.format(outside=canary), 0, MASKS.nbytes)
    (bundle / "segmentation.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError):
        OoDMonitor(seal(bundle, toy_manifest()))


@pytest.mark.parametrize(("offset", "length"), [(0, 2**40), (2**62, 8), (-8, 8), (4, MASKS.nbytes)])
def test_weights_beyond_the_file_are_refused(copy: Callable[[], Path], offset: int, length: int) -> None:
    bundle = copy()
    model = onnx.load(str(bundle / "segmentation.onnx"), load_external_data=False)
    (masks,) = [tensor for tensor in model.graph.initializer if tensor.name == "masks"]
    point_to(masks, "weights.bin", offset, length)
    (bundle / "segmentation.onnx").write_bytes(model.SerializeToString())
    assert outcome_of(str(seal(bundle, toy_manifest()))) != LOADS


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "a/../b", "a\\b", "a\0b", "", ".", "..", "~", "x" * 300]
)
def test_bundle_hostile_file_name_is_refused(copy: Callable[[], Path], name: str) -> None:
    bundle = copy()
    (bundle.parent / "secret").write_bytes(b"")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "bytes": 0}
    write_manifest(bundle, json.dumps(manifest).encode())
    with pytest.raises(BundleError):
        OoDMonitor(bundle)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_bundle_folder_or_link_in_place_of_a_file_is_refused(
    copy: Callable[[], Path], name: str, tmp_path: Path
) -> None:
    bundle = copy()
    (bundle / name).rename(tmp_path / name)
    (bundle / name).mkdir()
    with pytest.raises(BundleError):
        OoDMonitor(bundle)
    (bundle / name).rmdir()
    if name != "manifest.json":  # a manifest may be a link: it vouches for the files beside it, or it is refused
        (bundle / name).symlink_to(tmp_path / name)
        with pytest.raises(BundleError, match="it is a link"):
            OoDMonitor(bundle)


def test_golden_archive_with_pickled_objects_is_refused(copy: Callable[[], Path]) -> None:
    bundle = copy()
    np.savez(bundle / "golden.npz", frames=np.array([{"code": print}], dtype=object), scores=np.zeros(1))
    with pytest.raises(BundleError, match=r"golden\.npz"):
        OoDMonitor(seal(bundle, toy_manifest()))
