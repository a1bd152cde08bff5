# SPDX-License-Identifier: Apache-2.0
"""Nodes whose constants state the size of what they make are refused where it is too large; against ONNX Runtime's shapes."""

import itertools
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from lsood_runtime import BundleError
from lsood_runtime._bundle.graph_check import OPERATORS, check_graph
from lsood_runtime._bundle.grown_tensors import _PADDED, _SIZES, MOST_ELEMENTS, _range_sizes

LARGE = 2**40
ONE = np.ones((1, 1, 1, 1), np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def scalar(value: float, dtype: type = np.int64) -> np.ndarray:
    return np.array(value, dtype)


GROWN: dict[str, tuple[str, list[np.ndarray], dict[str, Any]]] = {
    "Expand": ("Expand", [ONE, whole(1, 1, 1, LARGE)], {}),
    "Expand by several": ("Expand", [ONE, whole(2**10, 2**10, 2**10, 2**10)], {}),
    "Tile": ("Tile", [ONE, whole(1, 2**20, 2**20, 1)], {}),
    "ConstantOfShape": ("ConstantOfShape", [whole(LARGE)], {}),
    "Resize to sizes": (
        "Resize",
        [ONE, np.empty(0, np.float32), np.empty(0, np.float32), whole(1, 1, 2**20, 2**20)],
        {},
    ),
    "Resize by scales": ("Resize", [ONE, np.empty(0, np.float32), np.array([1, 1, 2**20, 2**20], np.float32)], {}),
    "Pad": ("Pad", [ONE, whole(0, 0, 0, 0, 0, 0, 0, LARGE)], {}),
    "Pad on two axes": ("Pad", [ONE, whole(0, 0, 2**20, 2**20, 0, 0, 0, 0)], {}),
    "Range": ("Range", [scalar(0), scalar(LARGE), scalar(1)], {}),
    "Range down": ("Range", [scalar(0, np.float32), scalar(-1, np.float32), scalar(-1e-12, np.float32)], {}),
    "OneHot": ("OneHot", [whole(1), scalar(LARGE), np.array([0, 1], np.float32)], {}),
    "RandomNormal": ("RandomNormal", [], {"shape": [2**20, 2**20]}),
    "RandomUniform": ("RandomUniform", [], {"shape": [LARGE]}),
    "HannWindow": ("HannWindow", [scalar(LARGE)], {}),
    "ConvTranspose": ("ConvTranspose", [ONE, ONE], {"strides": [2**20, 2**20]}),
    "ConvTranspose to a shape": ("ConvTranspose", [ONE, ONE], {"output_shape": [2**20, 2**20]}),
    "Conv": ("Conv", [ONE, ONE], {"pads": [2**20, 2**20, 2**20, 2**20]}),
    "MaxPool": ("MaxPool", [ONE], {"kernel_shape": [2**20, 2**20], "pads": [2**19] * 4}),
    "MelWeightMatrix": ("MelWeightMatrix", [scalar(2**20), scalar(2**20), scalar(16000), scalar(0.0), scalar(8e3)], {}),
    "CenterCropPad": ("CenterCropPad", [ONE, whole(1, 1, 2**20, 2**20)], {}),
    "AffineGrid": ("AffineGrid", [np.ones((1, 2, 3), np.float32), whole(1, 1, 2**20, 2**20)], {}),
    "Col2Im": ("Col2Im", [np.ones((1, 1, 1), np.float32), whole(2**20, 2**20), whole(1, 1)], {}),
    "RoiAlign": (
        "RoiAlign",
        [ONE, np.zeros((1, 4), np.float32), whole(0)],
        {"output_height": 2**20, "output_width": 2**20},
    ),
}


def model_of(kind: str, constants: list[np.ndarray], attributes: dict[str, Any], how: str) -> bytes:
    """A graph of one node, whose inputs are initializers or the outputs of Constant nodes, in one or the other encoding."""
    names = [f"in{i}" if len(value) or value.ndim == 0 else "" for i, value in enumerate(map(np.atleast_1d, constants))]
    names = [name if constants[i].size else "" for i, name in enumerate(names)]
    tensors = [numpy_helper.from_array(value, f"in{i}") for i, value in enumerate(constants) if value.size]
    if how == "typed fields":
        tensors = [
            helper.make_tensor(t.name, t.data_type, t.dims, numpy_helper.to_array(t).ravel().tolist()) for t in tensors
        ]
    nodes = []
    if how == "nodes":
        nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in tensors]
        tensors = []
    nodes.append(helper.make_node(kind, names, ["y"], **attributes))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [], [output], tensors)
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]).SerializeToString())


@pytest.mark.parametrize("how", ["initializers", "typed fields", "nodes"])
@pytest.mark.parametrize("case", GROWN)
def test_check_graph_with_a_node_that_makes_too_large_a_tensor_refuses_it(case: str, how: str) -> None:
    kind, constants, attributes = GROWN[case]
    with pytest.raises(BundleError, match=rf"got {kind} to .* elements, more than"):
        check_graph("g.onnx", model_of(kind, constants, attributes, how))


