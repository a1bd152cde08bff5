# SPDX-License-Identifier: Apache-2.0
"""How far what was fitted on some drives is to be believed on another one, by the number of drives.

Credibility in the sense of Bühlmann (1967): of n drives, ``n / (n + k)``, with k the number of drives at which the spread
within a drive and the spread between drives tell equally much. A part that was fitted on one road finds every other road far
off, and what is done to a frame there hardly further; a score that nothing fitted, such as the energy, has no such bias.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

HALF_CREDIBLE = 8.0
"""Drives at which a fitted part has half of its weight: k. Chosen on halves, sixteenths and single drives of IDD-lite."""


def effective_drives(drives: Sequence[str]) -> float:
    """Number of drives of equal size whose mean varies as much as the mean over these: at most the number of drives.

    Args:
        drives: ``(N,)`` drive of each frame, at least one.
    """
    frames = np.array(list(Counter(drives).values()), np.float64)
    return float(frames.sum() ** 2 / (frames**2).sum())


def credibility(drives: Sequence[str]) -> float:
    """Share of its weight that a part keeps which these drives fitted, in (0, 1).

    Args:
        drives: ``(N,)`` drive of each frame, at least one.
    """
    number = effective_drives(drives)
    return number / (number + HALF_CREDIBLE)


def drives_advice(drives: Sequence[str], *, named: bool) -> str | None:
    """Say what a sum lacks whose fitted parts have less than half of their weights, and what to do; else None.

    Args:
        drives: ``(N,)`` drive of each frame, at least one.
        named: whether a rule named them; without one all frames are one drive.
    """
    share = credibility(drives)
    if share >= 0.5:
        return None
    return (
        f"the frames count as {effective_drives(drives):.1f} drives of equal size: the parts that they fit keep "
        f"{share:.0%} of their weights in the sum, since on another road these say more of the road than of what is wrong; "
        f"{'' if named else 'name the drives by --group-by, or '}calibrate on more of them: {HALF_CREDIBLE:.0f} give half of "
        "the weights"
    )
