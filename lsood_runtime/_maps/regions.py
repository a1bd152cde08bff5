# SPDX-License-Identifier: Apache-2.0
"""Find the connected regions of a mask with numpy alone, in a time that no mask can stretch.

Each row of the mask is cut into runs of cells; runs of neighbouring rows that touch are edges of a graph, of which there are
fewer than two a run. Boruvka's algorithm joins the runs: in each round every part that touches another is joined to one, so
that at most half of them are left, and the parts of a round are found by pointer jumping. That is O(n log n) for n runs,
whatever the shape of the regions, without a loop over cells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CellMask = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Regions of cells that touch by a side or a corner, numbered from 0 in the order of their first cells, row by row.

    Attributes:
        rows: ``(R,)`` int64, of the runs that make up the regions, in the order of the cells.
        starts: ``(R,)``, column of the first cell of each run.
        stops: ``(R,)``, column behind the last one.
        numbers: ``(R,)``, of the region of each run.
        count: of the regions.
    """

    rows: Indices
    starts: Indices
    stops: Indices
    numbers: Indices
    count: int

    def sizes(self) -> Indices:
        """Cells of each region, ``(count,)``."""
        found = np.zeros(self.count, np.int64)
        np.add.at(found, self.numbers, self.stops - self.starts)
        return found

    def kept(self, regions: Indices) -> "Regions":
        """These regions alone, given by their numbers: the first of these becomes 0, the second 1."""
        new = np.full(self.count, -1)
        new[regions] = np.arange(len(regions))
        numbers = new[self.numbers]
        kept = numbers >= 0
        return Regions(self.rows[kept], self.starts[kept], self.stops[kept], numbers[kept], len(regions))

    def labels(self, shape: tuple[int, int]) -> Indices:
        """The mask's cells with the number of their region, ``shape`` int64; -1 where there is none."""
        steps = np.zeros((shape[0], shape[1] + 1), np.int64)
        steps[self.rows, self.starts] += self.numbers + 1
        steps[self.rows, self.stops] -= self.numbers + 1
        labels: Indices = np.cumsum(steps[:, :-1], axis=1) - 1
        return labels


def find_regions(mask: CellMask) -> Regions:
    """Find the regions of a mask, each cell with its eight neighbours.

    Args:
        mask: ``(h, w)`` bool.
    """
    rows, starts, stops = _runs(mask)
    upper, lower = _touching_runs(rows, starts, stops, mask.shape[1])
    parts = _connected(len(rows), upper, lower)
    _, first, numbers = np.unique(parts, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return Regions(rows, starts, stops, order[numbers], len(first))


def _runs(mask: CellMask) -> tuple[Indices, Indices, Indices]:
    """Row, first column and column behind the last of each run of cells, in the order of the cells."""
    closed = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(closed, axis=1)
    rows, starts = np.nonzero(change == 1)
    return rows, starts, np.nonzero(change == -1)[1]


def _touching_runs(rows: Indices, starts: Indices, stops: Indices, width: int) -> tuple[Indices, Indices]:
    """Each pair of runs in rows above each other that touch by a side or a corner: the upper and the lower one of each."""
    wide = width + 2
    first = np.searchsorted(
        rows * wide + stops, (rows + 1) * wide + starts
    )  # the first run below that ends late enough
    behind = np.searchsorted(rows * wide + starts, (rows + 1) * wide + stops, side="right")
    counts = np.maximum(behind - first, 0)
    upper = np.repeat(np.arange(len(rows)), counts)
    lower = np.arange(len(upper)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return upper, lower


def _connected(count: int, one: Indices, other: Indices) -> Indices:
    """For each node of a graph, a number that it shares with those alone that it is connected with.

    Args:
        count: of nodes.
        one: ``(E,)``, node at an end of each edge.
        other: ``(E,)``, node at the other end.
    """
    parts = np.arange(count)
    while len(one):
        edges = np.arange(len(one))
        chosen = np.full((2, count), len(one))
        for ends, of_end in zip((one, other), chosen, strict=True):
            of_end[ends[::-1]] = edges[::-1]  # of several edges at a node the one that is set last stays: the first
        edge = chosen.min(axis=0)
        joined = np.flatnonzero(edge < len(one))
        parents = np.arange(count)
        parents[joined] = one[edge[joined]] + other[edge[joined]] - joined
        mutual = parents[parents] == np.arange(count)
        roots = mutual & (np.arange(count) < parents)
        parents[roots] = np.flatnonzero(roots)
        while not np.array_equal(parents, higher := parents[parents]):
            parents = higher
        kept, numbers = np.unique(parents, return_inverse=True)
        parts, one, other, count = numbers[parts], numbers[one], numbers[other], len(kept)
        apart = one != other
        one, other = one[apart], other[apart]
    return parts
