# SPDX-License-Identifier: Apache-2.0
"""A kernel density over many frames in little memory: weighted representatives, a few bits for each leading direction.

The squared distance of a row x to a point p is ``|x|^2 + |p|^2 - 2 x.p``, all from the points' mean. The norms are kept in
full; the product alone is approximated, by the leading directions of the points, whose coordinates take up to 16 bits each
(:mod:`export.detectors.density_codes`). A frame reads the first bytes of every point, and all bytes of the points alone
whose terms are largest by these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from export.detectors.density_codes import CodeLayout
from export.features.rows import RowBlocks

CANDIDATES = 128
"""Points whose terms are computed from all bytes."""

_NUMBERS = 2**20
"""Terms that are held at a time."""

_ROWS = 16
_PIECE = 4096

Folds = NDArray[np.int64]


@dataclass(frozen=True)
class Rounding:
    """How far codes are from the points.

    Attributes:
        inside: largest distance of a point from its code along the directions.
        outside: largest distance of a point from the space of the directions.
        uneven: largest difference of a point's squared norm from the one that is kept.
        coarse: as ``inside``, by the coarse bytes alone.
    """

    inside: float
    outside: float
    uneven: float
    coarse: float


@dataclass(frozen=True, eq=False)
class CompressedDensity:
    """Gaussian kernel density of ``(N, D)`` points by M representatives in r directions.

    Attributes:
        bandwidth: of the kernel.
        mean: ``(D,)`` float64, of the points.
        directions: ``(r, D)`` int8, about at right angles to one another.
        units: ``(r,)`` float64: what 1 stands for in each of them.
        layout: of the codes.
        codes: ``(M, c)`` int8: the coarse bytes.
        fine: ``(M, f)`` uint8: the fine bytes.
        norms: ``(M,)`` float32: mean squared distance of a representative's points to the mean of all, with what the codes
            leave of the coordinates of 8 and 16 bits taken off: a near frame then sees the distance to the code itself.
        weights: ``(M,)`` float32: number of its points.
        rounding: how far codes are from the points.
    """

    bandwidth: float
    mean: NDArray[np.float64]
    directions: NDArray[np.int8]
    units: NDArray[np.float64]
    layout: CodeLayout
    codes: NDArray[np.int8]
    fine: NDArray[np.uint8]
    norms: NDArray[np.float32]
    weights: NDArray[np.float32]
    rounding: Rounding

    @cached_property
    def offsets(self) -> NDArray[np.float64]:
        """Logarithms ``(M,)`` of the weights, less half the squared norms over the variance."""
        offsets: NDArray[np.float64] = np.log(self.weights, dtype=np.float64) - self.norms / (2 * self.bandwidth**2)
        return offsets

    @property
    def basis(self) -> NDArray[np.float64]:
        """The directions ``(r, D)``, of about unit length."""
        basis: NDArray[np.float64] = self.directions * self.units[:, None]
        return basis

    @property
    def candidates(self) -> int:
        """Points whose terms are computed from all bytes."""
        return min(CANDIDATES, len(self.codes))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.mean, self.directions, self.units, self.codes, self.fine, self.norms, self.weights)
        return sum(array.nbytes for array in arrays)

    def _blocks(self, count: int) -> Iterator[slice]:
        size = min(max(_NUMBERS // len(self.codes), 1), _ROWS)
        return (slice(i, i + size) for i in range(0, count, size))

    def log_density(
        self, rows: NDArray[np.floating] | RowBlocks, left_out: tuple[Folds, Folds] | None = None
    ) -> NDArray[np.float64]:
        """Log-density of ``(B, D)`` rows, nats.

        Args:
            rows: anywhere.
            left_out: folds of the rows and of the representatives: none of a row's own fold counts, nor is it missed.
        """
        found = np.empty(len(rows))
        for block in self._blocks(len(rows)):
            centred = rows[block] - self.mean
            same = None if left_out is None else left_out[0][block, None] == left_out[1]
            near, rest = self._sums(centred, same)
            count = np.full(len(centred), float(self.weights.sum(dtype=np.float64)))
            if same is not None:
                count -= same @ self.weights.astype(np.float64)
            constant = np.log(count) + len(self.mean) / 2 * np.log(2 * np.pi * self.bandwidth**2)
            found[block] = np.logaddexp(near, rest) - (centred**2).sum(axis=1) / (2 * self.bandwidth**2) - constant
        return found

    def _sums(
        self, centred: NDArray[np.float64], same: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Logarithms of the sums over the candidates, and over all others by their coarse bytes."""
        variance, coarse, kept = self.bandwidth**2, self.layout.coarse, self.candidates
        along = centred @ self.basis.T / variance
        scaled = (along[:, :coarse] * self.layout.coarse_steps).astype(np.float32)
        offsets = self.offsets
        terms = np.empty((len(centred), len(self.codes)), np.float32)
        for j in range(0, len(self.codes), _PIECE):
            piece = slice(j, j + _PIECE)
            terms[:, piece] = scaled @ self.codes[piece].T.astype(np.float32) + offsets[piece]
        if same is not None:
            terms[same] = -np.inf
        places = np.argpartition(terms, -kept, axis=1)[:, -kept:]
        chosen = places.ravel()
        decoded = self.layout.decode(self.codes[chosen], self.fine[chosen]).reshape(*places.shape, -1)
        fine = np.einsum("bkr,br->bk", decoded, along) + offsets[places]
        if same is not None:
            fine[np.take_along_axis(same, places, axis=1)] = -np.inf
        np.put_along_axis(terms, places, -np.inf, axis=1)
        with np.errstate(divide="ignore"):
            return logsumexp(fine, axis=1), _log_sum(terms)

    def error_bound(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Largest possible error of the log-density of each row, nats: for every row, proven by the triangle inequality.

        Every point's exponent differs from its representative's by at most as much as the product of the row with the
        distance between both, and half the difference of their squared norms; so does the logarithm of the sum. The others'
        terms, by coarse bytes, are further off, and weigh as much as they have in the sum. The bound takes the worst point
        in the worst direction; :class:`~export.detectors.fit_compressed.Measured` says what is typical.
        """
        found = np.empty(len(rows))
        orthonormal = np.linalg.qr(self.basis.T)[0]  # rounded directions are not quite so
        for block in self._blocks(len(rows)):
            centred = np.asarray(rows[block], np.float64) - self.mean
            inside = np.sqrt(((centred @ orthonormal) ** 2).sum(axis=1))
            outside = np.sqrt(np.maximum((centred**2).sum(axis=1) - inside**2, 0))
            along = np.sqrt(((centred @ self.basis.T) ** 2).sum(axis=1))
            shared = outside * self.rounding.outside + self.rounding.uneven / 2
            fine, coarse = (
                (along * size + shared) / self.bandwidth**2 for size in (self.rounding.inside, self.rounding.coarse)
            )
            near, rest = self._sums(centred, None)
            total = np.logaddexp(near, rest)
            above = np.logaddexp(near + fine, rest + coarse) - total
            below = total - np.logaddexp(near - fine, rest - coarse)
            found[block] = np.maximum(above, below)
        return found


def _log_sum(terms: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logarithms of the sums of exponentials over each row; minus infinity for a row of nothing else."""
    top = terms.max(axis=1, keepdims=True)
    finite = np.where(np.isfinite(top), top, 0)
    sums: NDArray[np.float64] = np.log(np.exp(terms - finite).sum(axis=1, dtype=np.float64)) + finite[:, 0]
    return sums
