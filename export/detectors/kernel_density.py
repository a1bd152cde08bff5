# SPDX-License-Identifier: Apache-2.0
"""Kernel density over entropy vectors, as a scikit-learn estimator.

The kernel density is the exact sum. scikit-learn's own ``KernelDensity`` prunes a tree at its default leaf size and loses
the density where it is small: far from the training points, where a monitor has to decide, it is wrong by tens to hundreds of
nats.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from skl2onnx.algebra.onnx_operator import OnnxOperator
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from export.detectors.compressed_density import CompressedDensity
from export.detectors.density_graph import density_operators
from export.detectors.fit_compressed import fit_compressed, fold_numbers
from export.detectors.full_density import left_out_densities
from export.detectors.onnx_operators import gaussian_log_density
from export.features.rows import RowBlocks
from export.frames.evenly_spaced import evenly_spaced

EXACT_NUMBERS = 2_500_000
"""Numbers (points times dimensions) above which a density is compressed: 20 MB in float64."""

_NUMBERS = 2**18
"""Distances that are held at a time."""

_QUERIES = 1024
"""Points by which a bandwidth is chosen, at most."""

_GRID = 2.0 ** np.arange(-4, 3.01, 0.25)


class ExactKernelDensity(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """Gaussian kernel density, summed over every training point.

    ``log p(h) = logsumexp_i(-|h - h_i|^2 / (2 b^2)) - log N - D/2 log(2 pi b^2)``

    Args:
        bandwidth: b, in the units of the data; or ``"likelihood"``: the one of 29 values, spaced by a quarter of an octave
            around Silverman's rule, under which blocks of consecutive points are most likely given the other blocks.
        folds: number of those blocks; ``fit`` may be given drives to leave out in their place. Consecutive video frames
            nearly repeat each other; with single points left out, the bandwidth would fit the distance between neighbours.

    Attributes:
        points_: ``(N, D)`` float64, the training points.
        bandwidth_: the bandwidth in use.
        n_features_in_: D.
    """

    def __init__(self, bandwidth: float | str = "likelihood", folds: int = 5) -> None:
        self.bandwidth = bandwidth
        self.folds = folds

    def fit(self, X: ArrayLike, y: None = None, groups: Sequence[str] | None = None) -> Self:  # noqa: ARG002
        """Keep the points, ``(N, D)``, and choose the bandwidth.

        Args:
            X: points in the order of recording.
            y: ignored.
            groups: ``(N,)`` drives: whole drives are left out in turn, in place of contiguous blocks.

        Raises:
            ValueError: fewer than two points for each fold, a bandwidth that is not above zero, or points that all coincide.
        """
        points: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if self.bandwidth == "likelihood":
            self.bandwidth_ = likelihood_bandwidth(points, self.folds, groups)
        else:
            self.bandwidth_ = _checked(self.bandwidth)
        self.points_ = points
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-density of each row of ``X``, ``(M, D)``; ``(M,)`` float64, nats; higher = closer to the training points."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        size = max(_NUMBERS // len(self.points_), 1)
        blocks = [
            _log_density(cdist(rows[i : i + size], self.points_, "sqeuclidean"), self.bandwidth_, rows.shape[1])
            for i in range(0, len(rows), size)
        ]
        return np.concatenate(blocks)

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        return gaussian_log_density(rows, self.points_, self.bandwidth_, opset)

    def score(self, X: ArrayLike, y: None = None) -> float:  # noqa: ARG002
        """Total log-likelihood of ``X``, nats."""
        return float(self.score_samples(X).sum())


class KernelDensityDetector(ExactKernelDensity):
    """Gaussian kernel density: the exact sum, or compressed where there are too many points for a vehicle.

    Args:
        bandwidth: as for :class:`ExactKernelDensity`; compressed, it is the likeliest for 1,024 evenly spaced points.
        folds: as there.
        exact_numbers: points times dimensions up to which the sum is exact.

    Attributes:
        compressed_: the compressed density; None where the sum is exact.
        representatives_: their number; with the next three only of a compressed density.
        measured_error_: largest error of the score, nats, measured against the full sum on left-out frames; its mean apart.
        rank_agreement_: Spearman's correlation of the scores with the full sum's, on the same frames.
        verdict_agreement_: share of these frames that are both or neither among the 5 % of the highest scores.
        error_bound_: largest proven bound of the error on the same frames, nats.
        bandwidth_: the bandwidth in use.
        points_: ``(N, D)`` float64, of an exact sum alone.
        n_features_in_: D.
    """

    def __init__(
        self, bandwidth: float | str = "likelihood", folds: int = 5, exact_numbers: int = EXACT_NUMBERS
    ) -> None:
        super().__init__(bandwidth, folds)
        self.exact_numbers = exact_numbers

    def fit(self, X: ArrayLike | RowBlocks, y: None = None, groups: Sequence[str] | None = None) -> Self:
        """Keep the points, or representatives of them, and choose the bandwidth; arguments as for the exact sum.

        Raises:
            ValueError: as for the exact sum.
        """
        points = RowBlocks.of(
            X
            if isinstance(X, RowBlocks)
            else validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        )
        self.n_features_in_ = points.shape[1]
        self.compressed_: CompressedDensity | None = None
        if points.shape[0] * points.shape[1] <= self.exact_numbers:
            return super().fit(np.asarray(points), y, groups)
        several = groups is not None and len(set(groups)) > 1
        folds = fold_numbers(len(points), self.folds, groups if several else None)
        likelihood = self.bandwidth == "likelihood"
        candidates = _candidates(points, self.folds) if likelihood else np.zeros(0)
        self.compressed_, measured = fit_compressed(
            points, folds, None if likelihood else _checked(self.bandwidth), candidates
        )
        self.bandwidth_ = self.compressed_.bandwidth
        self.representatives_ = float(len(self.compressed_.codes))
        self.measured_error_, self.rank_agreement_ = measured.error, measured.agreement
        self.verdict_agreement_ = measured.verdicts
        self.error_bound_ = measured.bound
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-density of each row of ``X``, ``(M, D)``; ``(M,)`` float64, nats; higher = closer to the training points."""
        check_is_fitted(self)
        if self.compressed_ is None:
            return super().score_samples(X)
        return self.compressed_.log_density(validate_data(self, X, dtype=np.float64, reset=False))

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        if self.compressed_ is None:
            return super().onnx_score(rows, opset)
        return density_operators(self.compressed_, rows, opset)


