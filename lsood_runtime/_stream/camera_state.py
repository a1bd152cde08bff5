# SPDX-License-Identifier: Apache-2.0
"""State that a stream keeps for one camera."""

import numpy as np

from lsood_runtime._exceptions import FrameError
from lsood_runtime._inference.arrays import as_array
from lsood_runtime._stream.drift import ScoreHistogram
from lsood_runtime._stream.policy import AlarmState


class CameraState:
    """Alarm, drift and repeated frames of one camera.

    Attributes:
        alarm: of the policy.
        drift: scores so far.
        since_ns: stamp of the frame that raised the alarm; None without one.
        last_ns: the latest stamp.
        count: frames so far.
    """

    def __init__(self, alarm: AlarmState, drift: ScoreHistogram) -> None:
        self.alarm, self.drift = alarm, drift
        self.since_ns: int | None = None
        self.last_ns, self.count = -(2**62), 0
        self._contents: bytes | None = None
        self._repeats = 0

    def count_repeats(self, frame: object) -> int:
        """Count the identical frames in a row, with this one; frames on a device are not compared."""
        try:
            array = as_array(frame)
        except FrameError:
            array = None
        contents = array.tobytes() if isinstance(array, np.ndarray) else None
        self._repeats = self._repeats + 1 if contents is not None and contents == self._contents else 1
        self._contents = contents
        return self._repeats
