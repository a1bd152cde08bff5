# SPDX-License-Identifier: Apache-2.0
"""Loading a bundle has limits: of operators, of what an archive unpacks to, and of the time for the golden frames."""

import io
import math
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime import BundleError, OoDMonitor, SelfTestError
from lsood_runtime._bundle.array_archive import read_arrays
from lsood_runtime._bundle.graph_check import OPERATORS, check_graph
from lsood_runtime._bundle.protobuf_fields import Budget, walk
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._inference.time_limit import TimeLimit
from tests.lsood_runtime.conftest import (
    detector_graph,
    random_frames,
    seal,
    segmentation_graph,
    toy_manifest,
    write_golden,
)

HEADER = '<ir_version: 10, opset_import: ["": 20, "com.microsoft": 1, "local": 1]>'


def model_of(text: str) -> bytes:
    return bytes(onnx.parser.parse_model(f"{HEADER}\n{text}").SerializeToString())


LOOP = """g (float[1] x) => (float[1] y) {
    n = Constant<value_int = 4611686018427387904>()
    yes = Constant<value = bool {1}>()
    y = Loop (n, yes, x) <body = b (int64 i, bool c, float[1] v) => (bool d, float[1] w) { d = Identity(c) w = Add(v, v) }>
}"""
BRANCH = """g (bool c, float[1] x) => (float[1] y) {
    y = If (c) <then_branch = a () => (float[1] p) { p = Identity(x) }, else_branch = b () => (float[1] q) { q = Neg(x) }>
}"""
FUNCTION = """g (float[1] x) => (float[1] y) { y = local.double(x) }
    <domain: "local", opset_import: ["": 20]> double (x) => (y) { y = Add(x, x) }"""


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (model_of(LOOP), r"got a graph inside of a node|got 'Loop'"),
        (model_of(BRANCH), r"got a graph inside of a node|got 'If'"),
        (model_of(FUNCTION), r"got 'double'|functions of its own"),
        (model_of("g (float[1] x) => (float[1] y) { y = com.microsoft.Gelu(x) }"), "got 'com.microsoft'"),
        (model_of("g (float[1] x) => (float[1] y) { y = NoSuchOperator(x) }"), "got 'NoSuchOperator'"),
        (b"", "it has no graph"),
        (b"\x08\x0a", "it has no graph"),
        (b"\x3a\x7f", "a field ends behind its message"),
        (b"\x38\x01", "a message is a number"),
        (b"\x3b\x3c", "wire type 3"),
        (b"\xff" * 30, "more than ten bytes"),
        (struct.pack("<I", 24) + b"ORTM" + bytes(50), "expected an ONNX model"),
        (b"\x08\x00" * 2_000_001, "too many fields"),
    ],
)
def test_check_graph_of_what_no_export_writes_is_refused(contents: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        check_graph("detector.onnx", contents)


def test_check_graph_in_the_format_of_onnx_runtime_is_refused(tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "detector.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(detector_graph(), options, providers=["CPUExecutionProvider"])
    with pytest.raises(BundleError, match=r"cannot load detector\.onnx: expected an ONNX model"):
        check_graph("detector.onnx", (tmp_path / "detector.ort").read_bytes())


def test_check_graph_merged_from_two_messages_sees_the_nodes_of_both() -> None:
    """Protobuf joins a field that stands twice: a reader that takes the last one alone would miss the first."""
    whole, loop = detector_graph(), model_of(LOOP)
    check_graph("detector.onnx", whole)
    for contents in (whole + loop, loop + whole):
        with pytest.raises(BundleError, match="got"):
            check_graph("detector.onnx", contents)


@given(
    ops=st.lists(st.sampled_from(sorted(OPERATORS)), max_size=5),
    other=st.sampled_from(["", "Loop", "Scan", "If", "SequenceMap", "StringNormalizer", "ai.onnx.ml"]),
    place=st.integers(0, 5),
)
def test_check_graph_reads_the_nodes_that_onnx_reads(ops: list[str], other: str, place: int) -> None:
    nodes = [onnx.helper.make_node(op, ["x"], ["y"], axis=1, name="n" * 200) for op in ops]
    if other:
        domain = other if "." in other else ""
        nodes.insert(place, onnx.helper.make_node("Add" if domain else other, ["x"], ["y"], domain=domain))
    graph = onnx.helper.make_graph(nodes, "g", [], [], [onnx.numpy_helper.from_array(np.zeros(300, np.float32), "w")])
    contents = onnx.helper.make_model(graph).SerializeToString()
    fields = [number for number, _, _ in walk(contents, 0, len(contents), Budget(1000))]
    assert fields == [number.number for number, _ in sorted_fields(contents)]
    if other:
        with pytest.raises(BundleError, match=other.replace(".", r"\.")):
            check_graph("g.onnx", contents)
    else:
        check_graph("g.onnx", contents)


def sorted_fields(contents: bytes) -> list[tuple[Any, Any]]:
    """Fields of a model as protobuf's own parser gives them, a field of several values several times."""
    listed = []
    for field, value in onnx.load_model_from_string(contents).ListFields():
        listed += [(field, each) for each in (value if field.is_repeated else [value])]
    return listed


def test_operators_that_are_allowed_are_operators_of_onnx() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""}
    assert known >= OPERATORS
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name in OPERATORS:
            kinds = {attribute.type for attribute in schema.attributes.values()}
            assert not kinds & {onnx.defs.OpSchema.AttrType.GRAPH, onnx.defs.OpSchema.AttrType.GRAPHS}, schema.name


@pytest.mark.parametrize("name", ["segmentation.onnx", "detector.onnx"])
def test_bundle_with_a_loop_is_refused_before_it_runs(toy_bundle: Path, name: str) -> None:
    (toy_bundle / name).write_bytes(model_of(LOOP))
    with pytest.raises(BundleError, match=f"cannot load {name}: expected operators alone that export writes"):
        OoDMonitor(seal(toy_bundle, toy_manifest()))


def test_bundle_with_a_loop_in_a_graph_that_no_vehicle_loads_is_refused_by_whoever_loads_all(toy_bundle: Path) -> None:
    (toy_bundle / "evaluation.onnx").write_bytes(model_of(LOOP))
    seal(toy_bundle, toy_manifest())
    OoDMonitor(toy_bundle).close()
    with pytest.raises(BundleError, match=r"cannot load evaluation\.onnx: expected operators alone that export writes"):
        open_bundle(toy_bundle)


@pytest.mark.parametrize("name", ["segmentation.onnx", "weights.bin"])
def test_bundle_with_a_loop_and_a_changed_file_is_refused_for_its_digest(toy_bundle: Path, name: str) -> None:
    (toy_bundle / "weights.bin").write_bytes(bytes(1000))
    (toy_bundle / "segmentation.onnx").write_bytes(model_of(LOOP))
    seal(toy_bundle, toy_manifest())
    changed = bytearray((toy_bundle / name).read_bytes())
    changed[-1] ^= 1
    (toy_bundle / name).write_bytes(changed)
    with pytest.raises(BundleError, match=f"expected {name} with sha256"):
        OoDMonitor(toy_bundle)


def archive(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, contents in entries.items():
            file.writestr(name, contents)
    return out.getvalue()


def array_file(shape: tuple[int, ...], contents: bytes, dtype: str = "|u1", fortran: bool = False) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": fortran, "shape": shape})
    return out.getvalue() + contents


GOOD = array_file((3,), b"abc")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a.npy": array_file((10**12,), b"abc")}, "another length than its shape"),
        ({"a.npy": array_file((2**62, 2**62), b"")}, "another length than its shape"),
        ({"a.npy": array_file((-3,), b"")}, "another length|negative|valid"),
        ({"a.npy": array_file((3,), b"abcd")}, "another length than its shape"),
        ({"a.npy": array_file((1,), bytes(8), "|O")}, "has the type object"),
        ({"a.npy": array_file((1,), b"abc", "|S3")}, "has the type"),
        ({"a.npy": array_file((1, 3), b"abc", fortran=True)}, "has the type"),
        ({"a.npy": GOOD, "b.npy": GOOD}, "other entries, such as"),
        ({"a.npy": GOOD} | {f"{i}.npy": GOOD for i in range(100)}, "other entries"),
        ({"a.npy": bytes(513 * 2**20)}, "allowed are 536870912"),
        ({"b.npy": GOOD}, "a"),
    ],
)
def test_read_arrays_of_what_does_not_fit_is_refused(entries: dict[str, bytes], message: str) -> None:
    with pytest.raises((ValueError, KeyError), match=message):
        read_arrays(archive(entries), ["a"])


