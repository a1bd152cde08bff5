# SPDX-License-Identifier: Apache-2.0
"""Features of networks in float16 and in 8 bits are computed in float32, from what the network gives in its own precision."""

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, shape_inference

from export.features.key import OUTPUT_FEATURES, PICTURE, FeatureKey
from export.graphs.monitor_forms import cpu_session, run_graph
from export.layers.channel_moments import MIN_DEVIATION
from export.precision.float16 import to_float16
from export.precision.int8 import Quantiser
from export.precision.network_body import network_body
from export.precision.options import INT8, INT8_TENSORRT
from tests.exported_graphs import network_graph
from tests.networks import HEIGHT, WIDTH

CASE = "DropBlock at the tap"
LAYERS = ("deep.2", "drop_block1")


def frames(count: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8) for _ in range(count)]


@cache
def whole() -> ModelProto:
    return network_graph(CASE, "fixed", every_feature=True)


REDUCED: dict[str, Callable[[], ModelProto]] = {
    "fp16": lambda: to_float16(whole()),
    INT8: lambda: Quantiser(whole(), INT8, ((frame, ()) for frame in frames(8)))(),
    INT8_TENSORRT: lambda: Quantiser(whole(), INT8_TENSORRT, ((frame, ()) for frame in frames(8)))(),
}


@cache
def reduced(precision: str) -> ModelProto:
    return REDUCED[precision]()


def behind_the_network(model: ModelProto, output: str) -> tuple[list[NodeProto], set[str]]:
    """Nodes that compute an output from the network, and the values of the network that they read."""
    body = network_body(whole()).nodes
    makers = {value: node for node in model.graph.node for value in node.output}
    nodes, read, waiting = [], set(), [output]
    seen: set[str] = set()
    while waiting:
        value = waiting.pop()
        node = makers.get(value)
        if node is None or value in seen:
            continue
        seen.add(value)
        if node.name in body or node.op_type == "DequantizeLinear" or (node.op_type == "Cast" and makes_float(node)):
            read.add(value)
        else:
            nodes.append(node)
            waiting += node.input
    return nodes, read


def makes_float(node: NodeProto) -> bool:
    return node.name.startswith("cast_")  # as ``to_float16`` names what it adds


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("key", [*map(FeatureKey.moments, LAYERS), *OUTPUT_FEATURES], ids=str)
def test_feature_behind_a_reduced_network_has_no_value_of_fewer_bits(precision: str, key: FeatureKey) -> None:
    model = shape_inference.infer_shapes(reduced(precision))
    values = [*model.graph.value_info, *model.graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    nodes, _ = behind_the_network(model, str(key))
    assert len(nodes) > 3
    few = (TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT8)
    made = {types[value] for node in nodes for value in node.output if value in types}
    assert made.isdisjoint(few)
    assert not {node.op_type for node in nodes} & {"QuantizeLinear", "DequantizeLinear"}


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("layer", LAYERS)
def test_moments_of_a_reduced_network_are_those_of_its_own_map(precision: str, layer: str) -> None:
    name = str(FeatureKey.moments(layer))
    model = ModelProto()
    model.CopyFrom(reduced(precision))
    (source,) = behind_the_network(model, name)[1]
    model.graph.output.append(onnx.helper.make_tensor_value_info(source, TensorProto.FLOAT, None))
    for frame in frames(3):
        outputs = run_graph(cpu_session(model), frame, [])
        cells = outputs[source][0].astype(np.float64).reshape(outputs[source].shape[1], -1)
        expected = np.r_[cells.mean(axis=1), np.log(np.maximum(cells.std(axis=1), MIN_DEVIATION))]
        np.testing.assert_allclose(outputs[name][0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.01), (INT8, 0.2), (INT8_TENSORRT, 0.2)])
def test_features_of_a_reduced_network_stay_near_those_of_float32(precision: str, tolerance: float) -> None:
    for frame in frames(2):
        expected, got = (run_graph(cpu_session(graph), frame, []) for graph in (whole(), reduced(precision)))
        for key in (*map(FeatureKey.moments, LAYERS), *OUTPUT_FEATURES):
            unit = max(1.0, float(np.abs(expected[str(key)]).max()))
            assert np.abs(got[str(key)] - expected[str(key)]).max() < tolerance * unit, key
            assert got[str(key)].dtype == np.float32


@pytest.mark.parametrize("precision", REDUCED)
def test_picture_features_of_a_reduced_network_are_those_of_float32(precision: str) -> None:
    for frame in frames(2):
        expected, got = (run_graph(cpu_session(graph), frame, []) for graph in (whole(), reduced(precision)))
        np.testing.assert_array_equal(got[str(PICTURE)], expected[str(PICTURE)])
