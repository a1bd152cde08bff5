# SPDX-License-Identifier: Apache-2.0
"""Say in words which part of a picture some of its tiles make up: ``left half (16 of 32 tiles)``."""

import functools
from collections.abc import Iterator

import numpy as np

from lsood_runtime._tiles.grid import TileMask

_Region = tuple[str, slice, slice]
_ALL = slice(None)


def describe_tiles(tiles: TileMask, in_frame: TileMask | None = None) -> str:
    """Name the region that tiles make up, exactly where it has a name, else one that holds all of them.

    The words mean: ``NAME``, these tiles and no other; ``all but NAME``, all others; ``most of NAME``, more than half of its
    tiles and none outside; ``part of NAME``, some of its tiles and none outside.

    Args:
        tiles: ``(rows, columns)``, at least one of them true.
        in_frame: the tiles of the frame that the region is named by, where the tiles are those of a part of it; none of them
            where they are in the padding of the frame.

    Example:
        >>> tiles = np.zeros((4, 8), bool)
        >>> tiles[:, :4] = True
        >>> describe_tiles(tiles)
        'left half (16 of 32 tiles)'
        >>> tiles[0, 0] = False
        >>> describe_tiles(tiles)
        'most of the left half (15 of 32 tiles)'
    """
    count = int(np.count_nonzero(tiles))
    named = tiles if in_frame is None else in_frame
    return f"{name_region(named)} ({count} of {tiles.size} tiles)"


def tile_text(tiles: TileMask) -> str:
    """The tiles as digits for a file, 1 for true, a group a row from the top.

    Example:
        >>> tile_text(np.array([[True, False], [False, False]]))
        '10 00'
    """
    return " ".join("".join("1" if tile else "0" for tile in row) for row in tiles)


def name_region(tiles: TileMask) -> str:
    """Name the region as :func:`describe_tiles` does, without the number of tiles; ``beside the frame`` for none of them.

    Example:
        >>> tiles = np.zeros((4, 8), bool)
        >>> tiles[3, 0] = True
        >>> name_region(tiles)
        'lower left corner'
    """
    count = int(np.count_nonzero(tiles))
    if not count:
        return "beside the frame"
    regions, masks, sizes = _named(*tiles.shape)
    for start, wanted in (("", tiles), ("all but ", ~tiles)):
        exact = np.flatnonzero((masks == wanted).all(axis=(1, 2)))
        if exact.size and (not start or 2 * count >= tiles.size):
            name = regions[exact[0]][0]
            return f"{start}{name}" if start else name.removeprefix("the ")
    holding = np.flatnonzero(~(tiles & ~masks).any(axis=(1, 2)))
    dense = holding[2 * count > sizes[holding]]
    if dense.size:
        return f"most of {regions[dense[sizes[dense].argmin()]][0]}"
    coarse = holding[[regions[i][0] in _coarse(*tiles.shape) for i in holding]]
    return f"part of {regions[coarse[sizes[coarse].argmin()]][0]}"


@functools.lru_cache(maxsize=8)
def _named(rows: int, columns: int) -> tuple[list[_Region], TileMask, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Regions with a name, the plainest name of a region first; their tiles, and the numbers of these."""
    regions = [*_parts(rows, columns), *_bands(rows, columns)]
    masks = np.zeros((len(regions), rows, columns), np.bool_)
    for mask, (_, down, across) in zip(masks, regions, strict=True):
        mask[down, across] = True
    return regions, masks, masks.sum(axis=(1, 2))


@functools.lru_cache(maxsize=8)
def _coarse(rows: int, columns: int) -> frozenset[str]:
    """Names that tell where something is that fills less than half of the region."""
    return frozenset(name for name, _, _ in _parts(rows, columns))


def _parts(rows: int, columns: int) -> Iterator[_Region]:
    """The whole picture, halves, quarters, the centre, outer rows and columns, corners."""
    upright: dict[str, slice] = {}
    sideways: dict[str, slice] = {}
    if rows % 2 == 0:
        upright = {"upper": slice(rows // 2), "lower": slice(rows // 2, rows)}
    if columns % 2 == 0:
        sideways = {"left": slice(columns // 2), "right": slice(columns // 2, columns)}
    yield "the whole picture", _ALL, _ALL
    yield from ((f"the {word} half", down, _ALL) for word, down in upright.items())
    yield from ((f"the {word} half", _ALL, across) for word, across in sideways.items())
    for word, down in upright.items():
        yield from ((f"the {word} {other} quarter", down, across) for other, across in sideways.items())
    if rows >= 3 and columns >= 3:
        down, across = (slice(max(1, size // 4), size - max(1, size // 4)) for size in (rows, columns))
        yield "the centre", down, across
    outer_rows = {"upper": slice(1), "lower": slice(rows - 1, rows)}
    outer_columns = {"left": slice(1), "right": slice(columns - 1, columns)}
    yield from ((f"the {word} row", down, _ALL) for word, down in outer_rows.items())
    yield from ((f"the {word} column", _ALL, across) for word, across in outer_columns.items())
    for word, down in outer_rows.items():
        yield from ((f"the {word} {other} corner", down, across) for other, across in outer_columns.items())


def _bands(rows: int, columns: int) -> Iterator[_Region]:
    """Complete rows and complete columns, one or several beside each other."""
    for noun, first, last, count in (("row", "upper", "lower", rows), ("column", "left", "right", columns)):
        for start in range(count):
            for stop in range(start + 1, count + 1):
                band = slice(start, stop)
                if stop - start == 1:
                    name = f"{noun} {stop} of {count}"
                elif start == 0 or stop == count:
                    name = f"the {first if start == 0 else last} {stop - start} {noun}s"
                else:
                    name = f"{noun}s {start + 1} to {stop} of {count}"
                yield name, *((band, _ALL) if noun == "row" else (_ALL, band))
