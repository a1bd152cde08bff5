# SPDX-License-Identifier: Apache-2.0
"""A kernel density over many frames in little memory: weighted representatives in leading directions, one byte a coordinate.

The squared distance of a row x to a point p is ``|x|^2 + |p|^2 - 2 x.p``, all from the points' mean. Both norms are kept in
full; the product alone is approximated, by the leading directions of the points, whose coordinates take one byte each. Where
there are more points than fit, neighbours within a drive share a representative: it keeps their number, the mean of their
coordinates and the mean of their squared norms, so that it stands at the mean of their squared distances.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import spearmanr
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import (
    OnnxAbs,
    OnnxAdd,
    OnnxCast,
    OnnxConcat,
    OnnxDiv,
    OnnxExp,
    OnnxFloor,
    OnnxLog,
    OnnxMatMulInteger,
    OnnxMul,
    OnnxReduceMax,
    OnnxReduceSum,
    OnnxRound,
    OnnxSub,
    OnnxUnsqueeze,
)
from skl2onnx.proto import onnx_proto
from sklearn.cluster import KMeans

from export.detectors.leading_directions import Spectrum, leading_directions
from export.detectors.onnx_operators import COLUMN, product, scalar, squared_norm

DIRECTIONS = (160, 320)
"""Numbers of directions that are tried: few of many representatives, or more of fewer."""

CODES = 16_000_000
"""Bytes of the codes at most: 100,000 representatives in 160 directions."""

_ROWS_FOR_DIRECTIONS = 16_384
_QUERIES = 1024
_BLOCK = 64
_PIECE = 1024
_LARGEST_CODE = 127
_LARGEST_QUERY = 127 * 256**2  # what three bytes of a row's coordinate hold
_ZERO = 128

AnyRows = NDArray[np.floating]
Folds = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CompressedDensity:
    """Gaussian kernel density of ``(N, D)`` points by M representatives in r directions.

    Attributes:
        bandwidth: of the kernel.
        mean: ``(D,)`` float64, of the points.
        directions: ``(r, D)`` float32, rows of unit length.
        steps: ``(r,)`` float64: coordinate of a code of 1.
        codes: ``(M, r)`` int8: the representatives' coordinates along the directions, in steps.
        norms: ``(M,)`` float64: mean squared distance of a representative's points to the mean of all.
        weights: ``(M,)`` float64: number of its points.
        inside: largest distance of a point from its representative along the directions.
        outside: largest distance of a point from the space of the directions.
        uneven: largest difference of a point's squared norm from its representative's.
    """

    bandwidth: float
    mean: NDArray[np.float64]
    directions: NDArray[np.float32]
    steps: NDArray[np.float64]
    codes: NDArray[np.int8]
    norms: NDArray[np.float64]
    weights: NDArray[np.float64]
    inside: float
    outside: float
    uneven: float

    def log_density(self, rows: AnyRows, left_out: tuple[Folds, Folds] | None = None) -> NDArray[np.float64]:
        """Log-density of ``(B, D)`` rows, nats.

        Args:
            rows: anywhere.
            left_out: folds of the rows and of the representatives: none of a row's own fold counts, nor is it missed.
        """
        variance = self.bandwidth**2
        found = np.empty(len(rows))
        for i in range(0, len(rows), _BLOCK):
            block = slice(i, i + _BLOCK)
            centred = rows[block] - self.mean
            coordinates = (centred @ self.directions.T.astype(np.float64)) * self.steps
            exponents = np.empty((len(centred), len(self.codes)))
            for j in range(0, len(self.codes), _PIECE):
                exponents[:, j : j + _PIECE] = coordinates @ self.codes[j : j + _PIECE].T.astype(np.float64)
            exponents = np.log(self.weights) + (exponents - self.norms / 2) / variance
            count = np.full(len(centred), self.weights.sum())
            if left_out is not None:
                same = left_out[0][block, None] == left_out[1]
                exponents[same] = -np.inf
                count -= same @ self.weights
            constant = np.log(count) + len(self.mean) / 2 * np.log(2 * np.pi * variance)
            found[block] = logsumexp(exponents, axis=1) - (centred**2).sum(axis=1) / (2 * variance) - constant
        return found

    def error_bound(self, rows: AnyRows) -> NDArray[np.float64]:
        """Largest possible error of the log-density of each row, nats: for every row, proven by the triangle inequality.

        Every point's exponent differs from its representative's by at most as much as the product of the row with the
        distance between both, and half the difference of their squared norms; so does the logarithm of the sum. The bound
        takes the worst point in the worst direction; :class:`Measured` says what is typical.
        """
        centred = np.asarray(rows, np.float64) - self.mean
        along = centred @ self.directions.T.astype(np.float64)
        inside = np.sqrt((along**2).sum(axis=1))
        outside = np.sqrt(np.maximum((centred**2).sum(axis=1) - inside**2, 0))
        bound: NDArray[np.float64] = inside * self.inside + outside * self.outside + self.uneven / 2
        return bound / self.bandwidth**2

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`log_density` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``.

        The coordinates of a row take three bytes, so that one product of bytes reads the codes once.
        """
        variance = self.bandwidth**2
        double, single = onnx_proto.TensorProto.DOUBLE, onnx_proto.TensorProto.FLOAT
        centred = OnnxSub(rows, self.mean[None], op_version=opset)
        along = product(centred, self.directions, opset)
        scaled = OnnxMul(along, (self.steps / variance)[None], op_version=opset)
        largest = OnnxReduceMax(OnnxAbs(scaled, op_version=opset), COLUMN, keepdims=1, op_version=opset)
        unit = OnnxAdd(OnnxMul(largest, scalar(1 / _LARGEST_QUERY), op_version=opset), scalar(1e-300), op_version=opset)
        rest = OnnxRound(OnnxDiv(scaled, unit, op_version=opset), op_version=opset)
        digits = []
        for _ in range(2):  # from the last byte on, each in -128..127
            shifted = OnnxMul(OnnxAdd(rest, scalar(128), op_version=opset), scalar(1 / 256), op_version=opset)
            higher = OnnxFloor(shifted, op_version=opset)
            digits.append(OnnxSub(rest, OnnxMul(higher, scalar(256), op_version=opset), op_version=opset))
            rest = higher
        bytes_ = OnnxConcat(
            *(OnnxUnsqueeze(byte, COLUMN, op_version=opset) for byte in (rest, *digits[::-1])),
            axis=1,
            op_version=opset,
        )
        query = OnnxCast(
            OnnxAdd(bytes_, scalar(_ZERO), op_version=opset), to=onnx_proto.TensorProto.UINT8, op_version=opset
        )
        products = OnnxMatMulInteger(
            query, np.ascontiguousarray(self.codes.T), np.array(_ZERO, np.uint8), op_version=opset
        )
        place_values = np.array([256.0**2, 256.0, 1.0], np.float32).reshape(1, 3, 1)
        values = OnnxMul(OnnxCast(products, to=single, op_version=opset), place_values, op_version=opset)
        values = OnnxReduceSum(values, COLUMN, keepdims=0, op_version=opset)
        exponents = OnnxAdd(
            OnnxMul(OnnxCast(values, to=double, op_version=opset), unit, op_version=opset),
            (np.log(self.weights) - self.norms / (2 * variance))[None],
            op_version=opset,
        )
        top = OnnxReduceMax(exponents, COLUMN, keepdims=1, op_version=opset)
        differences = OnnxCast(OnnxSub(exponents, top, op_version=opset), to=single, op_version=opset)
        total = OnnxReduceSum(OnnxExp(differences, op_version=opset), COLUMN, keepdims=1, op_version=opset)
        log_sum = OnnxAdd(
            OnnxLog(OnnxCast(total, to=double, op_version=opset), op_version=opset), top, op_version=opset
        )
        distance = OnnxMul(squared_norm(centred, opset), scalar(0.5 / variance), op_version=opset)
        constant = np.log(self.weights.sum()) + len(self.mean) / 2 * np.log(2 * np.pi * variance)
        return OnnxSub(OnnxSub(log_sum, distance, op_version=opset), scalar(constant), op_version=opset)


