# SPDX-License-Identifier: Apache-2.0
"""Count the false alarms of each drive: a threshold that holds on average may still fail on a whole drive."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOSTLY = 0.5
"""Share of a drive's frames above which the drive counts as flagged."""


@dataclass(frozen=True)
class DriveAlarms:
    """False alarms of one drive.

    Attributes:
        drive: its name.
        frames: how many it has.
        flagged: how many of them are above the threshold.
    """

    drive: str
    frames: int
    flagged: int

    @property
    def share(self) -> float:
        """Share of the frames that is flagged."""
        return self.flagged / self.frames

    @property
    def mostly_flagged(self) -> bool:
        """Whether more than half of the frames are flagged."""
        return self.share > MOSTLY


def drive_alarms(drives: Sequence[str], flagged: NDArray[np.bool_]) -> tuple[DriveAlarms, ...]:
    """Count frames and flagged frames of each drive, the largest share first; none where there is a single drive.

    Args:
        drives: ``(n,)`` names.
        flagged: ``(n,)``.
    """
    names, units = np.unique(np.asarray(drives), return_inverse=True)
    if len(names) < 2:
        return ()
    frames = np.bincount(units)
    alarms = np.bincount(units, weights=flagged)
    rows = [DriveAlarms(str(name), int(n), int(k)) for name, n, k in zip(names, frames, alarms, strict=True)]
    return tuple(sorted(rows, key=lambda row: (-row.share, -row.frames, row.drive)))
