# SPDX-License-Identifier: Apache-2.0
"""onnxruntime-gpu itself places every node of the exported graphs on CUDA. No GPU is needed, and nothing is computed."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, defs, helper, shape_inference

from export.layers.mask_mode import Mode
from export.precision.float16 import to_float16
from lsood_runtime import OoDMonitor
from tests.cuda.kernels import TABLE, KernelTable, off_cuda
from tests.cuda.placement import CPU, CUDA, PlacementUnavailableError, StubbedWheel
from tests.cuda.traps import TRAPS, graph
from tests.exported_graphs import NETWORK_CASES, network_graph

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # some 300 MB are downloaded

BUNDLE_GRAPHS = ("segmentation.onnx", "detector.onnx")


@pytest.fixture(scope="module")
def table() -> KernelTable:
    return KernelTable.read()


@pytest.fixture(scope="module")
def wheel(table: KernelTable, tmp_path_factory: pytest.TempPathFactory) -> StubbedWheel:
    try:
        return StubbedWheel(tmp_path_factory.mktemp("onnxruntime-gpu"), table.version)
    except PlacementUnavailableError as error:
        pytest.skip(str(error))


def saved(model: ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", BUNDLE_GRAPHS)
def test_placement_of_a_bundle_is_cuda_alone(bundle: Path, name: str, wheel: StubbedWheel) -> None:
    (placement,) = wheel.place([bundle / name], batch=1)
    assert set(placement.nodes) == {CUDA}
    assert len(placement.nodes[CUDA]) > 40
    assert placement.without_fallback is None
    assert placement.cuda_graphs is None


@pytest.mark.parametrize("mode", ["fixed", "fresh", "input"])
def test_placement_of_other_networks_is_cuda_alone(mode: Mode, wheel: StubbedWheel, tmp_path: Path) -> None:
    paths = [saved(network_graph(case, mode), tmp_path / f"{i}.onnx") for i, case in enumerate(NETWORK_CASES)]
    for case, placement in zip(NETWORK_CASES, wheel.place(paths, batch=1), strict=True):
        assert set(placement.nodes) == {CUDA}, case
        assert (placement.without_fallback, placement.cuda_graphs) == (None, None), case


def test_placement_of_a_float16_network_is_cuda_alone(bundle: Path, wheel: StubbedWheel, tmp_path: Path) -> None:
    model = to_float16(onnx.load(bundle / "segmentation.onnx"))
    (placement,) = wheel.place([saved(model, tmp_path / "half.onnx")], batch=1)
    assert set(placement.nodes) == {CUDA}
    assert (placement.without_fallback, placement.cuda_graphs) == (None, None)


def test_monitor_on_cuda_runs_every_graph_there(bundle: Path, wheel: StubbedWheel) -> None:
    """The runtime itself on the real wheel: buffers on the device, no node elsewhere, no silent fallback, down to cuDNN."""
    free, fixed, captured, unfixed, mistyped, tested, fallback = wheel.monitors(
        bundle,
        {"options": {}, "batch": None},
        {"options": {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}, "strict": True},
        {"options": {"enable_cuda_graph": "1"}, "strict": True},
        {"options": {"enable_cuda_graph": "1"}, "batch": None},
        {"options": {"use_tf33": "0"}},
        {"options": {}, "test": True},
        {"options": {}, "test": True, "allow_fallback": True},
    )
    assert set(free["placement"]) == {CUDA, CPU}, "arithmetic on shapes"
    for answer in (fixed, captured):
        assert (answer["provider"], answer["way"], set(answer["placement"])) == (CUDA, "DevicePass", {CUDA})
        assert "cuDNN" in answer["run_error"], "memory, copies and bindings worked; the first convolution did not"
    assert "pass batch=1" in unfixed["error"]
    assert "ProviderError" in mistyped["error"]
    assert 'Unknown provider option: "use_tf33"' in mistyped["error"]
    assert "ProviderError" in tested["error"]
    assert "cuDNN" in tested["error"], "the self-test finds what the session did not"
    assert (fallback["provider"], fallback["scored_on"]) == (CPU, CPU)
    with OoDMonitor(bundle) as monitor:
        contract = monitor.manifest.input
        shape = (contract.frame_height, contract.frame_width, 3)
        frame = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        assert fallback["score"] == pytest.approx(monitor.score(frame), rel=1e-4)


def test_placement_of_a_free_batch_leaves_shape_arithmetic_to_the_host(bundle: Path, wheel: StubbedWheel) -> None:
    (placement,) = wheel.place([bundle / "segmentation.onnx"])
    on_host = {name for _, name in placement.nodes[CPU]}
    assert on_host
    assert on_host <= computed_from_shapes(onnx.load(bundle / "segmentation.onnx"))
    assert placement.without_fallback is not None


def computed_from_shapes(model: ModelProto) -> set[str]:
    """Names of the nodes that read nothing but shapes, constants, and what was computed from those."""
    known = {tensor.name for tensor in model.graph.initializer} | {""}
    nodes = set()
    for node in model.graph.node:
        if node.op_type == "Shape" or known.issuperset(node.input):
            known.update(node.output)
            nodes.add(node.name)
    return nodes


def test_placement_of_a_node_without_kernel_is_the_cpu(wheel: StubbedWheel, tmp_path: Path) -> None:
    bad = [saved(graph(trap.bad, trap.bad_opset), tmp_path / f"bad{i}.onnx") for i, trap in enumerate(TRAPS.values())]
    good = [saved(graph(trap.good), tmp_path / f"good{i}.onnx") for i, trap in enumerate(TRAPS.values())]
    for name, placement in zip(TRAPS, wheel.place(good), strict=True):
        assert set(placement.nodes) == {CUDA}, name
        assert (placement.without_fallback, placement.cuda_graphs) == (None, None), name
    for name, placement in zip(TRAPS, wheel.place(bad), strict=True):
        assert set(placement.nodes) == {"cpu": {CPU}, "cuda": {CUDA}, "none": set()}[TRAPS[name].session], name
        assert (placement.without_fallback is None) == (TRAPS[name].session == "cuda"), name


def test_cuda_graphs_of_nodes_on_the_cpu_or_branches_are_refused(wheel: StubbedWheel, tmp_path: Path) -> None:
    refused = [TRAPS["no kernel"], TRAPS["a branch"]]
    paths = [saved(graph(trap.bad), tmp_path / f"{i}.onnx") for i, trap in enumerate(refused)]
    assert all(placement.cuda_graphs is not None for placement in wheel.place(paths))


def test_kernel_table_of_the_wheel_equals_the_committed_one(wheel: StubbedWheel) -> None:
    assert wheel.kernels() == json.loads(TABLE.read_text())


def test_placement_of_nodes_with_a_kernel_in_the_table_is_cuda(
    table: KernelTable, wheel: StubbedWheel, tmp_path: Path
) -> None:
    """Every operator of the opset that is content with equal inputs, in each of six types."""
    passed: dict[str, Path] = {}
    for name in sorted({schema.name for schema in defs.get_all_schemas_with_history() if schema.domain == ""}):
        for kind in ("float", "double", "int32", "int64", "uint8", "bool"):
            model = single_node(name, kind, opset=20)
            if model is not None and not off_cuda(model, table):
                passed[f"{name} {kind}"] = saved(model, tmp_path / f"{len(passed)}.onnx")
    placed = dict(zip(passed, wheel.place(list(passed.values())), strict=True))
    runs = {case: placement for case, placement in placed.items() if placement.nodes}  # Shape is folded away
    assert len(runs) > 200
    assert [case for case, placement in runs.items() if set(placement.nodes) != {CUDA}] == []


def single_node(operator: str, kind: str, opset: int) -> ModelProto | None:
    """A graph of one operator on tensors of one type and shape; None where the operator asks for something else."""
    try:
        schema = defs.get_schema(operator, opset)
    except defs.SchemaError:
        return None
    inputs = [f"x{i}" for i in range(max(schema.min_input, min(2, schema.max_input)))]
    values = [helper.make_tensor_value_info(x, TensorProto.DataType.Value(kind.upper()), [2, 3, 4, 4]) for x in inputs]
    model = helper.make_model(
        helper.make_graph([helper.make_node(operator, inputs, ["y"])], "single", values, []),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=10,
    )
    try:
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        model.graph.output.extend(inferred.graph.value_info)
        onnx.checker.check_model(model, full_check=True)
    except (shape_inference.InferenceError, onnx.checker.ValidationError):
        return None
    return model if model.graph.output else None
