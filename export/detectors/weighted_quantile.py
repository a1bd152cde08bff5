# SPDX-License-Identifier: Apache-2.0
"""Weights of frames by frames or by drives, and the score that at most a share of such frames exceeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
_ROUNDING = 1e-9
"""A rate such as 0.05 is not exact in binary: without it 19 scores would be one too few for 0.05."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of the frames in a rate, and the units that are exchangeable with a new one.

    Attributes:
        frame: ``(n,)`` weight of each frame, summing to 1.
        drive: ``(n,)`` index of its drive.
        unit: ``frames`` or ``drives``.
        units: m, how many there are.
        heaviest: the largest weight of one unit; 1 / m where all weigh the same.
    """

    frame: NDArray[np.float64]
    drive: NDArray[np.int64]
    unit: str
    units: int
    heaviest: float

    @property
    def drives(self) -> int:
        """G, the number of drives."""
        return int(self.drive[-1:].size and self.drive.max() + 1)

    def above(self, scores: Scores, threshold: float) -> float:
        """``p(t)``, the weighted share of the scores above a threshold."""
        return float(self.frame[scores > threshold].sum())


def weigh_frames(drives: Sequence[str], unit: str, weigh: str) -> Weights:
    """Weigh frames equally, or drives equally and the frames of each alike.

    Args:
        drives: ``(n,)`` names.
        unit: ``frames`` or ``drives``: what is exchangeable with a new one.
        weigh: ``frames`` or ``drives``: what counts the same.
    """
    names, drive, sizes = np.unique(np.asarray(drives, np.str_), return_inverse=True, return_counts=True)
    frame = np.full(len(drives), 1 / max(len(drives), 1)) if weigh == "frames" else 1 / (len(names) * sizes[drive])
    heaviest = frame if unit == "frames" else np.bincount(drive, frame)
    units = len(drives) if unit == "frames" else len(names)
    return Weights(frame, drive, unit, units, float(heaviest.max(initial=0)))


def allowed_share(units: int, false_alarm_rate: float) -> float:
    """The largest ``p(t)`` that the rule allows: the rate less the margin for m units, ``rate - (1 - rate) / m``."""
    return false_alarm_rate - (1 - false_alarm_rate) / units


def quantile(scores: Scores, weights: Weights, share: float) -> float:
    """Find the smallest score above which lies at most this weighted share of the scores."""
    order = np.argsort(scores)
    ordered = scores[order]
    upto = np.cumsum(weights.frame[order])
    last_equal = np.searchsorted(ordered, ordered, side="right") - 1
    holds = upto[-1] - upto[last_equal] <= share + _ROUNDING
    return float(ordered[int(np.argmax(holds))])
