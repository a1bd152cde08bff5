# SPDX-License-Identifier: Apache-2.0
"""Fit a compressed density to rows that are read block by block, and measure what the compression costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.cluster import KMeans

from export.detectors.compressed_density import CompressedDensity, Folds, Rounding
from export.detectors.density_codes import CodeLayout, allot_bits
from export.detectors.full_density import left_out_densities
from export.detectors.leading_directions import leading_directions
from export.features.rows import RowBlocks
from export.frames.evenly_spaced import evenly_spaced

DIRECTIONS = 512
"""Directions that are tried for codes, at most."""

CODES = 15_200_000
"""Bytes of all codes at most: 100,000 points of 152 bytes."""

FEWEST_BITS = 1216
"""Bits of a point where there are so many that neighbours share a representative."""

_ROWS_FOR_DIRECTIONS = 16_384
_QUERIES = 1024
_PIECE = 1024


@dataclass(frozen=True)
class Measured:
    """How far compressed log-densities are from the full sum, on frames scored without their own drive.

    Attributes:
        frames: number of frames that were measured.
        error: largest difference, nats, after the mean difference is taken off: it moves the threshold and no verdict.
        agreement: Spearman's rank correlation.
        verdicts: share of the frames with the same verdict, each side flagging its own highest 5 %.
        bound: largest proven bound of the error among these frames, nats.
    """

    frames: int
    error: float
    agreement: float
    verdicts: float
    bound: float

    @classmethod
    def between(
        cls, compressed: NDArray[np.float64], exact: NDArray[np.float64], bounds: NDArray[np.float64]
    ) -> "Measured":
        """Compare log-densities ``(Q,)`` of the same frames."""
        difference = compressed - exact
        flagged = [values < np.quantile(values, 0.05) for values in (compressed, exact)]
        return cls(
            frames=len(exact),
            error=float(np.abs(difference - difference.mean()).max()),
            agreement=float(spearmanr(compressed, exact).statistic),
            verdicts=float((flagged[0] == flagged[1]).mean()),
            bound=float(bounds.max()),
        )


def fit_compressed(
    points: NDArray[np.floating] | RowBlocks,
    folds: NDArray[np.int64],
    bandwidth: float | None,
    candidates: NDArray[np.float64],
) -> tuple[CompressedDensity, Measured]:
    """Compress a density, choose its bandwidth by frames left out, and measure what the compression costs.

    In memory are the codes, the covariance of the points, and blocks of them.

    Args:
        points: ``(N, D)`` in the order of recording.
        folds: ``(N,)`` a number for each drive or block, left out in turn: no representative stands for two of them.
        bandwidth: of the kernel; None for the likeliest candidate.
        candidates: bandwidths to choose from.
    """
    rows = RowBlocks.of(points)
    count, dimensions = rows.shape
    spectrum = leading_directions(
        rows.selected(evenly_spaced(np.arange(count), _ROWS_FOR_DIRECTIONS)), min(DIRECTIONS, dimensions)
    )
    places = evenly_spaced(np.arange(count), _QUERIES)
    bandwidths = candidates if bandwidth is None else np.array([bandwidth])
    exact, nearest = left_out_densities(rows, spectrum.mean, places, folds, bandwidths)
    best = int(np.argmax(exact.sum(axis=0)))
    frame = _Frame(spectrum.mean, spectrum.directions, np.ones(len(spectrum.directions)))
    layout, frame = _lay_out(rows, frame, places, nearest)
    density, of_fold = _encode(rows, folds, frame, layout, float(bandwidths[best]))
    queries = rows[places]
    compressed = density.log_density(queries, (folds[places], of_fold))
    return density, Measured.between(compressed, exact[:, best], density.error_bound(queries))


@dataclass(frozen=True, eq=False)
class _Frame:
    """A frame of coordinates: centre ``(D,)``, directions ``(r, D)``, not quite orthonormal, and their units ``(r,)``."""

    mean: NDArray[np.float64]
    directions: NDArray[np.floating | np.signedinteger]
    units: NDArray[np.float64]

    @cached_property
    def _basis(self) -> NDArray[np.float64]:
        basis: NDArray[np.float64] = self.directions * self.units[:, None]
        return basis

    @cached_property
    def _dual(self) -> NDArray[np.float64]:
        dual = np.linalg.solve(self._basis @ self._basis.T, self._basis)
        return np.asarray(dual, np.float64)

    def coordinates(
        self, rows: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates ``(N, r)`` of rows, their squared norms and the part of these along the directions."""
        centred = rows - self.mean
        coordinates = centred @ self._dual.T
        along = coordinates @ (self._basis @ self._basis.T)
        return coordinates, (centred**2).sum(axis=1), np.einsum("nr,nr->n", coordinates, along)


