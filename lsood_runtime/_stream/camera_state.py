# SPDX-License-Identifier: Apache-2.0
"""State that a stream keeps for one camera."""

import threading
import time

from lsood_runtime._assessment import Assessment
from lsood_runtime._stream.camera_clock import CameraClock
from lsood_runtime._stream.camera_summary import CameraSummary
from lsood_runtime._stream.drift import ScoreHistogram
from lsood_runtime._stream.quality_drift import CameraQuality, QualityAlarm


class CameraState:
    """Frames by their clocks, drift and counts of one camera.

    Attributes:
        clock: the sequences of frames, with their alarms.
        drift: scores so far.
        quality: of the expected quality; None where it is not watched.
        summary: counts so far.
        since_ns: stamp of the frame that raised the alarm; None without one.
        last_ns: stamp of the last frame; None before the first.
        received: when the last frame came, of ``time.monotonic()``.
        silent_ns: for how long the camera has been reported silent since then.
        lock: held while any of these change.
    """

    def __init__(self, clock: CameraClock, drift: ScoreHistogram, quality: CameraQuality | None = None) -> None:
        self.clock, self.drift, self.quality, self.summary = clock, drift, quality, CameraSummary()
        self.since_ns: int | None = None
        self.last_ns: int | None = None
        self.received, self.silent_ns = time.monotonic(), 0
        self.lock = threading.Lock()

    def judge_quality(
        self,
        verdict: Assessment,
        *,
        stamped: bool,
        repeated: bool = False,
        index: int | None = None,
        elapsed_ns: int | None = None,
    ) -> QualityAlarm | None:
        """Take a verdict into what is known of the expected quality, and count its alarms; None where it is not watched.

        Args:
            verdict: on the frame.
            stamped: as for :meth:`CameraQuality.take`, and so are the others.
            repeated: as there.
            index: as there; None for the number of frames that came.
            elapsed_ns: as there.
        """
        if self.quality is None:
            return None
        place = self.summary.frames if index is None else index
        alarm = self.quality.take(verdict, place, stamped=stamped, repeated=repeated, elapsed_ns=elapsed_ns)
        self.summary.quality_alarms += alarm.onset
        return alarm

    def age_s(self, now_ns: int | None) -> float:
        """Seconds since the last frame.

        Args:
            now_ns: on the clock of the stamps; None, or a time before the last stamp, for the time since it was received.
        """
        if now_ns is None or self.last_ns is None or now_ns < self.last_ns:
            return time.monotonic() - self.received
        return (now_ns - self.last_ns) / 1e9
