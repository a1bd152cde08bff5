# SPDX-License-Identifier: Apache-2.0
"""The graph of a fitted anomaly map against its NumPy form, and what it makes of NaN, infinity and batches."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from export.answers.maps import FittedMap, MapHead
from export.answers.pixel_scores import HEAD, OUTPUT_PIXEL_SCORES
from export.features.key import FeatureKey
from export.graphs.anomaly_map import add_anomaly_map
from export.graphs.detector import IR_VERSION, OPSET
from export.graphs.node_list import NodeList
from tests.cuda.kernels import KernelTable, off_cuda

Rows = dict[FeatureKey, NDArray[np.float32]]
EVERY_SCORE = (*OUTPUT_PIXEL_SCORES, HEAD)


def draw_map(
    seed: int, names: tuple[str, ...], classes: int, grid: tuple[int, int], smoothing: int, layers: int = 2
) -> FittedMap:
    """A map of drawn weights, whose head reads layers on coarser grids of their own."""
    rng = np.random.default_rng(seed)
    keys = [FeatureKey.feature_map(f"layer{i}", -(-grid[0] // 2**i), -(-grid[1] // 2**i)) for i in range(layers)]
    head = MapHead(rng.normal(size=classes), {key: rng.normal(size=5 + i) for i, key in enumerate(keys)}, 0.3)
    return FittedMap(
        key=FeatureKey.logit_map(*grid),
        slopes={name: float(rng.normal()) for name in names},
        offset=0.7,
        smoothing=smoothing,
        class_centre=rng.normal(2, 1, classes),
        class_scale=rng.uniform(0.5, 2, classes),
        head=head if HEAD in names else None,
    )


def widths_of(fitted: FittedMap) -> dict[FeatureKey, int]:
    channels = {fitted.key: len(fitted.class_centre)}
    if fitted.head is not None:
        channels |= {key: len(weights) for key, weights in fitted.head.layers.items()}
    return {key: count * int(np.prod(key.grid or ())) for key, count in channels.items()}


def draw_values(fitted: FittedMap, frames: int, seed: int, factor: float = 4.0) -> Rows:
    """Logits of smooth regions of one class, so that there are boundaries and an inside, and layers of noise."""
    rng = np.random.default_rng(seed)
    found: Rows = {}
    for key, width in widths_of(fitted).items():
        rows, columns = key.grid or (1, 1)
        coarse = rng.normal(0, factor, (frames, width // (rows * columns), -(-rows // 5), -(-columns // 5)))
        maps = coarse.repeat(5, axis=2).repeat(5, axis=3)[:, :, :rows, :columns]
        found[key] = (maps + rng.normal(size=maps.shape)).reshape(frames, -1).astype(np.float32)
    return found


def map_model(fitted: FittedMap) -> ModelProto:
    graph, widths = NodeList(), widths_of(fitted)
    add_anomaly_map(graph, fitted, widths)
    inputs = [helper.make_tensor_value_info(str(key), TensorProto.FLOAT, ["batch", widths[key]]) for key in fitted.keys]
    output = helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["batch", *fitted.grid])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "map", inputs, [output], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def run_map(model: ModelProto, fitted: FittedMap, values: Rows) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.run(["anomaly_map"], {str(key): values[key] for key in fitted.keys})
    result: NDArray[np.float32] = given
    return result


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    names=st.lists(st.sampled_from(EVERY_SCORE), min_size=1, unique=True).map(tuple),
    classes=st.sampled_from([2, 3, 19]),
    grid=st.tuples(st.integers(4, 21), st.integers(4, 33)),
    smoothing=st.sampled_from([1, 3, 7]),
    factor=st.sampled_from([0.5, 4.0, 30.0]),
)
def test_graph_of_drawn_maps_equals_the_numpy_form(
    seed: int, names: tuple[str, ...], classes: int, grid: tuple[int, int], smoothing: int, factor: float
) -> None:
    fitted = draw_map(seed, names, classes, grid, smoothing)
    values = draw_values(fitted, 3, seed ^ 1, factor)
    got, expected = run_map(map_model(fitted), fitted, values), fitted.anomaly_map(values)
    assert got.shape == (3, *grid)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * float(np.abs(expected).max()))


@pytest.mark.parametrize("grid", [(64, 128), (37, 61)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_frame_gets_the_bits_in_a_batch_that_it_gets_alone(grid: tuple[int, int], threads: int) -> None:
    fitted = draw_map(0, EVERY_SCORE, 19, grid, 5)
    values, options = draw_values(fitted, 5, 1), ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(map_model(fitted).SerializeToString(), options, providers=["CPUExecutionProvider"])
    (together,) = session.run(None, {str(key): rows for key, rows in values.items()})
    for i in range(5):
        (alone,) = session.run(None, {str(key): rows[i : i + 1] for key, rows in values.items()})
        np.testing.assert_array_equal(alone[0], together[i])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", EVERY_SCORE)
def test_number_that_is_not_finite_makes_its_cell_none_and_leaves_other_frames_alone(name: str, value: float) -> None:
    fitted = draw_map(3, (name,), 4, (8, 9), 3)
    values, model = draw_values(fitted, 3, 4), map_model(fitted)
    before = run_map(model, fitted, values)
    for key in fitted.keys:
        broken = {each: rows.copy() for each, rows in values.items()}
        broken[key][1, 0] = value  # of the first class, or channel, in the upper left cell
        after = run_map(model, fitted, broken)
        if not (
            value == -np.inf and key == fitted.key and name != HEAD
        ):  # a class that is impossible is none that is NaN
            assert not np.isfinite(after[1, 0, 0])
        np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])


def test_every_node_of_a_map_has_a_cuda_kernel() -> None:
    assert off_cuda(map_model(draw_map(0, EVERY_SCORE, 5, (8, 16), 5)), KernelTable.read()) == []
