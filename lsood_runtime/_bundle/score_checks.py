# SPDX-License-Identifier: Apache-2.0
"""Check that thresholds and tolerances follow from the calibration scores that the manifest keeps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.records import CalibrationRecord, GoldenRecord, OperatingPoint, ParityRecord, PrecisionRecord
from lsood_runtime._bundle.value_checks import Check

TOLERANCE_SHARES = {"cpu": 0.02, "gpu": 0.2}
"""Tolerance of a golden score by kind of provider: a share of the interquartile range of the calibration scores."""

SMALLEST_SPREAD = 1e-3
"""What counts as the interquartile range where it is smaller."""

FRESH_DEVIATIONS = 10
"""For fresh masks: how many standard deviations of a golden frame's own scores are allowed on top."""

PIXEL_SHARES, PIXEL_FACTOR, MOST_PIXELS = {"cpu": 0.005, "gpu": 0.02}, 2.0, 0.1
"""Share of the pixels of a golden frame that may get another class: by kind of provider, with a factor of what the export
measured against PyTorch and, for fewer bits, against float32, and at most."""

_ROUNDING = 1e-8


def score_range(scores: NDArray[np.float64]) -> float:
    """How far calibration scores lie apart, and no less than counts as apart."""
    small = 2.0**-60  # a power of two rounds nothing, and differences of the largest numbers are finite
    return max((float(scores.max()) * small - float(scores.min()) * small) / small, SMALLEST_SPREAD)


def largest_tolerance(scores: NDArray[np.float64], mode: str, provider: str) -> float:
    """The largest tolerance that an export writes.

    With fresh masks chance moves the score of one frame: by no more than the calibration scores lie apart, or else the
    monitor tells nothing.

    Args:
        scores: of the calibration frames.
        mode: of the masks.
        provider: ``cpu`` or ``gpu``.
    """
    small = 2.0**-60
    quarter, three_quarters = map(float, np.quantile(scores * small, [0.25, 0.75]))
    by_chance = score_range(scores) if mode == "fresh" else 0.0
    spread = max((three_quarters - quarter) / small, SMALLEST_SPREAD)
    return TOLERANCE_SHARES[provider] * spread + FRESH_DEVIATIONS * by_chance


def of_tolerance(golden: GoldenRecord, calibration: CalibrationRecord, mode: str) -> Iterator[Check]:
    """Check that no tolerance is above what an export writes for these calibration scores."""
    scores = np.array(calibration.scores)
    for provider in TOLERANCE_SHARES:
        tolerance, largest = golden.tolerance[provider], largest_tolerance(scores, mode, provider)
        yield (
            f"golden.tolerance.{provider}",
            0 <= tolerance <= largest * (1 + _ROUNDING),
            f"from 0 to {largest:.6g}, by the calibration scores",
            tolerance,
        )


def pixel_tolerance(parity: ParityRecord, precision: PrecisionRecord, provider: str) -> float:
    """Share of the pixels of a golden frame that may get another class on a kind of provider."""
    measured = parity.segmentation_disagreement + precision.pixel_changes
    return min(MOST_PIXELS, PIXEL_SHARES[provider] + PIXEL_FACTOR * measured)


def of_pixels(golden: GoldenRecord, parity: ParityRecord, precision: PrecisionRecord) -> Iterator[Check]:
    """Check that no share of pixels is above what an export writes for what it measured."""
    shares = golden.pixel_changes
    yield "golden.pixel_changes", shares.keys() in ({"cpu", "gpu"}, set()), "cpu and gpu, or nothing", shares
    for provider, share in shares.items():
        largest = pixel_tolerance(parity, precision, provider)
        yield (
            f"golden.pixel_changes.{provider}",
            0 <= share <= largest * (1 + _ROUNDING),
            f"from 0 to {largest:.6g}, by what the export measured",
            share,
        )


def of_thresholds(points: Mapping[str, OperatingPoint], calibration: CalibrationRecord) -> Iterator[Check]:
    """Check that each threshold is the calibration score at the rank that its rate demands.

    It is the smallest score above which lies at most the share ``rate - (1 - rate) / units`` of the weight of all scores
    (docs/concepts/thresholds.md). Where drives weigh alike the manifest does not keep which score is of which drive: the
    share lies between those of the lightest and of the heaviest frames.
    """
    scores = np.array(calibration.scores)
    for name, point in points.items():
        where, guarantee = f"operating_points.{name}", point.guarantee
        weighed = _Weighed(calibration.drives, point.weigh or guarantee)
        units = len(calibration.drives) if guarantee == "drives" else len(scores)
        allowed = point.false_alarm_rate - (1 - point.false_alarm_rate) / units
        above = len(scores) - int(np.searchsorted(scores, point.value, side="right"))
        from_here = len(scores) - int(np.searchsorted(scores, point.value, side="left"))
        yield f"{where}.value", above < from_here, "one of the calibration scores", point.value
        smallest, largest = weighed.shares(above)[0], weighed.shares(from_here)[1]
        reached = allowed + _ROUNDING  # as the export compares: a share that is equal but for rounding is allowed
        fits = smallest <= reached + _ROUNDING and (largest > reached - _ROUNDING / 2 or from_here == len(scores))
        yield (
            f"{where}.value",
            fits,
            f"the smallest score above which at most {max(allowed, 0):.4%} of them lie, as the rate "
            f"{point.false_alarm_rate:g} demands",
            point.value,
        )


@dataclass(frozen=True)
class _Weighed:
    """Frames of drives, weighed alike, or by drives of equal weight."""

    drives: Mapping[str, int]
    weigh: str

    def shares(self, count: int) -> tuple[float, float]:
        """Weight of the ``count`` lightest and of the ``count`` heaviest frames, of the weight of all."""
        sizes = np.sort(np.array(list(self.drives.values())))[::-1]  # frames of long drives are light
        if self.weigh == "frames":
            return count / int(sizes.sum()), count / int(sizes.sum())
        return _weight_of_first(sizes, count), _weight_of_first(sizes[::-1], count)


def _weight_of_first(sizes: NDArray[np.int64], count: int) -> float:
    """Weight of the first frames of drives that weigh the same, drive after drive."""
    before = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    taken = np.clip(count - before, 0, sizes)
    return float((taken / sizes).sum() / len(sizes))
