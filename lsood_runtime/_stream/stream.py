# SPDX-License-Identifier: Apache-2.0
"""Follow cameras over time: alarms, stuck cameras, drift of the scores."""

import dataclasses
import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._inference.noise import FrameNoise
from lsood_runtime._stream.calibration_figures import smallest_p_value
from lsood_runtime._stream.camera_state import CameraState
from lsood_runtime._stream.drift import ScoreHistogram
from lsood_runtime._stream.policy import Evidence, Policy
from lsood_runtime._stream.stream_assessment import StreamAssessment

_REWIND_NS = 1_000_000_000


class Assessor(Protocol):
    """Interface that a stream needs of a monitor: :class:`OoDMonitor`, or anything that gives assessments of frames."""

    @property
    def manifest(self) -> Manifest:
        """Metadata of the bundle, with the calibration that policies start from."""

    def assess_since(
        self, start: float, frame: object, noise: FrameNoise | None = None, *, stamp_ns: int | None = None
    ) -> Assessment:
        """Assess a frame that has waited since ``start``, of ``time.perf_counter()``."""

    def report_invalid(self, reason: str, *, stamp_ns: int | None = None) -> Assessment:
        """Make the INVALID verdict on a frame that never became an image."""


class Stream:
    """Keeps the state of each camera; made by :meth:`OoDMonitor.stream`.

    A camera's alarms depend on its frames and stamps alone, in the order in which they come: a recorded drive replays them.
    Call it for one camera from one thread at a time; different cameras may come from different threads.

    Args:
        monitor: scores the frames; a :class:`OoDMonitor`.
        policy: when frames add up to an alarm.
        stuck_after: number of identical frames in a row from which a camera is stuck; sensor noise alone makes two differ.
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
            raise ValueError(
                f"expected at least 2 identical frames for a stuck camera, got {stuck_after}: 3 is the default"
            )
        policy.start(monitor.manifest.calibration)
        self._monitor, self._policy, self._stuck_after, self._on_result = monitor, policy, stuck_after, on_result
        self._cameras: dict[str, CameraState] = {}
        self._lock = threading.Lock()

    def assess(
        self, frame: object, noise: FrameNoise | None = None, *, stamp_ns: int | None = None, camera: str = "camera"
    ) -> StreamAssessment:
        """Score the next frame of a camera; no defect of the frame raises an exception.

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
        frame: object,
        noise: FrameNoise | None = None,
        *,
        stamp_ns: int | None = None,
        camera: str = "camera",
    ) -> StreamAssessment:
        """Score a frame that has waited: latency and deadline count from ``start``, of ``time.perf_counter()``."""
        return self._follow(self._monitor.assess_since(start, frame, noise, stamp_ns=stamp_ns), frame, camera)

    def report_invalid(self, reason: str, *, stamp_ns: int | None = None, camera: str = "camera") -> StreamAssessment:
        """Take in a frame of a camera that never became an image, such as one that could not be decoded.

        It is INVALID with that reason, and takes part in the alarm as any INVALID frame does.

        Args:
            reason: why there is no image, in one sentence.
            stamp_ns: as for :meth:`assess`.
            camera: its name.

        Raises:
            ValueError: the reason is empty.
            ClosedError: the monitor was closed.
        """
        return self._follow(self._monitor.report_invalid(reason, stamp_ns=stamp_ns), None, camera)

    def _follow(self, verdict: Assessment, frame: object, camera: str) -> StreamAssessment:
        """Add the verdict on a frame to what is known of its camera."""
        with self._lock:
            state = self._cameras.get(camera)
            if state is None or verdict.stamp_ns < state.last_ns - _REWIND_NS:
                drift = ScoreHistogram(self._monitor.manifest.calibration) if state is None else state.drift
                state = CameraState(self._policy.start(self._monitor.manifest.calibration), drift)
                self._cameras[camera] = state
        repeats = state.count_repeats(frame)
        if repeats >= self._stuck_after and verdict.state is not State.INVALID:
            reason = f"expected a new image, got {repeats} identical frames in a row: the camera is stuck"
            verdict = dataclasses.replace(verdict, state=State.INVALID, is_ood=True, reason=reason)
        result = self._judge(state, verdict, camera)
        if self._on_result is not None:
            self._on_result(result)
        return result

    def _judge(self, state: CameraState, verdict: Assessment, camera: str) -> StreamAssessment:
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
        return StreamAssessment(
            verdict=verdict,
            camera=camera,
            index=index,
            alarm=alarm,
            onset=onset,
            since_ns=state.since_ns,
            statistic=state.alarm.statistic,
        )

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that have sent a frame."""
        return tuple(self._cameras)

    def drift(self, camera: str = "camera") -> ScoreHistogram:
        """The scores of a camera so far, against the calibration's; of frames with a finite score.

        Raises:
            KeyError: the camera has sent nothing yet.
        """
        return self._cameras[camera].drift
