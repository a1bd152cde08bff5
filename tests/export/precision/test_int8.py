# SPDX-License-Identifier: Apache-2.0
"""8-bit networks against numpy, torch and ONNX's own reference evaluator; what stays in float; float16 beside it."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from export.errors import UsageError
from export.graphs.monitor_forms import cpu_session, graph_feed, run_graph
from export.graphs.noise import NoiseBatch, NoiseSource, expose_noise
from export.layers.mask_mode import Mode
from export.precision.float16 import to_float16
from export.precision.int8 import Quantiser
from export.precision.network_body import layer_name, network_body
from export.precision.options import INT8, INT8_TENSORRT
from tests.exported_graphs import SAMPLES, network_graph
from tests.networks import HEIGHT, WIDTH

CONVOLUTIONAL = {
    "DropBlock at the tap": ("head.2",),
    "dropout at three depths": ("bottleneck.0", "head"),
    "skip connections across the cut": ("up1.0", "head"),
    "no stochastic layer": ("head",),
}
"""Networks with the layers that stay in float: the last ones."""

Case = tuple[NDArray[np.uint8], NoiseBatch]


def with_modes(*modes: Mode) -> list[Any]:
    """Every network with every mode; the fast tests take masks that are not fixed with one network."""
    return [
        pytest.param(name, mode, marks=[pytest.mark.slow] * (mode != "fixed" and name != "dropout at three depths"))
        for name in CONVOLUTIONAL
        for mode in modes
    ]


@cache
def cases(name: str, mode: Mode) -> list[Case]:
    rng = np.random.default_rng(0)
    shapes = [
        [size.dim_value or 1 for size in value.type.tensor_type.shape.dim]
        for value in network_graph(name, mode).graph.input[1:]
    ]
    return [
        (rng.integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8), [rng.random(s, dtype=np.float32) for s in shapes])
        for _ in range(4)
    ]


@cache
def quantiser(name: str, mode: Mode = "fixed", kind: str = INT8) -> Quantiser:
    return Quantiser(network_graph(name, mode), kind, cases(name, mode))


def of_type(model: ModelProto, kind: str) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type == kind]


def constants(model: ModelProto) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def quantised_weights(model: ModelProto) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Name, integers and scales of each quantised weight."""
    values = constants(model)
    for node in of_type(model, "DequantizeLinear"):
        integers = values.get(node.input[0])
        if integers is not None and integers.ndim == 4:
            yield node.input[0].removesuffix("_quantized"), integers, values[node.input[1]]


@pytest.mark.parametrize(("name", "mode"), with_modes("fixed", "input"))
def test_quantiser_of_a_network_stays_near_it_with_the_last_layers_in_float(name: str, mode: Mode) -> None:
    model = network_graph(name, mode)
    quantised = quantiser(name, mode)()
    each = quantiser(name, mode)
    assert {*each.body.layers} - {*each.layers} == {*CONVOLUTIONAL[name]}
    makers = {value: node for node in quantised.graph.node for value in node.output}
    for convolution in of_type(quantised, "Conv"):
        eight_bit = makers.get(convolution.input[1], convolution).op_type == "DequantizeLinear"
        assert eight_bit != (layer_name(convolution).removesuffix(".weight_quantized") in CONVOLUTIONAL[name])
    for case in cases(name, mode):
        expected, got = (run_graph(cpu_session(graph), *case) for graph in (model, quantised))
        for output, value in expected.items():
            assert 0 < np.abs(got[output] - value).max() < 0.06 * np.abs(value).max()


@pytest.mark.parametrize("kind", [INT8, INT8_TENSORRT])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_quantised_graph_in_onnxruntime_equals_the_reference_evaluator(name: str, kind: str) -> None:
    """ONNX's evaluator in numpy runs the same graph node by node, with no fused integer kernel."""
    quantised = quantiser(name, kind=kind)()
    evaluator = ReferenceEvaluator(quantised)
    for case in cases(name, "fixed")[:2]:
        got = run_graph(cpu_session(quantised), *case)
        expected = dict(zip(got, evaluator.run(list(got), graph_feed(*case)), strict=True))
        for output, value in expected.items():
            # A value at the edge between two steps may fall to either side, and what follows goes with it.
            assert np.abs(got[output] - value).max() < 0.02 * np.abs(value).max()


def test_quantised_weights_of_seven_bits_equal_torchs() -> None:
    name = "DropBlock at the tap"
    originals = constants(network_graph(name, "fixed"))
    count = 0
    for weight, integers, scales in quantised_weights(quantiser(name)()):
        original = torch.from_numpy(originals[weight].copy())
        expected = torch.fake_quantize_per_channel_affine(
            original, torch.from_numpy(scales.copy()), torch.zeros(len(scales), dtype=torch.int32), 0, -64, 64
        )
        got = integers * scales[:, None, None, None]
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-6)
        largest = np.abs(originals[weight]).reshape(len(scales), -1).max(axis=1)
        np.testing.assert_allclose(scales, largest / 64, rtol=0.02)
        assert np.abs(integers).max() <= 64  # uint8 times 7 bits, twice, fits the 16 bits of processors without VNNI
        count += 1
    assert count == len(quantiser(name).layers)