@dataclass(frozen=True)
class Measured:
    """How far compressed log-densities are from the full sum, on frames scored without their own drive.

    Attributes:
        frames: number of frames that were measured.
        error: largest difference, nats, after the mean difference is taken off: it moves the threshold and no verdict.
        agreement: Spearman's rank correlation.
        bound: largest proven bound of the error among these frames, nats.
    """

    frames: int
    error: float
    agreement: float
    bound: float


def fit_compressed(
    points: AnyRows, folds: NDArray[np.int64], bandwidth: float | None, candidates: NDArray[np.float64]
) -> tuple[CompressedDensity, Measured]:
    """Compress a density, choose its bandwidth by frames left out, and measure what the compression costs.

    Memory besides the points: their coordinates, four bytes each, and blocks.

    Args:
        points: ``(N, D)`` in the order of recording.
        folds: ``(N,)`` a number for each drive or block, left out in turn: no representative stands for two of them.
        bandwidth: of the kernel; None for the likeliest candidate.
        candidates: bandwidths to choose from.
    """
    dimensions = points.shape[1]
    some = _evenly_spaced(len(points), _ROWS_FOR_DIRECTIONS)
    fits = len(points) * DIRECTIONS[-1] <= CODES
    tried = [min(count, dimensions) for count in (DIRECTIONS[-1:] if fits else DIRECTIONS)]
    spectrum = leading_directions(points[some], max(tried))
    coordinates, norms = _coordinates(points, spectrum.mean, spectrum.directions.astype(np.float32))
    queries = _evenly_spaced(len(points), _QUERIES)
    bandwidths = candidates if bandwidth is None else np.array([bandwidth])
    exact = left_out_log_densities(points, spectrum.mean, norms, queries, folds, bandwidths)
    best = int(np.argmax(exact.sum(axis=0)))
    found = []
    for count in dict.fromkeys(min(r, len(spectrum.values)) for r in tried):
        density, of_fold = _compress(spectrum, coordinates[:, :count], norms, folds, float(bandwidths[best]))
        compressed = density.log_density(points[queries], (folds[queries], of_fold))
        agreement = float(spearmanr(compressed, exact[:, best]).statistic)
        difference = compressed - exact[:, best]
        error = float(np.abs(difference - difference.mean()).max())
        bound = float(density.error_bound(points[queries]).max())
        found.append((density, Measured(len(queries), error, agreement, bound)))
    return max(found, key=lambda pair: pair[1].agreement)


