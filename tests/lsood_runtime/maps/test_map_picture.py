# SPDX-License-Identifier: Apache-2.0
"""Pictures of anomaly maps against a slow drawing, pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime._maps.map_picture import BOX, MapPictures, draw_scale
from lsood_runtime._maps.objects import objects_of
from lsood_runtime._tiles.frame_edges import TileEdges, even_edges
from tests.lsood_runtime.tiles.test_frame_edges import Side, contract_of, sides


def slow_picture(
    image: NDArray[np.uint8], values: NDArray[np.float32], edges: TileEdges, limit: float
) -> NDArray[np.float64]:
    """The picture without boxes, by the description: clear up to half of the limit, orange at it, purple at twice it."""
    drawn = image.astype(np.float64)
    yellow, orange, purple = np.array([255.0, 240, 60]), np.array([240.0, 130, 0]), np.array([190.0, 0, 90])
    for y, x in np.ndindex(image.shape[:2]):
        down, across = (y + 0.5) * edges.height / image.shape[0], (x + 0.5) * edges.width / image.shape[1]
        for row, column in np.ndindex(values.shape):
            if not (edges.down[row] <= down < edges.down[row + 1]):
                continue
            if not (edges.across[column] <= across < edges.across[column + 1]):
                continue
            share = min(max(float(values[row, column]) / limit, 0.5), 2)
            if share <= 1:
                part = 2 * share - 1
                colour, opacity = yellow + (orange - yellow) * part, 0.45 * part
            else:
                colour, opacity = orange + (purple - orange) * (share - 1), 0.45 + 0.3 * (share - 1)
            drawn[y, x] += opacity * (colour - drawn[y, x])
    return drawn


@settings(deadline=None, max_examples=40)
@given(down=sides(), across=sides(), seed=st.integers(0, 99), limit=st.sampled_from([0.5, 1.0, 3.0]))
def test_pictures_of_maps_are_coloured_where_the_network_looks(
    down: Side, across: Side, seed: int, limit: float
) -> None:
    random = np.random.default_rng(seed)
    edges = contract_of(down, across).tile_edges(3, 4)
    image = random.integers(0, 256, (6, 9, 3), np.uint8)
    before, values = image.copy(), random.normal(2, 4, (3, 4)).astype(np.float32)
    drawn = MapPictures(edges, limit).draw(image, values)
    np.testing.assert_array_equal(image, before)
    assert drawn.dtype == np.uint8
    assert np.abs(drawn - slow_picture(image, values, edges, limit)).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("width", [1, 7, 40])
def test_scale_has_the_colours_of_a_map_from_zero_to_twice_its_limit(width: int) -> None:
    values = 3 * (np.arange(width, dtype=np.float32) + 0.5) * np.float32(2 / width)
    edges = TileEdges(even_edges(1, 5), even_edges(width, width), 5, width)
    scale = draw_scale(5, width)
    assert scale.shape == (5, width, 3)
    grey = np.full_like(scale, scale[0, 0, 0] if width > 1 else 160)
    assert np.abs(scale - slow_picture(grey, values[None], edges, 3)).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("scale", [1, 2])
def test_box_of_an_object_is_drawn_around_its_cells(scale: int) -> None:
    edges = TileEdges(even_edges(5, 20), even_edges(8, 32), 20, 32)
    values = np.zeros((5, 8), np.float32)
    values[1:3, 2:5] = 9
    image = np.full((20 * scale, 32 * scale, 3), 80, np.uint8)
    drawn = MapPictures(edges, 5).draw(image, values, objects_of(values, 5, 1, edges).objects)
    boxed = (drawn == BOX).all(axis=-1)
    expected = np.zeros_like(boxed)
    top, bottom, left, right = (edge * scale for edge in (4, 12, 8, 20))
    expected[top - 1 : bottom + 1, left - 1 : right + 1] = True
    expected[top:bottom, left:right] = False
    np.testing.assert_array_equal(boxed, expected)


def test_box_at_the_edges_of_the_picture_stays_within_it() -> None:
    edges = TileEdges(even_edges(3, 30), even_edges(3, 30), 30, 30)
    values = np.full((3, 3), 9, np.float32)
    drawn = MapPictures(edges, 5).draw(np.zeros((30, 30, 3), np.uint8), values, objects_of(values, 5, 1, edges).objects)
    boxed = (drawn == BOX).all(axis=-1)
    frame = np.ones((30, 30), bool)
    frame[1:-1, 1:-1] = False
    np.testing.assert_array_equal(boxed, frame)
