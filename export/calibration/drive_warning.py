# SPDX-License-Identifier: Apache-2.0
"""Warn where drives differ so much that a threshold of one does not hold on another."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom

from export.calibration.autocorrelation import effective_frames, hold_still
from export.calibration.conformal import check_rate, conformal_threshold

Scores = NDArray[np.float64]
_CHANCE = 0.003
"""Probability of a warning where all drives are alike."""


def drive_warning(
    scores: Scores, drives: Sequence[str], false_alarm_rate: float, still: NDArray[np.bool_] | None = None
) -> str | None:
    """Warn where the threshold of one drive does not hold on another; None where it holds on all.

    For frames of one distribution the number of frames of the second drive above the threshold is beta-binomial: the rate of
    the order statistic is Beta-distributed. Both drives count by their effective numbers of frames, and the allowed
    probability is shared out among all pairs of drives, so that many drives of a few frames do not raise it by chance.

    Args:
        scores: ``(n,)`` in the order of recording within each drive.
        drives: ``(n,)`` names.
        false_alarm_rate: of the thresholds that are tried.
        still: as for :func:`~export.calibration.autocorrelation.effective_frames`.

    Raises:
        CalibrationError: the rate is not in (0, 1).
    """
    check_rate(false_alarm_rate)
    names = np.asarray(drives)
    parts = {str(name): scores[names == name] for name in np.unique(names)}
    held = scores if still is None else hold_still(scores, drives, still)
    effective = {name: effective_frames(held[names == name], [name] * len(part)) for name, part in parts.items()}
    enough = max(math.ceil(round(1 / false_alarm_rate, 9)) - 1, 1)
    judges = [name for name, part in parts.items() if len(part) >= enough]
    least, found = _CHANCE / max(len(judges) * (len(parts) - 1), 1), None
    for a in judges:
        own, threshold = parts[a], conformal_threshold(parts[a], false_alarm_rate)
        above, scale = int((own > threshold).sum()) + 1, effective[a] / len(own)
        for b, other in parts.items():
            share, count = float((other > threshold).mean()), max(1, round(effective[b]))
            by_chance = betabinom.sf(
                math.floor(share * count) - 1, count, above * scale, (len(own) + 1 - above) * scale
            )
            if a != b and by_chance < least:
                least, found = float(by_chance), (share, a, b)
    if found is None:
        return None
    share, a, b = found
    return (
        f"a threshold of drive {a} for {false_alarm_rate:.0%} false alarms flags {share:.0%} of drive {b}: drives differ, "
        "so rely on the rate for new drives, and calibrate on more of them"
    )
