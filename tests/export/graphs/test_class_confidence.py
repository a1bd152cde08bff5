# SPDX-License-Identifier: Apache-2.0
"""The graph of the confidence of classes against its NumPy form, and what it makes of NaN and of batches."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from export.answers.confidence import class_confidence
from export.answers.maps import FittedMap, as_maps
from export.answers.pixel_scores import ENERGY, LOGIT
from export.graphs.anomaly_map import add_anomaly_map
from export.graphs.class_confidence import add_class_confidence
from export.graphs.detector import IR_VERSION, OPSET
from export.graphs.node_list import NodeList
from tests.cuda.kernels import KernelTable, off_cuda
from tests.export.graphs.test_anomaly_map import draw_map, draw_values, widths_of


def confidence_model(fitted: FittedMap, temperature: float) -> ModelProto:
    """Logits to the map and the confidence of its classes."""
    graph, widths = NodeList(), widths_of(fitted)
    add_class_confidence(graph, add_anomaly_map(graph, fitted, widths), temperature)
    rows = helper.make_tensor_value_info(str(fitted.key), TensorProto.FLOAT, ["batch", widths[fitted.key]])
    outputs = [
        helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["batch", *fitted.grid]),
        helper.make_tensor_value_info("class_confidence", TensorProto.DOUBLE, ["batch", 2, len(fitted.class_centre)]),
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "map", [rows], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def told_by(model: ModelProto, rows: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    told: NDArray[np.float64] = session.run(["class_confidence"], {session.get_inputs()[0].name: rows})[0]
    return told


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from([ENERGY, LOGIT]),
    classes=st.sampled_from([2, 3, 19]),
    grid=st.tuples(st.integers(4, 21), st.integers(4, 33)),
    temperature=st.floats(0.05, 20),
)
def test_graph_of_drawn_logits_equals_the_numpy_form(
    seed: int, name: str, classes: int, grid: tuple[int, int], temperature: float
) -> None:
    fitted = draw_map(seed, (name,), classes, grid, 1)
    rows = draw_values(fitted, 3, seed ^ 1)[fitted.key]
    got = told_by(confidence_model(fitted, temperature), rows)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, class_confidence(as_maps(rows, fitted.key), temperature), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 7, 19])
@pytest.mark.parametrize("grid", [(64, 128), (37, 61)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_frame_gets_the_bits_in_a_batch_that_it_gets_alone(grid: tuple[int, int], threads: int, classes: int) -> None:
    fitted = draw_map(0, (ENERGY,), classes, grid, 1)
    rows, model = draw_values(fitted, 5, 1)[fitted.key], confidence_model(fitted, 1.3)
    together = told_by(model, rows, threads)
    for i in range(5):
        np.testing.assert_array_equal(told_by(model, rows[i : i + 1], threads)[0], together[i])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_number_that_is_not_finite_makes_its_frame_unknown_and_leaves_others_alone(value: float) -> None:
    fitted = draw_map(3, (ENERGY,), 4, (8, 9), 1)
    rows, model = draw_values(fitted, 3, 4)[fitted.key], confidence_model(fitted, 1.3)
    before = told_by(model, rows)
    rows[1, 5] = value
    after = told_by(model, rows)
    assert not np.isfinite(after[1, 1]).any()
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])


def test_every_node_of_the_confidence_has_a_cuda_kernel() -> None:
    assert off_cuda(confidence_model(draw_map(0, (ENERGY,), 5, (8, 16), 5), 1.3), KernelTable.read()) == []
