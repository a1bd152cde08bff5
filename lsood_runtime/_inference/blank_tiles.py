# SPDX-License-Identifier: Apache-2.0
"""Find the tiles of a raw frame in which no working camera sends a picture, and tell them from sky and night."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._inference.arrays import Frame
from lsood_runtime._inference.camera_faults import (
    ALIKE,
    BLACK,
    BRIGHT,
    DARK,
    FAULTS,
    NEITHER,
    ONE_COLOUR,
    SATURATED,
    SampledRows,
    blank_regions,
)
from lsood_runtime._tiles.grid import TileGrid, TileMask
from lsood_runtime._tiles.region_words import describe_tiles

_NIGHT, _WHITE = 40, 192
"""Levels: black tiles may be night where the median of those with a picture is below the first; a sky of one colour is below
the first, or at least at the second."""

_CUT_SHARE, _CUT_PARTS, _LEAST_CUT, _STRIDE = 0.5, 64, 3, 4


class BlankTiles:
    """Looks at single frames tile by tile: black, saturated or of one colour, by the rule of the whole frame.

    Three things that a working camera shows do not count: tiles that are blank in every known frame, such as bars and the
    corners of a fisheye; sky, a run of black or nearly white tiles from the top of a column that does not reach the bottom;
    and night, black tiles where those with a picture are dark. Blank rows or columns from an edge count all the same where a
    straight line across the picture cuts them off: a skyline is no such line.

    Args:
        grid: the tiles.
        known: frames of a working camera, ``(N, H, W, 3)``.
    """

    def __init__(self, grid: TileGrid, known: Iterable[NDArray[np.uint8]] = ()) -> None:
        self._grid, self._usual = grid, grid.no_tiles()
        kinds = [self._kinds(SampledRows.of(frame), frame) for frame in known]
        if kinds:
            self._usual = np.all([each != NEITHER for each in kinds], axis=0)

    def find(self, frame: Frame, sampled: SampledRows) -> NDArray[np.int8] | None:
        """The blank tiles that count, as :func:`~lsood_runtime._inference.camera_faults.blank_regions` names them.

        Args:
            frame: ``(1, H, W, 3)``.
            sampled: its rows.

        Returns:
            ``(rows, columns)``; None for a frame of fewer than 8 x 8 pixels a tile.
        """
        if not self._grid.fits(*frame.shape[-3:-1]):
            return None
        kinds = self._kinds(sampled, frame)
        kinds[self._usual] = NEITHER
        blank = kinds != NEITHER
        if blank.any():
            run = np.logical_and.accumulate(blank, axis=0)
            scene = run & ~run[-1] & self._like_sky(kinds, sampled, frame)
            if (kinds == BLACK).any() and self._is_dark(sampled, frame, ~blank & ~self._usual):
                scene |= kinds == BLACK
            if scene.any():
                scene &= ~_cut_off(frame[-1], kinds, self._grid)
            kinds[scene] = NEITHER
        return kinds

    def _kinds(self, sampled: SampledRows, frame: Frame) -> NDArray[np.int8]:
        if not self._grid.fits(*frame.shape[-3:-1]):
            return np.zeros(self._usual.shape, np.int8)
        return blank_regions(sampled.values, *self._edges(sampled, frame))

    def _edges(self, sampled: SampledRows, frame: Frame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first sampled row, and the first value in a row, of each row and column of tiles."""
        height, width = frame.shape[-3:-1]
        rows = np.searchsorted(sampled.places, self._grid.row_edges(height))
        return rows, 3 * self._grid.column_edges(width)

    def _like_sky(self, kinds: NDArray[np.int8], sampled: SampledRows, frame: Frame) -> TileMask:
        """Which tiles have a colour that sky may have: clipped, or nearly white or black."""
        rows, columns = self._edges(sampled, frame)
        colours = sampled.values[np.ix_(rows[:-1], (columns[:-1, None] + np.arange(3)).ravel())]
        levels = colours.reshape(*kinds.shape, 3)
        return np.asarray((kinds != ONE_COLOUR) | (levels.min(axis=2) >= _WHITE) | (levels.max(axis=2) < _NIGHT))

    def _is_dark(self, sampled: SampledRows, frame: Frame, live: TileMask) -> bool:
        """Whether the tiles with a picture are dark; False where none has any."""
        if not live.any():
            return False
        rows, columns = self._edges(sampled, frame)
        down = [sampled.values[first:last].sum(axis=0, dtype=np.uint32) for first, last in pairwise(rows.tolist())]
        totals = np.add.reduceat(np.stack(down), columns[:-1], axis=1, dtype=np.int64)
        return bool(np.median((totals / np.outer(np.diff(rows), np.diff(columns)))[live]) < _NIGHT)


def blank_words(kinds: NDArray[np.int8]) -> str:
    """Say which tiles are blank, and how: ``black: left half (16 of 32 tiles)``; empty where none is."""
    found = ((words, kinds == kind) for kind, words in FAULTS.items())
    return "; ".join(f"{words}: {describe_tiles(tiles)}" for words, tiles in found if tiles.any())


def _cut_off(image: NDArray[np.uint8], kinds: NDArray[np.int8], grid: TileGrid) -> TileMask:
    """The tiles of complete blank rows, or columns, from an edge up to a straight line across the picture."""
    cut = grid.no_tiles()
    height, width = image.shape[:2]
    ways = (
        (image, kinds, cut, grid.row_edges(height)),
        (image.swapaxes(0, 1), kinds.T, cut.T, grid.column_edges(width)),
    )
    for pixels, own, marked, edges in ways:
        _mark_cut(pixels, own, marked, edges)
        _mark_cut(pixels[::-1], own[::-1], marked[::-1], edges[-1] - edges[::-1])
    return cut


def _mark_cut(image: NDArray[np.uint8], kinds: NDArray[np.int8], marked: TileMask, edges: NDArray[np.int64]) -> None:
    """Mark the complete blank rows from the top where their lower end is a straight line."""
    count = int(np.logical_and.accumulate((kinds != NEITHER).all(axis=1)).sum())
    if not 0 < count < len(kinds):
        return
    beyond = image[edges[count] : edges[count + 1], ::_STRIDE]
    alike = _alike(beyond, int(kinds[0, 0]), image[0, 0])
    share = alike.reshape(len(alike), -1).mean(axis=1)
    ended = int(np.argmax(share < ALIKE)) if (share < ALIKE).any() else len(share)
    if (share[ended : ended + max(_LEAST_CUT, len(image) // _CUT_PARTS)] <= _CUT_SHARE).any():
        marked[:count] = True


def _alike(pixels: NDArray[np.uint8], kind: int, colour: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which values are as in a blank region of this kind."""
    if kind == BLACK:
        return np.asarray(pixels <= DARK)
    return np.asarray(pixels >= BRIGHT if kind == SATURATED else pixels == colour)
