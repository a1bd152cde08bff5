# SPDX-License-Identifier: Apache-2.0
"""Graphs of features are converted for a number of frames, which is made free where it is first, and refused elsewhere."""

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import ModelProto, TensorProto, helper

from export.graphs.evaluation_outputs import map_features
from export.graphs.frame_features import MANY_FRAMES, with_free_batch
from export.graphs.monitor_forms import cpu_session
from export.graphs.output_features import OutputFeatures
from export.graphs.segmentation import feature_graph


def reshaped(*shape: int) -> ModelProto:
    """A graph of frames of 2 x 3 that gives them in a shape."""
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "reshaped",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [MANY_FRAMES, 2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [helper.make_tensor("shape", TensorProto.INT64, [len(shape)], shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("frames", [1, 4])
def test_graph_with_a_free_batch_takes_any_number_of_frames(frames: int) -> None:
    session = ort.InferenceSession(with_free_batch(reshaped(MANY_FRAMES, 6)).SerializeToString())
    assert [value.shape for value in (*session.get_inputs(), *session.get_outputs())] == [["batch", 2, 3], ["batch", 6]]
    x = np.random.default_rng(frames).normal(size=(frames, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], x.reshape(frames, 6))


@pytest.mark.parametrize("shape", [(6 * MANY_FRAMES,), (6, MANY_FRAMES), (2 * MANY_FRAMES, 3)])
def test_graph_whose_batch_is_not_first_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected a batch that is first in every value, got a size of "):
        with_free_batch(reshaped(*shape))


def shared_with_expand(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Expand", ["x", "shape"], ["z"]))


def in_a_node(model: ModelProto) -> None:
    shape = model.graph.initializer.pop()
    model.graph.node.insert(0, helper.make_node("Constant", [], ["shape"], value=shape))


def in_a_node_of_whole_numbers(model: ModelProto) -> None:
    model.graph.initializer.pop()
    model.graph.node.insert(0, helper.make_node("Constant", [], ["shape"], value_ints=[MANY_FRAMES, 6]))


@pytest.mark.parametrize("change", [shared_with_expand, in_a_node, in_a_node_of_whole_numbers])
def test_graph_whose_batch_is_a_constant_that_cannot_be_freed_is_refused(change: Callable[[ModelProto], None]) -> None:
    model = reshaped(MANY_FRAMES, 6)
    change(model)
    with pytest.raises(ValueError, match=f"expected a batch that is first in every value, got a size of {MANY_FRAMES}"):
        with_free_batch(model)


@pytest.mark.parametrize("shape", [(2, 24, 32), (3, 65, 127)])
def test_graph_of_maps_of_logits_has_a_free_batch(shape: tuple[int, int, int]) -> None:
    keys = map_features({}, shape[1:], shape[1:])
    logits = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    (got,) = cpu_session(feature_graph("logits", shape, keys, classes=False)).run(None, {"logits": logits})
    np.testing.assert_array_equal(got, OutputFeatures(torch.from_numpy(logits))[keys[0]].numpy())
