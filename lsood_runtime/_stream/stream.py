# SPDX-License-Identifier: Apache-2.0
"""The frames of cameras over time: alarms, stuck cameras, drift."""

import dataclasses
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._exceptions import FrameError
from lsood_runtime._inference.frames import FrameNoise, as_array
from lsood_runtime._stream.drift import ScoreHistogram
from lsood_runtime._stream.policies import Evidence, Policy, smallest_p_value
from lsood_runtime._text.json_values import JsonScalar

_REWIND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class StreamAssessment:
    """The verdict on a frame, and what the frames of its camera add up to.

    Attributes:
        verdict: on the frame alone; INVALID too where the camera is stuck.
        camera: its name.
        index: frames that the camera sent before this one.
        alarm: whether there is an alarm.
        onset: whether this frame raised it.
        since_ns: stamp of the frame that raised it; None without an alarm.
        statistic: how near the alarm is: the policy raises it at 1.
    """

    verdict: Assessment
    camera: str
    index: int
    alarm: bool
    onset: bool
    since_ns: int | None
    statistic: float

    def asdict(self) -> dict[str, JsonScalar]:
        """JSON-ready values of the verdict and of the alarm, in one level."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "verdict"}
        return self.verdict.asdict() | own

    def __str__(self) -> str:
        """One line for a log."""
        return f"{self.camera} #{self.index} {'ALARM' if self.alarm else 'quiet'} {self.statistic:.2f} {self.verdict}"


class Assessor(Protocol):
    """What a stream needs of a monitor: :class:`OoDMonitor`, or anything that gives assessments of frames."""

    @property
    def manifest(self) -> Manifest:
        """Metadata of the bundle, with the calibration that policies start from."""

    def assess_since(
        self, start: float, frame: object, noise: FrameNoise | None = None, *, stamp_ns: int | None = None
    ) -> Assessment:
        """Assess a frame that has waited since ``start``, of ``time.perf_counter()``."""


class Stream:
    """Keeps the state of each camera; made by :meth:`OoDMonitor.stream`.

    A camera's alarms depend on its frames and stamps alone, in the order in which they come: a recorded drive replays them.
    Call it for one camera from one thread at a time; different cameras may come from different threads.

    Args:
        monitor: scores the frames; a :class:`OoDMonitor`.
        policy: when frames add up to an alarm.
        stuck_after: so many identical frames in a row make a camera stuck; sensor noise alone tells two apart.
        on_result: called with each result, in the thread that called :meth:`assess`; for metrics and logs.

    Raises:
        ValueError: the bundle's calibration is too small for the policy, or ``stuck_after`` is below 2.
    """

    def __init__(
        self,
        monitor: Assessor,
        policy: Policy,
        *,
        stuck_after: int = 3,
        on_result: Callable[[StreamAssessment], None] | None = None,
    ) -> None:
        if stuck_after < 2:
            raise ValueError(f"expected at least 2 identical frames for a stuck camera, got {stuck_after}")
        policy.start(monitor.manifest.calibration)
        self._monitor, self._policy, self._stuck_after, self._on_result = monitor, policy, stuck_after, on_result
        self._cameras: dict[str, _Camera] = {}
        self._lock = threading.Lock()

    def assess(
        self, frame: Any, noise: FrameNoise | None = None, *, stamp_ns: int | None = None, camera: str = "camera"
    ) -> StreamAssessment:
        """Score the next frame of a camera; nothing that lies in the frame raises.

        Args:
            frame: as for :meth:`OoDMonitor.assess`.
            noise: as there.
            stamp_ns: of the frame, nanoseconds on a clock of the camera's; None for now. One more than a second before the
                camera's last begins its state anew, as the start of another recording does; less is jitter.
            camera: its name.

        Raises:
            FrameError: the noise does not fit.
            ProviderError: ONNX Runtime failed.
            ClosedError: the monitor was closed.
        """
        return self.assess_since(time.perf_counter(), frame, noise, stamp_ns=stamp_ns, camera=camera)

    def assess_since(
        self,
        start: float,
        frame: Any,
        noise: FrameNoise | None = None,
        *,
        stamp_ns: int | None = None,
        camera: str = "camera",
    ) -> StreamAssessment:
        """The same for a frame that has waited: latency and deadline count from ``start``, of ``time.perf_counter()``."""
        verdict = self._monitor.assess_since(start, frame, noise, stamp_ns=stamp_ns)
        with self._lock:
            state = self._cameras.get(camera)
            if state is None or verdict.stamp_ns < state.last_ns - _REWIND_NS:
                drift = ScoreHistogram(self._monitor.manifest.calibration) if state is None else state.drift
                state = _Camera(self._policy.start(self._monitor.manifest.calibration), drift)
                self._cameras[camera] = state
        repeats = state.repeats_of(frame)
        if repeats >= self._stuck_after and verdict.state is not State.INVALID:
            reason = f"expected a new image, got {repeats} identical frames in a row: the camera is stuck"
            verdict = dataclasses.replace(verdict, state=State.INVALID, is_ood=True, reason=reason)
        result = self._judge(state, verdict, camera)
        if self._on_result is not None:
            self._on_result(result)
        return result

    def _judge(self, state: "_Camera", verdict: Assessment, camera: str) -> StreamAssessment:
        invalid = verdict.state is State.INVALID
        p_value = smallest_p_value(self._monitor.manifest.calibration) if invalid else verdict.p_value
        if math.isfinite(verdict.score):
            state.drift.add(verdict.score)
        now = max(verdict.stamp_ns, state.last_ns)
        alarm = state.alarm.update(Evidence(verdict.is_ood, p_value, now))
        onset = alarm and state.since_ns is None
        if onset:
            state.since_ns = verdict.stamp_ns
        elif not alarm:
            state.since_ns = None
        index = state.count
        state.count, state.last_ns = index + 1, now
        return StreamAssessment(verdict, camera, index, alarm, onset, state.since_ns, state.alarm.statistic)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those that have sent a frame, by name."""
        return tuple(self._cameras)

    def drift(self, camera: str = "camera") -> ScoreHistogram:
        """The scores of a camera so far, against the calibration's; of frames with a finite score.

        Raises:
            KeyError: the camera has sent nothing yet.
        """
        return self._cameras[camera].drift


class _Camera:
    def __init__(self, alarm: Any, drift: ScoreHistogram) -> None:
        self.alarm, self.drift = alarm, drift
        self.since_ns: int | None = None
        self.last_ns, self.count = -(2**62), 0
        self._contents: bytes | None = None
        self._repeats = 0

    def repeats_of(self, frame: Any) -> int:
        """How many frames in a row are identical, with this one; frames on a device are not looked at."""
        try:
            array = as_array(frame)
        except FrameError:
            array = None
        contents = array.tobytes() if isinstance(array, np.ndarray) else None
        self._repeats = self._repeats + 1 if contents is not None and contents == self._contents else 1
        self._contents = contents
        return self._repeats
