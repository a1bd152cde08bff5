# SPDX-License-Identifier: Apache-2.0
"""Drift: measure how far the distribution of the scores of a drive, or of a fleet, is from the calibration's."""

import hashlib
import json
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.records import CalibrationRecord
from lsood_runtime._exceptions import BundleError

_BINS, _SMOOTHING = 10, 0.5


class ScoreHistogram:
    """Counts of scores between the deciles of the calibration scores. Histograms of many drives add up.

    Not safe to change from several threads at once; a stream takes care of its own.

    Args:
        calibration: whose deciles are the edges.
    """

    def __init__(self, calibration: CalibrationRecord) -> None:
        scores = np.array(calibration.scores)
        self._edges = np.unique(np.quantile(scores, np.arange(1, _BINS) / _BINS))
        self._expected = np.bincount(self._bins(scores), minlength=len(self._edges) + 1)
        self._calibration = hashlib.sha256(scores.tobytes()).hexdigest()
        self.counts = np.zeros_like(self._expected)

    def add(self, score: float) -> None:
        """Count one score; ``inf`` counts as the highest."""
        self.counts[self._bins(np.array([score]))] += 1

    def merge(self, other: "ScoreHistogram") -> None:
        """Add the counts of another drive.

        Raises:
            BundleError: its bundle has another calibration.
        """
        if other._calibration != self._calibration:
            raise BundleError(
                "expected a histogram of the same calibration, got one of another bundle: merge those of one bundle"
            )
        self.counts = self.counts + other.counts

    @property
    def population_stability_index(self) -> float:
        """``sum (a - e) log(a / e)`` over the shares ``a`` of scores and ``e`` of calibration scores; 0 for no scores.

        Half a score is added to each bin. By the usual rule 0.1 is a moderate drift, 0.25 a large one; few scores, or
        few independent calibration scores, exceed that by chance.
        """
        if not self.counts.sum():
            return 0.0
        seen, expected = self.counts + _SMOOTHING, self._expected + _SMOOTHING
        seen, expected = seen / seen.sum(), expected / expected.sum()
        return float(((seen - expected) * np.log(seen / expected)).sum())

    def to_json(self) -> str:
        """One line that :meth:`from_json` reads."""
        return json.dumps({"calibration": self._calibration, "counts": self.counts.tolist()})

    @classmethod
    def from_json(cls, text: str, calibration: CalibrationRecord) -> Self:
        """Read what :meth:`to_json` wrote, on this machine or another.

        Raises:
            BundleError: no such line, or one of another calibration.
        """
        histogram = cls(calibration)
        try:
            values = json.loads(text)
            same, counts = values["calibration"] == histogram._calibration, np.array(values["counts"])
        except (ValueError, TypeError, KeyError) as error:
            raise BundleError(
                f"expected a histogram of scores as JSON, cannot read it: {error}; pass what to_json wrote"
            ) from error
        if not same:
            raise BundleError(
                "expected a histogram of the same calibration, got one of another bundle: merge those of one bundle"
            )
        if counts.shape != histogram.counts.shape or counts.dtype.kind != "i" or counts.min() < 0:
            raise BundleError(
                f"expected {len(histogram.counts)} counts of at least 0, got {values['counts']}: pass what to_json wrote"
            )
        histogram.counts = counts
        return histogram

    def _bins(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.searchsorted(self._edges, scores, side="left")