def test_operators_of_bounded_sizes_are_allowed_ones() -> None:
    assert _SIZES.keys() | _PADDED <= OPERATORS


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Expand", "Tile", "ConstantOfShape", "Range", "Pad", "Resize"]),
    st.lists(st.integers(1, 9), min_size=4, max_size=4),
)
def test_check_graph_of_tensors_of_moderate_size_passes_and_counts_no_more_than_onnx_runtime_makes(
    kind: str, sizes: list[int]
) -> None:
    """The bound is never above the size that the node makes, so that nothing below the limit is refused."""
    ends = whole(*sizes)
    empty = np.empty(0, np.float32)
    constants = {
        "Expand": [ONE, ends],
        "Tile": [ONE, ends],
        "ConstantOfShape": [ends],
        "Range": [scalar(0, np.float32), scalar(float(np.prod(sizes)), np.float32), scalar(1, np.float32)],
        "Pad": [ONE, np.concatenate([ends, ends])],
        "Resize": [ONE, empty, empty, ends],
    }[kind]
    contents = model_of(kind, constants, {}, "initializers")
    check_graph("g.onnx", contents)
    (made,) = ort.InferenceSession(contents, providers=["CPUExecutionProvider"]).run(None, {})
    assert made.size <= MOST_ELEMENTS
    place = {"Expand": 1, "Tile": 1, "ConstantOfShape": 0, "Range": 1, "Pad": 1, "Resize": 3}[kind]
    constants[place] = constants[place].copy()
    constants[place].reshape(-1)[-1] = 2 * MOST_ELEMENTS
    with pytest.raises(BundleError, match=f"got {kind}"):
        check_graph("g.onnx", model_of(kind, constants, {}, "initializers"))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_check_graph_with_attributes_that_nodes_have_alike_reads_those_of_each(kinds: list[int]) -> None:
    pads = [[0, 0, 0, 0], [1, 1, 1, 1], [2**20] * 4, list(range(40))]
    nodes = [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], pads=pads[kind]) for kind in kinds]
    graph = helper.make_graph(nodes, "g", [], [], [numpy_helper.from_array(ONE, "x")])
    contents = helper.make_model(graph).SerializeToString()
    if {2, 3}.isdisjoint(kinds):
        check_graph("g.onnx", contents)
    else:
        with pytest.raises(BundleError, match="got MaxPool to"):
            check_graph("g.onnx", contents)


@pytest.mark.parametrize("where", ["initializer", "attribute"])
def test_check_graph_with_a_sparse_tensor_refuses_it(where: str) -> None:
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    sparse = helper.make_sparse_tensor(values, helper.make_tensor("i", TensorProto.INT64, [1], [5]), [LARGE])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    if where == "initializer":
        graph = helper.make_graph(
            [helper.make_node("Identity", ["s"], ["y"])], "g", [], [output], sparse_initializer=[sparse]
        )
    else:
        node = onnx.NodeProto(op_type="Constant", output=["y"])
        node.attribute.append(onnx.AttributeProto(name="sparse_value", type="SPARSE_TENSOR", sparse_tensor=sparse))
        graph = helper.make_graph([node], "g", [], [output])
    with pytest.raises(BundleError, match="a sparse tensor"):
        check_graph("g.onnx", helper.make_model(graph).SerializeToString())


@given(*[st.lists(st.integers(-(2**33), 2**33).map(float), max_size=4)] * 3)
def test_range_is_as_large_as_the_largest_of_all_that_its_inputs_may_be(
    starts: list[float], limits: list[float], steps: list[float]
) -> None:
    every = itertools.product(starts, limits, steps)
    expected = max(((limit - start) / step for start, limit, step in every if step), default=0.0)
    assert max([0.0, *_range_sizes(starts, limits, steps)]) == pytest.approx(max(expected, 0.0))


@pytest.mark.parametrize("odd", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("place", range(3))
def test_range_of_a_number_that_is_not_finite_is_refused(place: int, odd: float) -> None:
    constants = [scalar(0, np.float32), scalar(1, np.float32), scalar(1, np.float32)]
    constants[place] = scalar(odd, np.float32)
    with pytest.raises(BundleError, match="got Range to inf elements"):
        check_graph("g.onnx", model_of("Range", constants, {}, "initializers"))


@pytest.mark.parametrize("how", ["initializers", "nodes"])
def test_many_constants_of_one_name_are_refused_before_they_are_combined(how: str) -> None:
    names, tensors = ("start", "limit", "step"), []
    for name in names:
        tensors += [numpy_helper.from_array(np.array(1.0, np.float32), name)] * 2000
    nodes = [helper.make_node("Range", names, [f"y{i}"]) for i in range(2000)]
    if how == "nodes":
        nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in tensors] + nodes
        tensors = []
    contents = helper.make_model(helper.make_graph(nodes, "g", [], [], tensors)).SerializeToString()
    with pytest.raises(BundleError, match="many constants have one name"):
        check_graph("g.onnx", contents)
