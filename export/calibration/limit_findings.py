# SPDX-License-Identifier: Apache-2.0
"""Say beforehand what limits of tiles and objects can promise with so many frames and drives, and how many more it takes."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from export.answers.fit_map import OBJECT_RATES
from export.answers.fit_tiles import FALSE_ALARM_RATE
from export.answers.frame_limit import LimitRule, fewest_units
from export.calibration.answer_options import MAP, TILES
from export.calibration.cutout_fit import JUDGING_SHARE, map_groups
from export.calibration.degraded_rows import CLEAN
from export.findings import Finding
from export.frames.evenly_spaced import evenly_spaced
from lsood_runtime.offline import at_most_words, counted


def limit_findings(
    fitted: NDArray[np.int64],
    names: Callable[[NDArray[np.int64]], Sequence[str]],
    answers: Collection[str],
    seed: int,
) -> list[Finding]:
    """A finding for each limit, which says what keeps it from the rate that is wanted for frames of a new drive.

    Args:
        fitted: indices of the calibration frames that answers are fitted on.
        names: of the drives of frames, by their indices.
        answers: names of those that are wanted; of them tiles and map have a limit.
        seed: of the deal of the drives.
    """
    found, drives = [], names(evenly_spaced(fitted, CLEAN))
    if TILES in answers:
        found.append(_finding("false tiles", drives, (FALSE_ALARM_RATE,), 1.0))
    if MAP in answers and len(drives) > 1:
        judging = np.asarray(drives)[map_groups(drives, seed)[1]].tolist()
        found.append(_finding("false objects", judging, OBJECT_RATES, JUDGING_SHARE))
    return found


def _finding(subject: str, drives: Sequence[str], rates: Sequence[float], share: float) -> Finding:
    """What frames of these drives can promise; they are a share of all calibration drives."""
    rule = LimitRule.of_drives(drives, rates)
    of = "a new drive" if rule.guarantee == "drives" else "known drives"
    value = f"on at most {at_most_words(rule.rate)} of clean frames of {of}"
    set_by = f"{counted(len(drives), 'frame')} of {counted(len(set(drives)), 'drive')}"
    if (rule.rate, rule.guarantee) == (rates[0], "drives"):
        return Finding(subject, value, "found", f"by {set_by}")
    needed = fewest_units(rates[0])
    of_all = "" if share == 1 else f", about {round(needed / share)} in all, of which these are two in five"
    reason = f"by {set_by}; {at_most_words(rates[0])} of a new drive takes {needed} drives{of_all}"
    return Finding(subject, value, "found", reason)
