# SPDX-License-Identifier: Apache-2.0
"""Tiles of single frames that are black, saturated or of one colour, and the sky, night and bars that are not faulty."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.data import SyntheticRoads
from lsood_runtime import TileCheck
from lsood_runtime._inference.blank_tiles import BlankTiles, blank_words
from lsood_runtime._inference.camera_faults import (
    BLACK,
    FAULTS,
    ONE_COLOUR,
    SATURATED,
    SampledRows,
    camera_fault,
)
from lsood_runtime._tiles.grid import TileGrid

Pixels = NDArray[np.uint8]
GRID = TileCheck().grid
ROWS, COLUMNS = 4, 8
KINDS = {0: BLACK, 128: ONE_COLOUR, 255: SATURATED}
HALVES = {
    "upper": (slice(0, 2), slice(None)),
    "lower": (slice(2, 4), slice(None)),
    "left": (slice(None), slice(0, 4)),
    "right": (slice(None), slice(4, 8)),
}


def found(frame: Pixels, known: list[Pixels] | None = None, grid: TileGrid = GRID) -> NDArray[np.int8]:
    """The kind of each tile."""
    kinds = BlankTiles(grid, [] if known is None else known).find(frame[None], SampledRows.of(frame[None]))
    assert kinds is not None
    return kinds


def road(seed: int, height: int = 240, width: int = 320) -> Pixels:
    """A drawn road by day, with the noise of a sensor."""
    drawn = SyntheticRoads(1, height, width, seed=seed)[0][0]
    noise = np.random.default_rng(seed).normal(0, 1.5, drawn.shape)
    return np.clip(np.round(np.clip(drawn, 12, 243) + noise), 9, 246).astype(np.uint8)


def pixels_of(shape: tuple[int, ...], tiles: tuple[slice, slice]) -> tuple[slice, slice]:
    """The pixels of rows and columns of tiles."""
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[tiles] = True
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(down[0] * shape[0] // ROWS, (down[-1] + 1) * shape[0] // ROWS),
        slice(across[0] * shape[1] // COLUMNS, (across[-1] + 1) * shape[1] // COLUMNS),
    )


def coded(frame: Pixels, quality: int) -> Pixels:
    """The frame through JPEG."""
    code = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    level=st.integers(0, 255),
    other_share=st.sampled_from([0.0, 0.004, 0.02, 0.1]),
    rows=st.integers(1, 5),
    columns=st.integers(1, 9),
    height=st.integers(48, 300),
    width=st.integers(80, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_tile_is_blank_by_the_rule_of_the_whole_frame(
    level: int, other_share: float, rows: int, columns: int, height: int, width: int, seed: int
) -> None:
    """A tile of a frame and a frame that holds the tile alone: cut out by hand, from the rows that are looked at."""
    rng = np.random.default_rng(seed)
    frame = rng.integers(30, 220, (height, width, 3), dtype=np.uint8)
    row, column = int(rng.integers(rows)), int(rng.integers(columns))
    down = slice(row * height // rows, (row + 1) * height // rows)
    across = slice(column * width // columns, (column + 1) * width // columns)
    tile = np.full(frame[down, across].shape, level, np.uint8)
    other = rng.random(tile.shape) < other_share
    tile[other] = (level + 128) % 256
    frame[down, across] = tile
    blank = BlankTiles(TileGrid(rows, columns))._kinds(SampledRows.of(frame[None]), frame[None])
    step = max(1, height // 64)
    looked_at = [y for y in range(0, height, step) if down.start <= y < down.stop]
    alone = camera_fault(frame[looked_at, across][None])
    assert FAULTS.get(int(blank[row, column])) == (None if alone is None else alone.split(":")[0])


@pytest.mark.parametrize("quality", [None, 90])
@pytest.mark.parametrize("level", KINDS)
@pytest.mark.parametrize("half", HALVES)
def test_dead_half_of_a_picture_is_found_where_it_is(half: str, level: int, quality: int | None) -> None:
    for seed in range(4):
        frame = road(seed)
        frame[pixels_of(frame.shape, HALVES[half])] = level
        kinds = found(frame if quality is None else coded(frame, quality))
        expected = np.zeros((ROWS, COLUMNS), np.int8)
        expected[HALVES[half]] = KINDS[level]
        if quality is None:
            np.testing.assert_array_equal(kinds, expected)
            assert blank_words(kinds) == f"{FAULTS[KINDS[level]]}: {half} half (16 of 32 tiles)"
        else:  # what lies beside the border has the ripples of JPEG
            assert not kinds[expected == 0].any()
            assert np.count_nonzero(kinds) >= 8, "a quarter of the picture, which is the default share"


@pytest.mark.parametrize("seed", range(12))
def test_drawn_road_by_day_has_no_faulty_tile(seed: int) -> None:
    assert not found(road(seed)).any()


def skyline(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """Where the sky is: above roofs and trees of different heights, down to near the middle."""
    edges = np.repeat(rng.uniform(0.3, 0.6, 16), -(-width // 16))[:width] + rng.normal(0, 0.01, width)
    return np.asarray(np.arange(height)[:, None] < height * edges)


@settings(max_examples=40, deadline=None)
@given(
    level=st.sampled_from([0, 3, 235, 250, 255]),
    quality=st.sampled_from([None, 30, 75, 95]),
    seed=st.integers(0, 2**32 - 1),
)
def test_clipped_sky_of_any_level_is_not_faulty(level: int, quality: int | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = road(seed % 5)
    frame[skyline(rng, *frame.shape[:2])] = level
    shown = frame if quality is None else coded(frame, quality)
    assert not found(shown).any()


@settings(max_examples=40, deadline=None)
@given(black_level=st.integers(0, 40), lamps=st.integers(0, 6), seed=st.integers(0, 2**32 - 1))
def test_night_beside_a_lit_road_is_not_faulty(black_level: int, lamps: int, seed: int) -> None:
    """Black sky, black sides and a black bonnet around what the headlights show, and some lamps."""
    rng = np.random.default_rng(seed)
    height, width = 240, 320
    y, x = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    light = np.exp(-(((x - 0.5) / 0.25) ** 2) - ((y - 0.75) / 0.2) ** 2) * 90
    for _ in range(lamps):
        light += 255 * np.exp(-((x - rng.random()) ** 2 + (y - rng.uniform(0.1, 0.5)) ** 2) / 0.0005)
    frame = (
        light[..., None] * rng.uniform(0.8, 1.2, (height, width, 1))
        - black_level
        + rng.normal(0, 1, (height, width, 3))
    )
    assert not found(np.clip(np.round(frame), 0, 255).astype(np.uint8)).any()


def test_dead_half_by_night_is_found_where_a_straight_line_cuts_it_off() -> None:
    """And only there: black beside black cannot be told."""
    rng = np.random.default_rng(0)
    frame = rng.integers(12, 36, (240, 320, 3), dtype=np.uint8)
    for half, tiles in HALVES.items():
        dead = frame.copy()
        dead[pixels_of(frame.shape, tiles)] = 0
        assert blank_words(found(dead)) == f"black: {half} half (16 of 32 tiles)"
    patch = frame.copy()
    patch[60:180, 80:240] = 0
    assert not found(patch).any(), "no complete rows or columns: it may be night"


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0.13, 0.4), upright=st.booleans(), seed=st.integers(0, 100))
def test_bars_of_the_known_frames_are_not_faulty(share: float, upright: bool, seed: int) -> None:
    """Letterbox and pillarbox, and the dead half beside them that is found all the same."""

    def barred(own_seed: int) -> Pixels:
        frame = road(own_seed)
        size = frame.shape[upright]
        for bar in (slice(0, int(share * size)), slice(size - int(share * size), size)):
            frame[(slice(None), bar) if upright else bar] = 0
        return frame

    known = [barred(seed), barred(seed + 1)]
    assert not found(barred(seed + 2), known).any()
    dead = barred(seed + 2)
    dead[pixels_of(dead.shape, HALVES["left"])] = 128
    assert (found(dead, known) == ONE_COLOUR).any()


def test_tile_that_is_blank_in_one_known_frame_alone_is_faulty() -> None:
    dead = road(0)
    dead[pixels_of(dead.shape, HALVES["left"])] = 128
    assert found(dead, [road(1), dead]).any()
    assert not found(dead, [dead]).any()


def test_frame_too_small_for_tiles_is_not_looked_at_tile_by_tile() -> None:
    tiles = BlankTiles(GRID)
    for shape, fits in (((32, 64), True), ((31, 64), False), ((32, 63), False), ((6, 8), False)):
        frame = np.zeros((1, *shape, 3), np.uint8)
        assert (tiles.find(frame, SampledRows.of(frame)) is not None) == fits
