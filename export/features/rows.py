# SPDX-License-Identifier: Apache-2.0
"""Features of many frames that are read block by block: from memory, or from files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, overload

import numpy as np
from numpy.typing import NDArray

from export.features.key import FeatureKey

BLOCK = 512
"""Rows that are read at a time: what a fit holds of the frames does not grow with their number."""

Indices = NDArray[np.int64]


class FrameRows(Protocol):
    """Rows ``(N, D)`` of which some are read at a time: an array, or a feature in files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N and D."""

    def __getitem__(self, indices: Any, /) -> NDArray[Any]:
        """Some rows, by an array of indices."""


StoredFeatures = Mapping[FeatureKey, FrameRows]
"""Features of N frames: ``(N, D)`` under each key, in memory or in files."""


class SelectedRows:
    """Some of the rows, in an order of their own, read when they are asked for.

    Args:
        rows: ``(N, D)``.
        indices: ``(M,)`` of the rows.
    """

    def __init__(self, rows: FrameRows, indices: Indices) -> None:
        self._rows: FrameRows = rows._rows if isinstance(rows, SelectedRows) else rows
        self._indices: Indices = rows._indices[indices] if isinstance(rows, SelectedRows) else indices

    @property
    def shape(self) -> tuple[int, ...]:
        """M and D."""
        return len(self._indices), self._rows.shape[1]

    def __getitem__(self, indices: Any) -> NDArray[Any]:
        """Some of these rows, by an array of indices or a slice."""
        rows: NDArray[Any] = self._rows[self._indices[indices]]
        return rows


def select_rows(features: StoredFeatures, indices: Indices) -> dict[FeatureKey, FrameRows]:
    """Some of the frames; nothing is read yet."""
    return {key: SelectedRows(rows, indices) for key, rows in features.items()}


class RowBlocks:
    """Rows ``(N, D)`` float64 of several features side by side, read block by block.

    Args:
        columns: the features, ``(N, D_i)`` each.
        change: of a block of rows, after the features stand side by side; None for the rows as they are.
    """

    def __init__(
        self, columns: Sequence[FrameRows], change: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
    ) -> None:
        self._columns, self._change = tuple(columns), change

    @classmethod
    def of(cls, rows: "NDArray[np.floating] | RowBlocks") -> "RowBlocks":
        """Blocks of an array; blocks as they are."""
        return rows if isinstance(rows, RowBlocks) else cls([rows])

    @property
    def shape(self) -> tuple[int, int]:
        """N and D."""
        return self._columns[0].shape[0], sum(rows.shape[1] for rows in self._columns)

    def __len__(self) -> int:
        """N."""
        return self.shape[0]

    def changed(self, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Self:
        """The rows after a function of each alone, which keeps their width."""
        earlier = self._change
        return type(self)(self._columns, change if earlier is None else lambda rows: change(earlier(rows)))

    def selected(self, indices: Indices) -> Self:
        """Some of the rows; nothing is read yet."""
        return type(self)([SelectedRows(rows, indices) for rows in self._columns], self._change)

    def __getitem__(self, indices: Indices | slice) -> NDArray[np.float64]:
        """Some rows, ``(M, D)``."""
        if isinstance(indices, slice):
            indices = np.arange(*indices.indices(len(self)))
        blocks = [np.asarray(rows[indices], np.float64) for rows in self._columns]
        rows = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        return rows if self._change is None else self._change(rows)

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        """Consecutive blocks of at most :data:`BLOCK` rows."""
        return (self[i : i + BLOCK] for i in range(0, len(self), BLOCK))

    @overload
    def __array__(self, dtype: None = None, copy: bool | None = None) -> NDArray[np.float64]: ...
    @overload
    def __array__(self, dtype: np.dtype[Any], copy: bool | None = None) -> NDArray[Any]: ...
    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows in memory, for a fit that cannot do with less."""
        return np.asarray(self[:], dtype)