def _checked(bandwidth: float | str) -> float:
    """A bandwidth that is given as a number.

    Raises:
        ValueError: another word than likelihood, or a number that is not above 0.
    """
    if isinstance(bandwidth, str):
        raise ValueError(f"expected a number or 'likelihood' as bandwidth, got {bandwidth!r}: give one of these")
    if not bandwidth > 0:
        raise ValueError(f"expected a bandwidth above 0, got {bandwidth}: 'likelihood' chooses one")
    return float(bandwidth)


def _candidates(points: NDArray[np.floating] | RowBlocks, folds: int) -> NDArray[np.float64]:
    """29 bandwidths, spaced by a quarter of an octave around Silverman's rule.

    Raises:
        ValueError: too few points for the folds, or points that all coincide.
    """
    count, dimensions = points.shape
    if count < 2 * folds:
        raise ValueError(
            f"expected at least {2 * folds} points to choose a bandwidth by {folds} folds, got {count}: "
            "fit more, or give a bandwidth"
        )
    spread = _spread(RowBlocks.of(points))
    if spread == 0:
        raise ValueError(f"expected points that differ, got {count} identical ones: no bandwidth fits them")
    candidates: NDArray[np.float64] = spread * (4 / (dimensions + 2) / count) ** (1 / (dimensions + 4)) * _GRID
    return candidates


def _spread(rows: RowBlocks) -> float:
    """Root of the mean variance of the columns."""
    count, first = len(rows), rows[:1]
    mean = first + sum((block - first).sum(axis=0) for block in rows) / count
    squares = sum(float(((block - mean) ** 2).sum()) for block in rows)
    return float(np.sqrt(squares / count / rows.shape[1]))


def likelihood_bandwidth(points: NDArray[np.float64], folds: int = 5, groups: Sequence[str] | None = None) -> float:
    """Choose the bandwidth of highest held-out likelihood over contiguous blocks, of up to 1,024 evenly spaced points.

    Args:
        points: ``(N, D)`` in the order in which they were recorded.
        folds: number of contiguous blocks, each left out in turn.
        groups: ``(N,)`` names, at least two different ones; each group is left out in turn, in place of blocks.

    Returns:
        Bandwidth, in the units of the points.

    Raises:
        ValueError: too few points for the folds, or points that all coincide.
    """
    count = len(points)
    candidates = _candidates(points, folds)
    fold = fold_numbers(count, folds, groups)
    places = evenly_spaced(np.arange(count), _QUERIES)
    densities, _ = left_out_densities(RowBlocks.of(points), points.mean(axis=0), places, fold, candidates)
    return float(candidates[np.argmax(densities.sum(axis=0))])


def _log_density(squared: NDArray[np.float64], bandwidth: float, dimensions: int) -> NDArray[np.float64]:
    """Log-densities ``(M,)`` of ``(M, N)`` squared distances."""
    constant = np.log(squared.shape[1]) + dimensions / 2 * np.log(2 * np.pi * bandwidth**2)
    result: NDArray[np.float64] = logsumexp(-squared / (2 * bandwidth**2), axis=1) - constant
    return result
