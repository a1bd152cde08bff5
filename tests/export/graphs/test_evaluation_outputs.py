# SPDX-License-Identifier: Apache-2.0
"""The vehicle's graph is cut out of the one with every feature."""

import numpy as np
import onnx.parser
import pytest
from numpy.typing import NDArray
from onnx import ModelProto

from export.features.key import OUTPUT_FEATURES, PICTURE, PICTURE_SPREAD, FeatureKey
from export.graphs.evaluation_outputs import (
    evaluation_features,
    map_features,
    output_shapes,
    tile_features,
    vehicle_graph,
)
from export.graphs.monitor_forms import cpu_session


def evaluation_graph(*, segmented: bool = True) -> ModelProto:
    """Two rows of three numbers to a class, if it is asked for, and three features, one with a constant of its own."""
    segmentation = "uint8[batch] segmentation, " if segmented else ""
    step = "index = ArgMax<axis = 1, keepdims = 0>(first) segmentation = Cast<to = 2>(index)" if segmented else ""
    return onnx.parser.parse_model(f"""
        <ir_version: 10, opset_import: ["" : 20]>
        all (float[batch, 2, 3] frame) => ({segmentation}float[batch, 3] first, float[batch, 3] doubled, float[batch, 2] mean)
        <int64[1] row = {{1}}, float two = {{2.0}}, int64[1] columns = {{2}}>
        {{
            first = ReduceMax<keepdims = 0>(frame, row)
            doubled = Mul(first, two)
            mean = ReduceMean<keepdims = 0>(frame, columns)
            {step}
        }}""")


def frames() -> NDArray[np.float32]:
    drawn: NDArray[np.float32] = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    return drawn


def test_vehicle_graph_gives_the_segmentation_first_and_features_in_the_detectors_order() -> None:
    graph = vehicle_graph(evaluation_graph(), ["mean", "doubled"])
    assert list(output_shapes(graph)) == ["segmentation", "mean", "doubled"]
    assert output_shapes(graph) == {"segmentation": (), "mean": (2,), "doubled": (3,)}
    got = cpu_session(graph).run(None, {"frame": frames()})
    for value, right in zip(got, (frames().max(1).argmax(1), frames().mean(2), 2 * frames().max(1)), strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-6)


def test_vehicle_graph_of_one_feature_has_no_node_and_no_constant_of_the_others() -> None:
    graph = vehicle_graph(evaluation_graph(), ["mean"]).graph
    assert {node.op_type for node in graph.node} == {"ReduceMean", "ReduceMax", "ArgMax", "Cast"}
    assert {tensor.name for tensor in graph.initializer} == {"row", "columns"}


def test_vehicle_graph_without_a_segmentation_gives_features_alone() -> None:
    graph = vehicle_graph(evaluation_graph(segmented=False), ["first"])
    assert list(output_shapes(graph)) == ["first"]
    assert [node.op_type for node in graph.graph.node] == ["ReduceMax"]


def test_vehicle_graph_of_a_feature_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="third"):
        vehicle_graph(evaluation_graph(), ["first", "third"])


def test_evaluation_features_without_a_segmentation_are_those_of_layers_and_of_the_picture() -> None:
    without = (FeatureKey.entropy(), FeatureKey.moments("tap"), FeatureKey.moments("a/b"), PICTURE, PICTURE_SPREAD)
    assert evaluation_features(["tap", "a/b"], segmented=False) == without
    assert evaluation_features(["tap", "a/b"], segmented=True) == (*without, *OUTPUT_FEATURES)


@pytest.mark.parametrize(
    ("maps", "names"),
    [
        ({"fine": (24, 48), "coarse": (11, 24)}, ["tiles/fine/4x8", "picture_tiles/4x8"]),
        ({"coarse": (9, 13)}, ["tiles/coarse/3x4", "picture_tiles/3x4"]),
        ({"coarse": (2, 13)}, []),
        ({}, []),
    ],
)
def test_tiles_of_the_picture_are_those_of_the_layers(maps: dict[str, tuple[int, int]], names: list[str]) -> None:
    assert [str(key) for key in tile_features(maps, 4, 8)] == names


@pytest.mark.parametrize(
    ("logits", "seen", "grid"),
    [
        ((256, 512), (256, 512), (64, 128)),  # an output as fine as the picture
        ((128, 256), (256, 512), (64, 128)),  # half of it
        ((64, 128), (256, 512), (64, 128)),
        ((32, 64), (256, 512), (32, 64)),
        ((8, 16), (256, 512), (8, 16)),  # stride 32
        ((257, 511), (257, 511), (65, 128)),
        ((86, 171), (257, 511), (86, 171)),  # a third
        ((111, 159), (224, 320), (56, 80)),  # a little less than half of it: every second row and column of the output
        ((223, 319), (224, 320), (56, 80)),
        ((55, 79), (224, 320), (55, 79)),
        ((3, 6), (96, 192), None),
        ((12, 512), (12, 512), None),
    ],
)
def test_map_of_logits_has_a_cell_at_every_fourth_row_and_column_of_the_picture_or_all_of_a_coarser_output(
    logits: tuple[int, int], seen: tuple[int, int], grid: tuple[int, int] | None
) -> None:
    keys = map_features({}, logits, seen)
    assert [key.grid for key in keys] == ([] if grid is None else [grid])


def test_maps_of_layers_are_those_of_strides_from_8_to_32_without_their_padding() -> None:
    layers = {f"stride{stride}": (96 // stride, 192 // stride) for stride in (2, 4, 8, 16, 32, 96)}
    assert [str(key) for key in map_features(layers, (96, 192), (96, 192))[1:]] == [
        "feature_map/stride8/12x24",
        "feature_map/stride16/6x12",
        "feature_map/stride32/3x6",
    ]
    padded = map_features(layers, (60, 192), (60, 192), (36, 0))
    assert [key.grid for key in padded] == [
        (15, 48),
        (8, 24),
        (4, 12),
        (2, 6),
    ]  # of 60 of 96 rows, those that begin there