def test_read_arrays_gives_what_numpy_wrote() -> None:
    values: dict[str, Any] = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.ones((1, 0, 2), np.uint8),
        "c": np.array(3, np.int64),
    }
    for save in (np.savez, np.savez_compressed):
        out = io.BytesIO()
        save(out, **values)
        read = read_arrays(out.getvalue(), ["a", "b"], ["c", "d"])
        assert list(read) == ["a", "b", "c"]
        for name, array in values.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype
            assert not read[name].flags.writeable


def test_read_arrays_of_an_entry_longer_than_it_states_is_refused() -> None:
    contents = archive({"a.npy": array_file((3,), b"abc")})
    place = contents.rindex(b"PK\x01\x02") + 24  # of the unpacked size in the central directory
    shorter = contents[:place] + struct.pack("<I", len(GOOD) - 2) + contents[place + 4 :]
    with pytest.raises(Exception, match=r"another length|CRC|magic"):
        read_arrays(shorter, ["a"])


def test_bundle_with_a_million_golden_frames_is_refused(toy_bundle: Path) -> None:
    frames = np.repeat(random_frames(1, 0), 1000, axis=0)
    write_golden(toy_bundle, frames, np.zeros(1000))
    with pytest.raises(BundleError, match=r"expected at most 100 golden frames in golden\.npz, got 1000"):
        OoDMonitor(seal(toy_bundle, toy_manifest()))