def _compress(
    spectrum: Spectrum, coordinates: NDArray[np.float32], norms: NDArray[np.float64], folds: Folds, bandwidth: float
) -> tuple[CompressedDensity, Folds]:
    """A density in the leading directions that there are coordinates of, and the fold of each representative."""
    representative = _representatives(coordinates, folds, max(CODES // coordinates.shape[1], 1))
    weights = np.bincount(representative).astype(np.float64)
    order = np.argsort(representative, kind="stable")
    starts = np.concatenate([[0], np.cumsum(weights[:-1])]).astype(np.int64)
    means = np.add.reduceat(coordinates[order], starts, axis=0) / weights[:, None].astype(np.float32)
    steps = np.maximum(np.abs(means).max(axis=0).astype(np.float64), np.finfo(np.float32).tiny) / _LARGEST_CODE
    codes = np.rint(means / steps).astype(np.int8)
    mean_norms = np.add.reduceat(norms[order], starts) / weights
    inside = outside = 0.0
    for i in range(0, len(norms), _PIECE):
        piece = coordinates[i : i + _PIECE].astype(np.float64)
        inside = max(inside, float(np.linalg.norm(piece - codes[representative[i : i + _PIECE]] * steps, axis=1).max()))
        outside = max(outside, float((norms[i : i + _PIECE] - (piece**2).sum(axis=1)).max()))
    density = CompressedDensity(
        bandwidth=bandwidth,
        mean=spectrum.mean,
        directions=spectrum.directions[: coordinates.shape[1]].astype(np.float32),
        steps=steps,
        codes=codes,
        norms=mean_norms,
        weights=weights,
        inside=inside,
        outside=float(np.sqrt(outside)),
        uneven=float(np.abs(norms - mean_norms[representative]).max()),
    )
    return density, folds[order[starts]]


def _evenly_spaced(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of ``count`` indices."""
    indices: NDArray[np.int64] = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
    return indices


def left_out_log_densities(
    points: AnyRows,
    mean: NDArray[np.float64],
    norms: NDArray[np.float64],
    queries: NDArray[np.int64],
    folds: Folds,
    bandwidths: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log-densities ``(Q, K)`` of some points under the full sum over the other folds, nats.

    Args:
        points: ``(N, D)``.
        mean: ``(D,)``, about that of the points.
        norms: ``(N,)`` squared distances of the points to it.
        queries: ``(Q,)`` indices of points.
        folds: ``(N,)``.
        bandwidths: ``(K,)``.
    """
    found = np.empty((len(queries), len(bandwidths)))
    for i in range(0, len(queries), _BLOCK):
        rows = queries[i : i + _BLOCK]
        centred = -2 * (points[rows] - mean)
        squared = np.empty((len(rows), len(points)))
        for j in range(0, len(points), _PIECE):
            squared[:, j : j + _PIECE] = centred @ (points[j : j + _PIECE] - mean).T
        squared += norms
        squared += norms[rows, None]
        same = folds[rows][:, None] == folds
        squared[same] = np.inf
        nearest = np.maximum(squared.min(axis=1), 0)
        squared -= nearest[:, None]
        counts = (~same).sum(axis=1)
        totals = kernel_sums(squared, bandwidths)
        found[i : i + _BLOCK] = np.log(totals / counts[:, None]) - nearest[:, None] / (2 * bandwidths**2)
    found -= points.shape[1] / 2 * np.log(2 * np.pi * bandwidths**2)
    return found


def kernel_sums(squared: NDArray[np.float64], bandwidths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over each row of ``exp(-squared / (2 b^2))``: ``(Q, N)`` and ``(K,)`` ascending to ``(Q, K)``.

    The kernel of a bandwidth half an octave narrower is the square, which takes a tenth of the time of an exponential.
    """
    sums = np.empty((len(squared), len(bandwidths)))
    held: dict[int, NDArray[np.float64]] = {}
    for k in reversed(range(len(bandwidths))):
        wider = [m for m in held if np.isclose(bandwidths[m], np.sqrt(2) * bandwidths[k], rtol=1e-12)]
        if wider:
            kernel = held.pop(wider[0])
            np.square(kernel, out=kernel)
        else:
            kernel = np.exp(squared * (-0.5 / bandwidths[k] ** 2))
        sums[:, k] = kernel.sum(axis=1)
        held = dict([*held.items(), (k, kernel)][-2:])
    return sums


def _coordinates(
    points: AnyRows, mean: NDArray[np.float64], directions: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    coordinates = np.empty((len(points), len(directions)), np.float32)
    norms = np.empty(len(points))
    for i in range(0, len(points), _PIECE):
        centred = points[i : i + _PIECE] - mean
        coordinates[i : i + _PIECE] = centred @ directions.T.astype(np.float64)
        norms[i : i + _PIECE] = (centred**2).sum(axis=1)
    return coordinates, norms


def _representatives(coordinates: NDArray[np.float32], folds: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Number of each point's representative, from 0 on without gaps: its own, or one by k-means within pieces of a fold."""
    count = len(coordinates)
    if count <= most:
        return np.arange(count)
    representative = np.empty(count, np.int64)
    used = 0
    for piece in _pieces(folds):
        clusters = max(int(len(piece) * most / count), 1)
        labels = KMeans(clusters, n_init=1, max_iter=20, random_state=0).fit(coordinates[piece]).labels_
        _, numbers = np.unique(labels, return_inverse=True)
        representative[piece] = used + numbers
        used += int(numbers.max()) + 1
    return representative


def _pieces(folds: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Stretches of each fold, of at most about a thousand frames."""
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        yield from np.array_split(inside, -(-len(inside) // _PIECE))


def fold_numbers(count: int, folds: int, groups: Sequence[str] | None) -> NDArray[np.int64]:
    """A number for each of ``count`` points: of its group, or of its contiguous block."""
    if groups is not None:
        numbers: NDArray[np.int64] = np.unique(np.asarray(groups), return_inverse=True)[1]
        return numbers
    return np.repeat(np.arange(folds), [len(block) for block in np.array_split(np.arange(count), folds)])
