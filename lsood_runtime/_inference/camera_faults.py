# SPDX-License-Identifier: Apache-2.0
"""Detect frames, and tiles of them, that no working camera sends: black, saturated, of one colour."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._inference.arrays import Frame

NEITHER, BLACK, SATURATED, ONE_COLOUR = range(4)
FAULTS = {BLACK: "black", SATURATED: "saturated", ONE_COLOUR: "of one colour"}
"""What a region may be, in words."""

DARK, BRIGHT = 8, 247
ALIKE = 0.99
_MAX_ROWS_EXAMINED = 64


@dataclass(frozen=True, slots=True, eq=False)
class SampledRows:
    """Evenly spaced rows of a frame: 64 to 127 of them, or all where there are fewer.

    Attributes:
        values: ``(rows, 3 W)`` uint8.
        places: of the rows in the frame, ``(rows,)``.
    """

    values: NDArray[np.uint8]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """The rows of ``(..., H, W, 3)``."""
        rows = frame.reshape(-1, 3 * frame.shape[-2])
        step = max(1, len(rows) // _MAX_ROWS_EXAMINED)
        return cls(rows[::step], np.arange(0, len(rows), step))


def camera_fault(frame: Frame) -> str | None:
    """Say why no working camera sends this frame; None where one may. At most 127 rows are examined.

    Args:
        frame: ``(..., H, W, 3)`` uint8.
    """
    return sampled_fault(SampledRows.of(frame))


def sampled_fault(sampled: SampledRows) -> str | None:
    """Say why no working camera sends the frame of these rows; None where one may."""
    ends = (np.array([0, size]) for size in sampled.values.shape)
    kind = int(blank_regions(sampled.values, *ends)[0, 0])
    if kind == NEITHER:
        return None
    how = {
        BLACK: f"at {DARK} or below",
        SATURATED: f"at {BRIGHT} or above",
        ONE_COLOUR: f"{tuple(map(int, sampled.values[0, :3]))}",
    }
    return f"{FAULTS[kind]}: {ALIKE:.0%} of the pixels are {how[kind]}"


def blank_regions(
    values: NDArray[np.uint8], row_edges: NDArray[np.int64], column_edges: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Find which regions of a frame are black, saturated or of one colour: 99 % of the values of a region are.

    Args:
        values: ``(rows, 3 W)``, at most 255 rows in a region.
        row_edges: the first row of each region, and at last the end, ``(R + 1,)``.
        column_edges: the first value of each region in a row, and at last the end, ``(C + 1,)``.

    Returns:
        ``(R, C)``, one of :data:`NEITHER`, :data:`BLACK`, :data:`SATURATED`, :data:`ONE_COLOUR` each; the colour of a region
        is that of its first pixel.
    """
    pixels = np.diff(column_edges) // 3
    colours = np.empty((len(row_edges) - 1, values.shape[1]), np.uint8)
    for colour, row in zip(colours, row_edges[:-1], strict=True):
        firsts = values[row, column_edges[:-1, None] + np.arange(3)]
        colour[:] = np.repeat(firsts, pixels, axis=0).ravel()
    one_colour = np.empty(values.shape, np.bool_)
    for (first, last), colour in zip(pairwise(row_edges.tolist()), colours, strict=True):
        np.equal(values[first:last], colour, out=one_colour[first:last])
    enough = ALIKE * np.outer(np.diff(row_edges), np.diff(column_edges))
    kinds = np.zeros(enough.shape, np.int8)
    for kind, alike in ((ONE_COLOUR, one_colour), (SATURATED, values >= BRIGHT), (BLACK, values <= DARK)):
        kinds[_counts(alike, row_edges, column_edges) >= enough] = kind
    return kinds


def _counts(
    mask: NDArray[np.bool_], row_edges: NDArray[np.int64], column_edges: NDArray[np.int64]
) -> NDArray[np.int64]:
    """True values of each region."""
    down = [mask[first:last].view(np.uint8).sum(axis=0, dtype=np.uint8) for first, last in pairwise(row_edges.tolist())]
    return np.add.reduceat(np.stack(down), column_edges[:-1], axis=1, dtype=np.int64)
