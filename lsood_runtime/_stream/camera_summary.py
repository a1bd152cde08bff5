# SPDX-License-Identifier: Apache-2.0
"""Counts of what a camera sent to a stream."""

from dataclasses import dataclass

from lsood_runtime._stream.history import History


@dataclass(slots=True)
class CameraSummary:
    """Counts of the frames of one camera, and of what was wrong with them.

    Attributes:
        frames: that came, those that never became an image included.
        invalid: INVALID ones, for any reason.
        frozen: of these, those of a camera that sends the same image again and again.
        faulty_tiles: of these, those of which many tiles were black, saturated, of one colour or frozen.
        clock_faults: of these, those whose stamp no working clock gives.
        repeated: frames that came twice, and count once.
        gaps: after which the history began anew.
        steps: of the clock, after which the history began anew.
        other_clock: frames by another clock than that of the frame before.
        silent: reports that the camera sends nothing.
        alarms: that were raised.
        quality_alarms: that were raised by the expected quality.
    """

    frames: int = 0
    invalid: int = 0
    frozen: int = 0
    faulty_tiles: int = 0
    clock_faults: int = 0
    repeated: int = 0
    gaps: int = 0
    steps: int = 0
    other_clock: int = 0
    silent: int = 0
    alarms: int = 0
    quality_alarms: int = 0

    def count(self, history: History, *, invalid: bool, onset: bool) -> None:
        """Count how a frame continues the history, whether it is INVALID, and whether it raised an alarm."""
        self.invalid += invalid
        self.alarms += onset
        self.repeated += history is History.REPEATED
        self.gaps += history is History.AFTER_GAP
        self.steps += history is History.AFTER_STEP
        self.other_clock += history is History.OTHER_CLOCK
