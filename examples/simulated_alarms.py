# SPDX-License-Identifier: Apache-2.0
"""Count the alarms of a rule on simulated drives, for many simulated calibrations at once, without a stream for each."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from export.calibration.conformal import conformal_threshold
from lsood_runtime import Hysteresis, KOfN, Manifest, MinimumDuration, parse_policy

Scores = NDArray[np.float64]

FRAMES_PER_SECOND = 10.0


def manifest_of(layout: Manifest, known: Scores, effective: float) -> Manifest:
    """A manifest with these calibration scores and their threshold for 5 %."""
    point = dataclasses.replace(layout.threshold, value=conformal_threshold(known, 0.05), false_alarm_rate=0.05)
    calibration = dataclasses.replace(
        layout.calibration, scores=tuple(np.sort(known).tolist()), effective_frames=effective
    )
    return dataclasses.replace(layout, calibration=calibration, operating_points={layout.operating_point: point})


def onsets(flags: NDArray[np.bool_], rule: KOfN | MinimumDuration) -> int:
    """Alarms of a rule on the flags of many drives, ``(drives, frames)``, by sums over windows."""
    if isinstance(rule, MinimumDuration):
        frames = math.ceil(rule.seconds * FRAMES_PER_SECOND - 1e-9) + 1
        held = math.floor(rule.hold_seconds * FRAMES_PER_SECOND + 1e-9) + 1
        raised, kept = _at_least(flags, frames, frames), _at_least(flags, 1, held)
        place = np.arange(1, flags.shape[1] + 1)
        last_raised, last_cleared = (
            np.maximum.accumulate(np.where(event, place, 0), axis=1) for event in (raised, ~kept)
        )
        return _begins(last_raised > last_cleared)
    return _begins(_at_least(flags, rule.k, rule.n))


def _at_least(flags: NDArray[np.bool_], k: int, n: int) -> NDArray[np.bool_]:
    sums = np.cumsum(np.pad(flags, ((0, 0), (n, 0))), axis=1, dtype=np.int32)
    result: NDArray[np.bool_] = sums[:, n:] - sums[:, :-n] >= k
    return result


def _begins(alarm: NDArray[np.bool_]) -> int:
    return int((alarm[:, 1:] & ~alarm[:, :-1]).sum() + alarm[:, 0].sum())


def cusum_alarms(layout: Manifest, rule: str, known: Scores, effective: Scores, drive: Scores) -> Scores:
    """Alarms of a CUSUM on one drive for each of many calibrations, ``(C, n)``, by Page's recursion for all at once."""
    policy, count = parse_policy(rule), known.shape[1]
    states = [policy.start(manifest_of(layout, row, e).calibration) for row, e in zip(known, effective, strict=True)]
    height, share, log_mean = (
        np.array([getattr(s, name) for s in states]) for name in ("_height", "_share", "_log_mean")
    )
    log_e = -0.5 * np.log(np.arange(1, count + 2) / (count + 1))
    total, alarm, alarms = np.zeros(len(known)), np.zeros(len(known), bool), np.zeros(len(known))
    for start in range(0, len(drive), 2000):
        part = drive[start : start + 2000]
        ranks = np.stack([count - np.searchsorted(row, part) for row in known], axis=1)
        for steps in (log_e[ranks] - log_mean) * share:
            total = np.clip(total + steps, 0, height)
            now = (total >= height) | (alarm & (total > 0))
            alarms += now & ~alarm
            alarm = now
    return alarms


def hysteresis_alarms(rule: Hysteresis, known: Scores, drives: Scores) -> Scores:
    """Alarms of a hysteresis on drives, ``(drives, frames)``, for each of many sorted calibrations, ``(C, n)``.

    A p-value is at most p where the score is above the one of rank ``p (n + 1)`` from the top.
    """
    count, place = known.shape[1], np.arange(1, drives.shape[1] + 1)
    ranks = [max(math.floor(p * (count + 1) + 1e-9), 1) for p in (rule.raise_at, rule.clear_at)]
    alarms = np.empty(len(known))
    for i, (raised, cleared) in enumerate(known[:, [count - rank for rank in ranks]]):
        last_raised, last_cleared = (
            np.maximum.accumulate(np.where(event, place, 0), axis=1) for event in (drives > raised, drives <= cleared)
        )
        alarms[i] = _begins(last_raised > last_cleared)
    return alarms
