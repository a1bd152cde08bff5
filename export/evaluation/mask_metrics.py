# SPDX-License-Identifier: Apache-2.0
"""Metrics of anomaly maps over pixels that are known to be of unknown objects or not; unknown ones are the positive class.

Pixels are counted by value in bins whose width is at most 1/4096 of their value, so that any number of frames takes the same
memory, of which bins without a pixel take none. Values of one bin count as ties: where all values of a bin are equal, the
figures are exactly those of all pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

RATE = 0.95
"""Share of the unknown pixels that are caught where the false ones are counted."""

PIXEL_FIGURES = ("average_precision", "auroc", "fpr95")
"""Those that say how good a map is, by their names in :class:`PixelFigures`."""

_LOST_BITS = 11  # of 32: sign, exponent and 12 bits of the mantissa are left
_SIGN = np.uint32(1 << 31)


def _no_counts() -> Counts:
    return np.zeros(0, np.int64)


@dataclass(eq=False)
class PixelCounts:
    """How many pixels of either kind have which value.

    Attributes:
        bins: ``(n,)`` int64, ascending: the bins that hold a pixel.
        unknown: ``(n,)``, pixels of unknown objects in each.
        known: ``(n,)``, those of everything else.
    """

    bins: Counts = field(default_factory=_no_counts)
    unknown: Counts = field(default_factory=_no_counts)
    known: Counts = field(default_factory=_no_counts)

    def add(self, values: NDArray[np.float32], unknown: Counts, known: Counts) -> None:
        """Count the pixels of a frame.

        Args:
            values: ``(n,)`` float32 of the map, none of them NaN.
            unknown: ``(n,)``, how many pixels of unknown objects have each value.
            known: ``(n,)``, how many others.
        """
        seen = unknown + known > 0
        self._join(value_bins(values[seen]), unknown[seen], known[seen])

    def join(self, other: "PixelCounts") -> None:
        """Count the pixels of others as well."""
        self._join(other.bins, other.unknown, other.known)

    def _join(self, bins: Counts, unknown: Counts, known: Counts) -> None:
        self.bins, places = np.unique(np.concatenate([self.bins, bins]), return_inverse=True)
        both = ((self.unknown, unknown), (self.known, known))
        self.unknown, self.known = (
            np.bincount(places, np.concatenate(counts), len(self.bins)).astype(np.int64) for counts in both
        )

    def figures(self) -> "PixelFigures | None":
        """The metrics of all pixels that were counted; None without pixels of both kinds."""
        return _figures(self.unknown, self.known)

    def figures_without(self, parts: Sequence["PixelCounts"]) -> "list[PixelFigures | None]":
        """The metrics without the pixels of each of the parts, all of which were counted."""
        found = []
        for part in parts:
            places = np.searchsorted(self.bins, part.bins)
            unknown, known = self.unknown.copy(), self.known.copy()
            unknown[places] -= part.unknown
            known[places] -= part.known
            found.append(_figures(unknown, known))
        return found


def _figures(unknown: Counts, known: Counts) -> "PixelFigures | None":
    """The metrics of pixels in bins of ascending values."""
    seen = np.flatnonzero(unknown + known)[::-1]
    caught, false = (np.cumsum(counts[seen]).astype(np.float64) for counts in (unknown, known))
    if not len(seen) or not caught[-1] or not false[-1]:
        return None
    gained = np.diff(caught, prepend=0)
    return PixelFigures(
        average_precision=float((gained * (caught / (caught + false))).sum() / caught[-1]),
        auroc=float(np.trapezoid(np.append(0, caught / caught[-1]), np.append(0, false / false[-1]))),
        fpr95=float(false[np.argmax(caught >= RATE * caught[-1])] / false[-1]),
        unknown_share=float(caught[-1] / (caught[-1] + false[-1])),
    )


@dataclass(frozen=True)
class PixelFigures:
    """Metrics of pixels.

    Attributes:
        average_precision: precision at each value, weighted by the recall gained there.
        auroc: share of pairs of an unknown and a known pixel in which the unknown one is higher, with half of those that tie.
        fpr95: share of the known pixels that reach the highest value that 95 % of the unknown ones reach.
        unknown_share: of the pixels, the average precision of a map that tells nothing.
    """

    average_precision: float
    auroc: float
    fpr95: float
    unknown_share: float


def value_bins(values: NDArray[np.float32]) -> Counts:
    """The bin of each value: a higher value is in the same bin or a higher one.

    The bits of positive float32 numbers are ordered as the numbers are, those of negative ones the other way round.
    """
    bits = (values.astype(np.float32) + np.float32(0)).view(np.uint32)  # the sum turns -0 into 0
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    bins: Counts = (ordered >> np.uint32(_LOST_BITS)).astype(np.int64)
    return bins
