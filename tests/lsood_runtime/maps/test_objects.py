# SPDX-License-Identifier: Apache-2.0
"""Unknown objects of drawn maps against those that SciPy's image functions find, and against counting cell by cell."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from numpy.typing import NDArray
from scipy import ndimage

from lsood_runtime import UnknownObject
from lsood_runtime._maps import objects, road_distance
from lsood_runtime._maps.cell_classes import cell_classes
from lsood_runtime._maps.objects import MOST_OBJECTS, FoundObjects, describe_objects, objects_of
from lsood_runtime._tiles.frame_edges import TileEdges, even_edges
from lsood_runtime._tiles.region_words import name_region
from tests.lsood_runtime.maps.test_regions import HARD
from tests.lsood_runtime.tiles.test_frame_edges import contract_of, sides

LEVELS = st.sampled_from([-2.0, 0.0, 1.0, 1.5, 2.0, 3.5, 7.0])
SHAPES = drawn.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
EIGHT = np.ones((3, 3))


def whole_frame(rows: int, columns: int, height: int, width: int) -> TileEdges:
    return TileEdges(even_edges(rows, height), even_edges(columns, width), height, width)


@st.composite
def maps(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    shape = draw(SHAPES)
    values = draw(drawn.arrays(np.float32, shape, elements=LEVELS))
    return values, draw(drawn.arrays(np.uint8, shape, elements=st.integers(0, 4)))


@settings(deadline=None)
@given(drawn_map=maps(), smallest=st.integers(1, 4), down=sides(), across=sides())
def test_objects_are_those_of_scipy_wherever_the_network_looks(
    drawn_map: tuple[NDArray[np.float32], NDArray[np.uint8]], smallest: int, down: object, across: object
) -> None:
    values, classes = drawn_map
    edges = contract_of(down, across).tile_edges(*values.shape)  # type: ignore[arg-type]
    shown = np.outer(np.diff(edges.down), np.diff(edges.across))
    labels, count = ndimage.label((values > 1.25) & (shown > 0), EIGHT)
    numbers = [number for number in range(1, count + 1) if np.count_nonzero(labels == number) >= smallest]
    found = objects_of(values, 1.25, smallest, edges, classes)
    assert found.count == len(numbers)
    assert len(found.objects) == min(len(numbers), MOST_OBJECTS)
    by_peak = sorted(numbers, key=lambda number: -float(values[labels == number].max()))
    boxes = ndimage.find_objects(labels)
    for number, each in zip(by_peak, found.objects, strict=False):
        box_rows, box_columns = boxes[number - 1]
        assert each.y == edges.down[box_rows.start]
        assert each.x == edges.across[box_columns.start]
        assert each.y + each.height == pytest.approx(edges.down[box_rows.stop])
        assert each.x + each.width == pytest.approx(edges.across[box_columns.stop])
        assert each.peak == ndimage.maximum(values, labels, number)
        assert each.area == pytest.approx(shown[labels == number].sum() / (edges.height * edges.width))
        votes = Counter(classes[labels == number].tolist())
        assert each.class_id == min(votes, key=lambda name: (-votes[name], name))
        assert each.road_distance is None
        assert 0 <= each.x <= each.x + each.width <= edges.width * (1 + 1e-12)
        assert 0 < each.area <= 1 + 1e-12


@settings(deadline=None)
@given(drawn_map=maps(), rows_of_a_cell=st.sampled_from([1.0, 2.5, 4.0]), columns_of_a_cell=st.sampled_from([1.0, 3.0]))
def test_road_distances_are_those_of_scipys_distance_transform(
    drawn_map: tuple[NDArray[np.float32], NDArray[np.uint8]], rows_of_a_cell: float, columns_of_a_cell: float
) -> None:
    values, classes = drawn_map
    rows, columns = values.shape
    lengths = rows * rows_of_a_cell, columns * columns_of_a_cell
    edges = TileEdges(even_edges(rows, lengths[0]), even_edges(columns, lengths[1]), 100, 100)
    road = np.isin(classes, (0, 3))
    away = ndimage.distance_transform_edt(~road, sampling=(rows_of_a_cell, columns_of_a_cell))
    labels, _ = ndimage.label(values > 1.25, EIGHT)
    found = objects_of(values, 1.25, 1, edges, classes, (0, 3))
    for each in found.objects:
        row, column = (
            int(np.searchsorted(ends, start, side="right")) - 1
            for ends, start in ((edges.down, each.y), (edges.across, each.x))
        )
        box = labels[
            row : round(row + each.height / rows_of_a_cell), column : round(column + each.width / columns_of_a_cell)
        ]
        alike = [
            number
            for number in np.unique(box[box > 0])
            if values[labels == number].max() == each.peak
            and (labels == number).sum() * rows_of_a_cell * columns_of_a_cell / 1e4 == pytest.approx(each.area)
        ]
        distances = {round(float(away[labels == number].min()), 9) if road.any() else math.inf for number in alike}
        assert round(each.road_distance, 9) in distances  # type: ignore[arg-type]


@settings(deadline=None)
@given(drawn_map=maps(), smallest=st.integers(1, 3), down=sides(), across=sides())
def test_objects_of_the_road_are_those_whose_grown_region_meets_it(
    drawn_map: tuple[NDArray[np.float32], NDArray[np.uint8]], smallest: int, down: object, across: object
) -> None:
    values, classes = drawn_map
    edges = contract_of(down, across).tile_edges(*values.shape)  # type: ignore[arg-type]
    shown = np.outer(np.diff(edges.down), np.diff(edges.across)) > 0
    road = np.isin(classes, (0, 3)) & shown
    labels, count = ndimage.label((values > 1.25) & shown, EIGHT)
    regions = [labels == number for number in range(1, count + 1)]
    met = [
        region
        for region in regions
        if region.sum() >= smallest and (ndimage.binary_dilation(region, EIGHT) & road).any()
    ]
    found = objects_of(values, 1.25, smallest, edges, classes, (0, 3), only_road=True)
    everywhere = objects_of(values, 1.25, smallest, edges, classes, (0, 3))
    if not road.any():
        assert (found.objects, found.count) == ((), None)
        assert describe_objects(found) == "unknown, no road in sight"
        return
    assert found.count == len(met)
    assert [each.peak for each in found.objects] == sorted((values[region].max() for region in met), reverse=True)
    assert set(found.objects) <= set(everywhere.objects)
    assert describe_objects(found).startswith(f"{len(met) or 'none'} on or beside the road")


def test_object_on_the_road_is_told_however_many_stronger_ones_are_elsewhere() -> None:
    values, classes = np.zeros((20, 40), np.float32), np.ones((20, 40), np.uint8)
    values[:12:2, ::2] = 9
    values[17, 5], classes[18:] = 2, 0
    edges = whole_frame(20, 40, 200, 400)
    assert objects_of(values, 1, 1, edges, classes, (0,)).count == 121
    found = objects_of(values, 1, 1, edges, classes, (0,), only_road=True)
    assert [(each.x, each.y, each.peak, each.road_distance) for each in found.objects] == [(50, 170, 2, 10)]


@pytest.mark.parametrize("only_road", [False, True])
@pytest.mark.parametrize("shape", HARD)
def test_objects_of_the_hardest_maps_take_bounded_work(
    shape: str, only_road: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask, cells, placed = HARD[shape][:64, :128], [], []
    nearest = road_distance._nearest_in_columns

    def counted(road: NDArray[np.bool_], places: NDArray[np.float64]) -> NDArray[np.float64]:
        cells.append(road.size)
        return nearest(road, places)

    def counted_name(tiles: NDArray[np.bool_]) -> str:
        placed.append(tiles)
        return name_region(tiles)

    monkeypatch.setattr(road_distance, "_nearest_in_columns", counted)
    monkeypatch.setattr(objects, "name_region", counted_name)
    classes = np.ones(mask.shape, np.uint8)
    classes[0, 0] = classes[63, 127] = 0
    values = np.where(mask, 9, 0).astype(np.float32)
    found = objects_of(values, 1, 1, whole_frame(64, 128, 640, 1280), classes, (0,), only_road=only_road)
    labels, count = ndimage.label(mask, EIGHT)
    met = set(labels[ndimage.binary_dilation(classes == 0, EIGHT)].tolist()) - {0}
    assert found.count == (len(met) if only_road else count)
    assert len(placed) == len(found.objects) <= MOST_OBJECTS
    assert sum(cells) <= (len(found.objects) + 1) * mask.size, "each object that is told looks at the map once"


def test_objects_beyond_the_most_that_are_told_are_counted() -> None:
    values = np.zeros((20, 40), np.float32)
    values[::2, ::2] = np.random.default_rng(0).permutation(200).reshape(10, 20) + 1.0
    found = objects_of(values, 0.5, 1, whole_frame(20, 40, 200, 400))
    assert found.count == 200
    assert [each.peak for each in found.objects] == [200.0 - i for i in range(MOST_OBJECTS)]


def test_object_is_found_in_pixels_of_the_frame_with_class_and_way_to_the_road() -> None:
    values, classes = np.zeros((4, 8), np.float32), np.zeros((4, 8), np.uint8)
    values[2, 1:3], classes[3] = (5, 9), 7
    found = objects_of(values, 4, 2, whole_frame(4, 8, 256, 512), classes, (7,))
    assert found == FoundObjects(
        (UnknownObject(64, 128, 128, 64, 2 / 32, 9, 0, 64.0, "part of the lower left quarter"),), 1
    )
    assert objects_of(values, 4, 3, whole_frame(4, 8, 256, 512)) == FoundObjects()


def test_object_without_a_road_in_sight_is_told_as_json_can_hold_it() -> None:
    values, classes = np.full((2, 2), 3, np.float32), np.zeros((2, 2), np.uint8)
    each = objects_of(values, 1, 1, whole_frame(2, 2, 20, 40), classes, (1,)).objects[0]
    assert each.road_distance == math.inf
    assert json.loads(json.dumps(each.asdict(), allow_nan=False)) == {
        "x": 0, "y": 0, "width": 40, "height": 20, "area": 1, "peak": 3, "class_id": 0, "road_distance": None,
        "where": "whole picture",
    }  # fmt: skip


def test_cells_in_the_padding_belong_to_no_object() -> None:
    edges = TileEdges(np.array([0.0, 10, 20, 20]), np.array([0.0, 10, 10]), 20, 10)
    found = objects_of(np.full((3, 2), 9, np.float32), 1, 1, edges)
    assert [(each.x, each.y, each.width, each.height, each.area) for each in found.objects] == [(0, 0, 10, 20, 1)]
    assert objects_of(np.full((3, 2), 9, np.float32), 1, 3, edges) == FoundObjects()


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), stride=st.integers(1, 8), kinds=st.integers(1, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_cell_classes_are_those_of_the_pixels_at_every_stride(
    height: int, width: int, stride: int, kinds: int, seed: int
) -> None:
    logits = np.random.default_rng(seed).standard_normal((kinds, height, width)).astype(np.float32)
    classes = logits.argmax(axis=0) if kinds > 1 else (logits[0] > 0).astype(int)
    cells = classes[::stride, ::stride]
    if -(-height // len(cells)) != stride or -(-width // cells.shape[1]) != stride:
        return  # another stride gives as many cells
    np.testing.assert_array_equal(cell_classes(logits, *cells.shape), cells)
    np.testing.assert_array_equal(cell_classes(classes.astype(np.uint8), *cells.shape), cells)


@pytest.mark.parametrize(
    ("where", "count", "words"),
    [
        ("centre", 1, "1, with a peak of 4.0, in the centre"),
        ("row 2 of 4", 1, "1, with a peak of 4.0, in row 2 of 4"),
        ("part of the left half", 5, "5, the clearest (4.0) in part of the left half"),
        ("whole picture", 2, "2, the clearest (4.0) in the whole picture"),
    ],
)
def test_described_objects_are_counted_and_the_clearest_is_placed(where: str, count: int, words: str) -> None:
    each = UnknownObject(0, 0, 1, 1, 0.5, 4.0, None, None, where)
    assert describe_objects(FoundObjects((each,), count)) == words
    assert describe_objects(FoundObjects()) == "none"
