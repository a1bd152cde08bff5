# SPDX-License-Identifier: Apache-2.0
"""Drift: measure how far the distribution of the scores of a drive, or of a fleet, is from the calibration's."""

import hashlib
import json
import math
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._arguments import check_number, check_type
from lsood_runtime._bundle.records import CalibrationRecord
from lsood_runtime._exceptions import BundleError
from lsood_runtime._text.counted import counted
from lsood_runtime._text.json_values import parse_json

_BINS, _SMOOTHING = 10, 0.5
_LARGE, _LEVEL = 0.25, 0.95
_DRAWS = 2000
_WITHOUT = "without any at most 5% of drives are above"


class ScoreHistogram:
    """Counts of scores between the deciles of the calibration scores. Histograms of many drives add up.

    Not safe to change from several threads at once; a stream takes care of its own.

    Args:
        calibration: whose deciles are the edges.
    """

    def __init__(self, calibration: CalibrationRecord) -> None:
        check_type(calibration, CalibrationRecord, "the calibration of a bundle", "pass manifest.calibration")
        scores = np.array(calibration.scores)
        self._edges = np.unique(np.quantile(scores, np.arange(1, _BINS) / _BINS))
        self._expected = np.bincount(self._bins(scores), minlength=len(self._edges) + 1)
        self._effective = max(1.0, calibration.effective_frames)
        self._share_independent = min(1.0, self._effective / len(scores))
        self._calibration = hashlib.sha256(scores.tobytes()).hexdigest()
        self.counts = np.zeros_like(self._expected)

    def add(self, score: float) -> None:
        """Count one score; ``inf`` counts as the highest.

        Raises:
            TypeError: no number.
            ValueError: NaN, which lies between no edges.
        """
        check_number(score, "a score", "pass that of an assessment", lambda number: not math.isnan(number))
        self.counts[self._bins(np.array([score]))] += 1

    def merge(self, other: "ScoreHistogram") -> None:
        """Add the counts of another drive.

        Raises:
            TypeError: no histogram.
            BundleError: its bundle has another calibration.
        """
        check_type(other, ScoreHistogram, "a ScoreHistogram", "read one with from_json")
        if other._calibration != self._calibration:
            raise BundleError(
                "expected a histogram of the same calibration, got one of another bundle: merge those of one bundle"
            )
        self.counts = self.counts + other.counts

    @property
    def population_stability_index(self) -> float:
        """``sum (a - e) log(a / e)`` over the shares ``a`` of scores and ``e`` of calibration scores; 0 for no scores.

        Half a score is added to each bin. By the usual rule 0.1 is a moderate drift, 0.25 a large one. Few scores, or few
        independent calibration scores, exceed that by chance: compare it with :meth:`index_by_chance`.
        """
        return float(_index(self.counts, self._expected)) if self.counts.sum() else 0.0

    def index_by_chance(self, level: float = _LEVEL) -> float:
        """The index that at least this share of drives without drift stay below, for as many scores as these; simulated.

        Scores are as correlated as those of the calibration; that the calibration is a draw itself is taken into account.
        The levels of drives that differ from each other are not: where they do, the index of a new drive is higher.

        Raises:
            TypeError: no number.
            ValueError: the level is not between 0 and 1.
        """
        check_number(level, "a level between 0 and 1", "0.95 is the default", lambda share: 0 < share < 1)
        count, known = int(self.counts.sum()), int(self._expected.sum())
        if count == 0:
            return 0.0
        rng, shares = np.random.default_rng(0), self._expected / known
        seen = _draw(rng, count, count * self._share_independent, shares)
        expected = _draw(rng, known, self._effective, shares)
        return float(np.quantile(_index(seen, expected), level))

    def __str__(self) -> str:
        """The index beside what chance gives; withheld without a score, and where chance alone often makes a large drift."""
        count = int(self.counts.sum())
        if not count:
            return "withheld, no frame has a score"
        chance = self.index_by_chance()
        if chance > _LARGE:
            scores = counted(count, "score tells", plural="scores tell")
            return f"withheld, {scores} no drift: {_WITHOUT} {chance:.2f}"
        return f"{self.population_stability_index:.2f}, {_WITHOUT} {chance:.2f}"

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
            values = parse_json(text)
            same, counts = values["calibration"] == histogram._calibration, np.array(values["counts"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
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


def _draw(rng: np.random.Generator, count: int, effective: float, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(draws, bins)`` counts of ``count`` scores that are worth fewer independent ones."""
    independent = max(1, round(effective))
    return np.asarray(rng.multinomial(independent, shares, size=_DRAWS) * (count / independent), np.float64)


def _index(
    seen: NDArray[np.int64] | NDArray[np.float64], expected: NDArray[np.int64] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """The population stability index over the last axis."""
    seen, expected = (np.asarray(counts, np.float64) + _SMOOTHING for counts in (seen, expected))
    seen, expected = (counts / counts.sum(-1, keepdims=True) for counts in (seen, expected))
    return np.asarray(((seen - expected) * np.log(seen / expected)).sum(-1), np.float64)