def test_time_limit_over_tells_runs_to_end() -> None:
    with TimeLimit(60) as limit:
        assert not limit.is_over
    with TimeLimit(0.001) as limit:
        while not limit.run_options.terminate:
            time.sleep(0.001)
        assert limit.is_over
    session = ort.InferenceSession(segmentation_graph("classes"), providers=["CPUExecutionProvider"])
    with pytest.raises(Exception, match="terminate"):
        session.run(None, {"frame": random_frames(1, 0)}, limit.run_options)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_self_test_seconds_that_are_no_time_are_refused(toy_bundle: Path, seconds: float) -> None:
    with pytest.raises(ValueError, match="expected self_test_seconds above 0"):
        OoDMonitor(toy_bundle, self_test_seconds=seconds)


def test_self_test_out_of_time_is_our_error(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Over(TimeLimit):
        """Over before the first run, which is told to end."""

        def __enter__(self) -> "Over":
            super().__enter__()
            self._end_s = -math.inf
            self._end()
            return self

    monkeypatch.setattr("lsood_runtime._inference.self_test.TimeLimit", Over)
    with pytest.raises(SelfTestError, match=r"expected the 2 golden frames within 5 s, they take longer on CPU"):
        OoDMonitor(toy_bundle, self_test_seconds=5)
    with OoDMonitor(toy_bundle, self_test=False) as monitor:
        with pytest.raises(SelfTestError, match="golden frames within 60 s"):
            monitor.self_test()
        assert monitor.warm_up() > 0


def test_self_test_that_took_longer_is_refused_though_nothing_told_its_runs_to_end(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimeLimit, "_end", lambda _: None)  # a thread that never comes to it
    with pytest.raises(SelfTestError, match=r"golden frames within 1e-09 s, they take longer on CPU"):
        OoDMonitor(toy_bundle, self_test_seconds=1e-9)