def test_quantised_ranges_of_the_frames_are_their_extremes() -> None:
    """The scale of the first convolution's input, against the frames' own least and greatest value."""
    name = "DropBlock at the tap"
    model = quantiser(name)()
    first = of_type(model, "Conv")[0]
    makers = {value: node for node in model.graph.node for value in node.output}
    dequantised = makers[first.input[0]]
    tapped = ModelProto()
    tapped.CopyFrom(network_graph(name, "fixed"))
    source = of_type(tapped, "Conv")[0].input[0]
    tapped.graph.output.append(onnx.helper.make_tensor_value_info(source, onnx.TensorProto.FLOAT, None))
    values = np.concatenate([run_graph(cpu_session(tapped), *case)[source] for case in cases(name, "fixed")])
    scale, zero = (constants(model)[dequantised.input[i]] for i in (1, 2))
    assert zero.dtype == np.uint8
    assert scale == pytest.approx((values.max() - values.min()) / 255, rel=1e-5)
    assert float(zero) == pytest.approx(-values.min() / scale, abs=0.51)


def test_quantiser_for_tensorrt_has_no_zero_points_and_float_biases() -> None:
    model = quantiser("DropBlock at the tap", kind=INT8_TENSORRT)()
    values = constants(model)
    pairs = of_type(model, "QuantizeLinear") + of_type(model, "DequantizeLinear")
    zeros = [values[node.input[2]] for node in pairs if len(node.input) > 2 and node.input[2]]
    assert zeros
    assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros)
    biases = [node.input[2] for node in of_type(model, "Conv") if len(node.input) > 2]
    assert biases
    assert all(values[bias].dtype == np.float32 for bias in biases)


def test_quantiser_with_float_layers_leaves_them_in_float() -> None:
    each = quantiser("dropout at three depths")
    held = each.layers[1:3]
    values = constants(each(held))
    assert {name for name in values if name.endswith(".weight") and values[name].ndim == 4} >= {
        weight
        for layer in held
        for weight in constants(network_graph("dropout at three depths", "fixed"))
        if layer in weight
    }
    assert len(list(quantised_weights(each.only(held[0])))) == 1
    assert len(list(quantised_weights(each(held)))) == len(each.layers) - len(held)


def test_quantised_graph_of_a_batch_equals_single_frames() -> None:
    name = "DropBlock at the tap"
    session = cpu_session(quantiser(name)())
    (first, _), (second, _) = cases(name, "fixed")[:2]
    together = run_graph(session, np.concatenate([first, second]), ())
    for i, frame in enumerate((first, second)):
        for output, value in run_graph(session, frame, ()).items():
            np.testing.assert_allclose(together[output][i], value[0], atol=1e-5)


@pytest.mark.parametrize("kind", [INT8, INT8_TENSORRT])
def test_quantiser_of_a_network_without_convolutions_is_refused(kind: str) -> None:
    name = "a flat tap"
    with pytest.raises(UsageError, match=rf"drop --precision {kind}"):
        Quantiser(network_graph(name, "fixed"), kind, cases(name, "fixed"))


@pytest.mark.parametrize(("name", "mode"), with_modes("fixed", "input", "fresh"))
def test_to_float16_of_a_network_converts_what_lies_between_convolutions_alone(name: str, mode: Mode) -> None:
    model = network_graph(name, mode)
    converted = to_float16(model)
    assert [value.type for value in converted.graph.output] == [value.type for value in model.graph.output]
    weights = [value for value in constants(converted).values() if value.ndim == 4 and value.dtype == np.float16]
    assert len(weights) == len(network_body(model).layers)
    values = [*converted.graph.value_info, *converted.graph.output]
    halves = {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16}
    inside = {value for node in converted.graph.node if node.name in network_body(model).nodes for value in node.output}
    assert halves
    assert {value for value in halves - inside if not value.endswith("_half")} == set()
    graphs = [model, converted]
    if mode == "fresh":
        noise = NoiseSource([values.shape[2:] for values in cases(name, "input")[0][1]], SAMPLES)
        graphs = [expose_noise(graph, noise) for graph in graphs]
    for case in cases(name, "fixed" if mode == "fixed" else "input"):
        expected, got = (run_graph(cpu_session(graph), *case) for graph in graphs)
        for output, value in expected.items():
            assert 0 < np.abs(got[output] - value).max() < 0.005 * np.abs(value).max()


def test_to_float16_without_a_convolution_or_names_is_refused() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        no_convolution (float[2] x) => (float[2] latent_samples) { latent_samples = Neg(x) }""")
    with pytest.raises(ValueError, match="name of its own"):
        to_float16(model)
    model.graph.node[0].name = "negative"
    with pytest.raises(UsageError, match="drop --precision fp16"):
        to_float16(model)
    assert Counter(node.op_type for node in model.graph.node) == {"Neg": 1}