def _lay_out(
    rows: RowBlocks, frame: _Frame, places: NDArray[np.int64], nearest: NDArray[np.int64]
) -> tuple[CodeLayout, _Frame]:
    """Allot bits to directions, and keep those that get any, in the order of falling bits.

    An error of a point's coordinate changes the exponent of a near frame by the product with their difference: a direction
    counts by the mean square of these differences and the variance that is to be rounded.
    """
    squares, largest = np.zeros(len(frame.directions)), np.zeros(len(frame.directions))
    for block in rows:
        coordinates, _, _ = frame.coordinates(block)
        squares += (coordinates**2).sum(axis=0)
        largest = np.maximum(largest, np.abs(coordinates).max(axis=0))
    variances = squares / len(rows)
    apart = frame.coordinates(rows[places])[0] - frame.coordinates(rows[nearest])[0]
    importance = (apart**2).mean(axis=0) * variances
    bits = allot_bits(importance, max(8 * CODES // len(rows), FEWEST_BITS))
    kept = np.argsort(-bits, kind="stable")[: int((bits > 0).sum())]
    layout = CodeLayout.fit(bits[kept], np.sqrt(variances[kept]), largest[kept])
    return layout, _Frame(frame.mean, *_rounded(frame.directions[kept]))


def _rounded(directions: NDArray[np.floating | np.signedinteger]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Directions in whole numbers, with the unit of each."""
    units = np.abs(directions).max(axis=1) / 127
    return np.rint(directions / units[:, None]).astype(np.int8), units


def _encode(
    rows: RowBlocks, folds: Folds, frame: _Frame, layout: CodeLayout, bandwidth: float
) -> tuple[CompressedDensity, Folds]:
    """A density in these directions, and the fold of each representative."""
    most = max(8 * CODES // int(layout.bits.sum()), 1)
    heads = layout.coarse
    codes, fine, norms, weights, of_fold = [], [], [], [], []
    inside = outside = uneven = coarse_inside = 0.0
    for piece in _pieces(folds, whole=len(rows) <= most):
        coordinates, squared, along = frame.coordinates(rows[piece])
        representative = np.arange(len(piece))
        if len(rows) > most:
            representative = _clusters(coordinates, max(int(len(piece) * most / len(rows)), 1))
        weight = np.bincount(representative).astype(np.float64)
        means = np.stack([np.bincount(representative, column) for column in coordinates.T], axis=1) / weight[:, None]
        coarse_bytes, fine_bytes = layout.encode(means)
        decoded = layout.decode(coarse_bytes, fine_bytes)
        norm = np.bincount(representative, squared) / weight
        norm += (decoded[:, :heads] ** 2 - means[:, :heads] ** 2).sum(axis=1)
        norm = norm.astype(np.float32)
        inside = max(inside, _largest_distance(coordinates, decoded[representative]))
        alone = np.zeros_like(decoded)
        alone[:, :heads] = coarse_bytes * layout.coarse_steps
        coarse_inside = max(coarse_inside, _largest_distance(coordinates, alone[representative]))
        outside = max(outside, float((squared - along).max()))
        uneven = max(uneven, float(np.abs(squared - norm[representative]).max()))
        codes.append(coarse_bytes)
        fine.append(fine_bytes)
        norms.append(norm)
        weights.append(weight.astype(np.float32))
        of_fold.append(np.repeat(folds[piece[:1]], len(weight)) if len(rows) > most else folds[piece])
    density = CompressedDensity(
        bandwidth=bandwidth,
        mean=frame.mean,
        directions=frame.directions.astype(np.int8),
        units=frame.units,
        layout=layout,
        codes=np.concatenate(codes),
        fine=np.concatenate(fine),
        norms=np.concatenate(norms),
        weights=np.concatenate(weights),
        rounding=Rounding(inside, float(np.sqrt(max(outside, 0.0))), uneven, coarse_inside),
    )
    return density, np.concatenate(of_fold)


def _largest_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(first - second, axis=1).max())


def _clusters(coordinates: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Number of each point's representative, from 0 on without gaps."""
    labels = KMeans(count, n_init=1, max_iter=20, random_state=0).fit(coordinates.astype(np.float32)).labels_
    numbers: NDArray[np.int64] = np.unique(labels, return_inverse=True)[1]
    return numbers


def _pieces(folds: NDArray[np.int64], *, whole: bool) -> Iterator[NDArray[np.int64]]:
    """Stretches of at most about a thousand frames: of all frames where each is its own representative, else of each fold."""
    numbers = np.zeros_like(folds) if whole else folds
    for fold in np.unique(numbers):
        inside = np.flatnonzero(numbers == fold)
        yield from np.array_split(inside, -(-len(inside) // _PIECE))


def fold_numbers(count: int, folds: int, groups: Sequence[str] | None) -> NDArray[np.int64]:
    """A number for each of ``count`` points: of its group, or of its contiguous block."""
    if groups is not None:
        numbers: NDArray[np.int64] = np.unique(np.asarray(groups), return_inverse=True)[1]
        return numbers
    return np.repeat(np.arange(folds), [len(block) for block in np.array_split(np.arange(count), folds)])
