# SPDX-License-Identifier: Apache-2.0
"""Follow cameras over time: alarms, frozen and silent cameras, drift of the scores."""

import dataclasses
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol, SupportsIndex

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._inference.noise import FrameNoise
from lsood_runtime._inference.stamps import received_stamp
from lsood_runtime._stream.calibration_figures import smallest_p_value
from lsood_runtime._stream.camera_clock import CameraClock
from lsood_runtime._stream.camera_state import CameraState
from lsood_runtime._stream.camera_summary import CameraSummary
from lsood_runtime._stream.drift import ScoreHistogram
from lsood_runtime._stream.history import History
from lsood_runtime._stream.policy import Evidence, Policy
from lsood_runtime._stream.repeated_image import Checksum, image_checksum
from lsood_runtime._stream.sequence import Sequence
from lsood_runtime._stream.stream_assessment import StreamAssessment
from lsood_runtime._text.counted import counted

_LOG = logging.getLogger("lsood_runtime")
_FEWEST_IDENTICAL = 3


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
    Only frames without a stamp get the time of receipt. Every method may be called from several threads; the frames of one
    camera then count in the order in which their verdicts come.

    Args:
        monitor: scores the frames; a :class:`OoDMonitor`.
        policy: when frames add up to an alarm.
        frozen_after_s: seconds of identical images, at least three, from which a camera is frozen, since the noise of a
            sensor makes two images differ; None switches this off.
        max_cameras: cameras to remember; for one more, that which has been quiet and unseen for longest is forgotten.
        on_result: called with each result, in the thread that called :meth:`assess`; for metrics and logs.

    Raises:
        ValueError: the bundle's calibration is too small for the policy, or a number is not above 0.
    """

    def __init__(
        self,
        monitor: Assessor,
        policy: Policy,
        *,
        frozen_after_s: float | None = 1.0,
        max_cameras: int = 1000,
        on_result: Callable[[StreamAssessment], None] | None = None,
    ) -> None:
        if frozen_after_s is not None and not 0 < frozen_after_s < math.inf:
            raise ValueError(
                f"expected a time above 0 s after which a camera is frozen, got {frozen_after_s}: pass None for never"
            )
        if max_cameras < 1:
            raise ValueError(f"expected at least one camera, got {max_cameras}: 1000 is the default")
        policy.start(monitor.manifest.calibration)
        self._monitor, self._policy, self._on_result = monitor, policy, on_result
        self._frozen_after_s, self._max_cameras = frozen_after_s, max_cameras
        self._cameras: dict[str, CameraState] = {}
        self._lock = threading.Lock()

    def assess(
        self,
        frame: object,
        noise: FrameNoise | None = None,
        *,
        stamp_ns: SupportsIndex | None = None,
        camera: str = "camera",
    ) -> StreamAssessment:
        """Score the next frame of a camera; no defect of the frame or of its stamp raises an exception.

        Args:
            frame: as for :meth:`OoDMonitor.assess`.
            noise: as there.
            stamp_ns: of the frame, nanoseconds on a clock of the camera's; None for the time of receipt, and so is 0 after
                another 0 or after a time of day, since a header that is not filled in has it. Less than a second before the
                camera's latest is a frame that another overtook.
            camera: its name.

        Raises:
            TypeError: the stamp is no integer.
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
        stamp_ns: SupportsIndex | None = None,
        camera: str = "camera",
    ) -> StreamAssessment:
        """Score a frame that has waited: latency and deadline count from ``start``, of ``time.perf_counter()``."""
        stamp = _Stamp(stamp_ns)
        verdict = self._monitor.assess_since(start, frame, noise, stamp_ns=stamp.ns)
        return self._follow(verdict, stamp, image_checksum(frame), camera)

    def report_invalid(
        self, reason: str, *, stamp_ns: SupportsIndex | None = None, camera: str = "camera"
    ) -> StreamAssessment:
        """Take in a frame of a camera that never became an image, such as one that could not be decoded.

        It is INVALID with that reason, and takes part in the alarm as any INVALID frame does.

        Args:
            reason: why there is no image, in one sentence.
            stamp_ns: as for :meth:`assess`.
            camera: its name.

        Raises:
            TypeError: the stamp is no integer.
            ValueError: the reason is empty.
            ClosedError: the monitor was closed.
        """
        stamp = _Stamp(stamp_ns)
        return self._follow(self._monitor.report_invalid(reason, stamp_ns=stamp.ns), stamp, None, camera)

    def silent(
        self, now_ns: SupportsIndex | None = None, *, max_age_s: float = 1.0, expected: Iterable[str] = ()
    ) -> dict[str, float]:
        """Find the cameras that have sent nothing for a while; call it by a timer.

        Args:
            now_ns: on the clock of the stamps, for a drive that is replayed; None for the time since frames were received. A
                camera whose last stamp is later than this is judged by the time of receipt as well.
            max_age_s: a camera whose last frame is older is silent.
            expected: cameras that should send; those that never have are silent, with an infinite age.

        Returns:
            Seconds since the last frame of each silent camera.

        Raises:
            TypeError: the stamp is no integer, or the expected cameras are one text.
            ValueError: the largest age is below 0 or NaN.
        """
        if not max_age_s >= 0:
            raise ValueError(f"expected a largest age of at least 0 s, got {max_age_s}: 1 is the default")
        if isinstance(expected, str):
            raise TypeError(f"expected names of cameras in a list, got the text {expected!r}: pass [{expected!r}]")
        now = None if now_ns is None else received_stamp(now_ns)[0]
        with self._lock:
            states = dict(self._cameras)
        ages = {camera: state.age_s(now) for camera, state in states.items() if state.summary.frames}
        never = {camera: math.inf for camera in expected if camera not in ages}
        return {camera: age for camera, age in (ages | never).items() if age > max_age_s}

    def report_silent(self, camera: str = "camera", now_ns: SupportsIndex | None = None) -> StreamAssessment:
        """Count a camera that :meth:`silent` found as INVALID until now, which takes part in its alarm.

        Args:
            camera: its name; one that never sent a frame as well.
            now_ns: as for :meth:`silent`.

        Raises:
            ClosedError: the monitor was closed.
        """
        stamp = _Stamp(now_ns)
        state = self._state(camera)
        with state.lock:
            age_s = state.age_s(None if now_ns is None else stamp.ns)
            wait = f"for {age_s:.1f} s" if state.summary.frames else "yet"
            reason = f"expected frames of {camera}, none came {wait}: the camera, its cable or its driver stopped"
            verdict = self._monitor.report_invalid(reason, stamp_ns=stamp.ns)
            elapsed = max(0, round(age_s * 1e9) - state.silent_ns)
            state.silent_ns += elapsed
            history = History.CONTINUES if state.clock.sequences else History.BEGINS
            sequence = state.clock.place_unstamped(stamp.ns, state.summary.frames, elapsed)
            state.summary.silent += 1
            result = self._judge(state, sequence, verdict, camera, history, state.summary.frames)
        return self._hand_out(result)

    def _follow(self, verdict: Assessment, stamp: "_Stamp", checksum: Checksum | None, camera: str) -> StreamAssessment:
        """Add the verdict on a frame to what is known of its camera."""
        state = self._state(camera)
        with state.lock:
            summary, clock = state.summary, state.clock
            index = summary.frames
            if stamp.given and clock.is_unset(stamp.ns):
                verdict = dataclasses.replace(verdict, stamp_ns=stamp.received_ns)
            if stamp.fault is None:
                sequence, history, fault = clock.place(verdict.stamp_ns, index)
            else:
                history, fault = History.CONTINUES if index else History.BEGINS, stamp.fault
                sequence = clock.place_unstamped(verdict.stamp_ns, index)
            if fault is None and sequence.same_stamp and sequence.image.equals(checksum):
                history = History.REPEATED
            sequence.image.see(checksum, sequence.time_ns)
            frozen = self._frozen(sequence)
            summary.frames += 1
            summary.clock_faults += fault is not None
            summary.frozen += frozen is not None
            fault = fault or frozen
            if fault is not None and verdict.state is not State.INVALID:
                verdict = dataclasses.replace(verdict, state=State.INVALID, is_ood=True, reason=fault)
            state.last_ns, state.received, state.silent_ns = verdict.stamp_ns, time.monotonic(), 0
            result = self._judge(state, sequence, verdict, camera, history, index)
        return self._hand_out(result)

    def _frozen(self, sequence: Sequence) -> str | None:
        image = sequence.image
        same_s = (sequence.time_ns - image.since_ns) / 1e9
        if self._frozen_after_s is None or image.count < _FEWEST_IDENTICAL or same_s < self._frozen_after_s:
            return None
        return (
            f"expected a new image, got the same one for {same_s:.1f} s, {image.count} in a row: the camera is frozen"
        )

    def _judge(
        self,
        state: CameraState,
        sequence: Sequence,
        verdict: Assessment,
        camera: str,
        history: History,
        index: int,
    ) -> StreamAssessment:
        """Update the alarm of a camera by a verdict."""
        invalid = verdict.state is State.INVALID
        if history is not History.REPEATED:
            p_value = smallest_p_value(self._monitor.manifest.calibration) if invalid else verdict.p_value
            if math.isfinite(verdict.score):
                state.drift.add(verdict.score)
            sequence.alarmed = sequence.alarm.update(Evidence(verdict.is_ood, p_value, sequence.time_ns))
        alarm = state.clock.alarmed
        onset = alarm and state.since_ns is None
        state.since_ns = (verdict.stamp_ns if onset else state.since_ns) if alarm else None
        state.summary.count(history, invalid=invalid, onset=onset)
        return StreamAssessment(
            verdict=verdict,
            camera=camera,
            index=index,
            alarm=alarm,
            onset=onset,
            since_ns=state.since_ns,
            statistic=state.clock.statistic,
            history=history,
        )

    def _hand_out(self, result: StreamAssessment) -> StreamAssessment:
        if result.restarted:
            _LOG.warning(
                "%s: the history begins anew at frame %d, stamp %d ns: %s",
                result.camera,
                result.index,
                result.verdict.stamp_ns,
                "no frame came for longer than the alarm looks back"
                if result.history is History.AFTER_GAP
                else "the clock was set back, or another recording begins",
            )
        if self._on_result is not None:
            self._on_result(result)
        return result

    def _state(self, camera: str) -> CameraState:
        """The state of a camera; a new one, where another may have to be forgotten."""
        with self._lock:
            state = self._cameras.get(camera)
            if state is None:
                if len(self._cameras) >= self._max_cameras:
                    self._forget_one()
                calibration = self._monitor.manifest.calibration
                clock = CameraClock(
                    functools.partial(self._policy.start, calibration),
                    functools.partial(self._policy.window_s, calibration),
                )
                state = self._cameras[camera] = CameraState(clock, ScoreHistogram(calibration))
            return state

    def _forget_one(self) -> None:
        camera = min(self._cameras, key=lambda name: (self._cameras[name].clock.alarmed, self._cameras[name].received))
        del self._cameras[camera]
        _LOG.warning("%s is forgotten: more than %d cameras were named", camera, self._max_cameras)

    def forget(self, camera: str = "camera") -> None:
        """Forget a camera, with its alarm, its drift and its counts.

        Raises:
            KeyError: the camera has sent nothing yet.
        """
        with self._lock:
            del self._cameras[camera]

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that have sent a frame, or were reported silent."""
        with self._lock:
            return tuple(self._cameras)

    def drift(self, camera: str = "camera") -> ScoreHistogram:
        """The scores of a camera so far, against the calibration's; of frames with a finite score.

        Raises:
            KeyError: the camera has sent nothing yet.
        """
        with self._lock:
            return self._cameras[camera].drift

    def frames_per_second(self, camera: str = "camera") -> float:
        """Frame rate of a camera, by the median of its last nine intervals; of each clock, where it has several.

        Raises:
            KeyError: the camera has sent nothing yet.
        """
        with self._lock:
            return 1e9 / self._cameras[camera].clock.interval_ns

    def summary(self, camera: str = "camera") -> CameraSummary:
        """Counts of what a camera has sent so far, and of what was wrong with it.

        Raises:
            KeyError: the camera has sent nothing yet.
        """
        with self._lock:
            state = self._cameras[camera]
        with state.lock:
            return dataclasses.replace(state.summary)

    def __repr__(self) -> str:
        """Policy, and the number of cameras and of alarms."""
        with self._lock:
            states = list(self._cameras.values())
        alarms = sum(state.clock.alarmed for state in states)
        return f"Stream({self._policy!r}, {counted(len(states), 'camera')}, {alarms} with an alarm)"


class _Stamp:
    """A stamp as it was given, and as it is used.

    Attributes:
        given: whether there was one.
        received_ns: when the frame came.
        ns: the stamp; the time of receipt where there is none, or one that no clock gives.
        fault: why the given one was not used; None where it was.
    """

    def __init__(self, stamp_ns: SupportsIndex | None) -> None:
        self.received_ns = time.time_ns()
        self.given = stamp_ns is not None
        self.ns, self.fault = received_stamp(stamp_ns)
