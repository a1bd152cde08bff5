# SPDX-License-Identifier: Apache-2.0
"""How a frame continues the history of its camera."""

from enum import StrEnum


class History(StrEnum):
    """How the evidence of a frame is added to that of the frames before it."""

    BEGINS = "begins"
    """The first frame of the camera."""
    CONTINUES = "continues"
    """It follows the last frame."""
    OTHER_CLOCK = "other_clock"
    """It follows an earlier frame than the last, since two clocks stamp the frames of this camera, as two publishers do."""
    REPEATED = "repeated"
    """The last frame once more, with the same stamp and the same image: it does not count twice."""
    AFTER_GAP = "after_gap"
    """It begins anew, since no frame came for longer than the policy looks back, or the clock went ahead by as much."""
    AFTER_STEP = "after_step"
    """It begins anew, since the clock was set back by more than a second, or another recording begins."""
