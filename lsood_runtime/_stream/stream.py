# SPDX-License-Identifier: Apache-2.0
"""Follow cameras over time: alarms, frozen and silent cameras, drift of the scores."""

import dataclasses
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import NoReturn, SupportsIndex

from lsood_runtime._arguments import check_number, shown
from lsood_runtime._assessment import Assessment, State, invalidated
from lsood_runtime._exceptions import CameraError
from lsood_runtime._inference.forks import guard_forks
from lsood_runtime._inference.noise import FrameNoise
from lsood_runtime._inference.stamps import time_on_clock
from lsood_runtime._stream.assessor import Assessor
from lsood_runtime._stream.calibration_figures import smallest_p_value
from lsood_runtime._stream.camera_clock import CameraClock
from lsood_runtime._stream.camera_names import camera_names, check_camera
from lsood_runtime._stream.camera_state import CameraState
from lsood_runtime._stream.camera_summary import CameraSummary
from lsood_runtime._stream.drift import ScoreHistogram
from lsood_runtime._stream.given_stamp import GivenStamp
from lsood_runtime._stream.history import History
from lsood_runtime._stream.image_digest import image_digest
from lsood_runtime._stream.picture_history import PictureHistory
from lsood_runtime._stream.policy import Evidence, Policy
from lsood_runtime._stream.quality_drift import QualityAlarm, QualityDrift
from lsood_runtime._stream.sequence import Sequence
from lsood_runtime._stream.shown_images import FROZEN_TOLERANCE
from lsood_runtime._stream.stream_arguments import check_stream_arguments
from lsood_runtime._stream.stream_assessment import StreamAssessment
from lsood_runtime._text.counted import counted

_LOG = logging.getLogger("lsood_runtime")


class Stream:
    """Keeps the state of each camera; made by :meth:`OoDMonitor.stream`.

    A camera's alarms depend on its frames and stamps alone, in the order in which they come: a recorded drive replays them.
    Only frames without a stamp get the time of receipt. Every method may be called from several threads; the frames of one
    camera then count in the order in which their verdicts come.

    Args:
        monitor: scores the frames; a :class:`OoDMonitor`.
        policy: when frames add up to an alarm.
        frozen_after_s: seconds without a new image, of at least three images, from which a camera is frozen, since the noise
            of a sensor makes two images differ; None switches this off. An image is new that is none of the last 16 new ones.
        frozen_tolerance: share of an image's 256 tiles that may change without making it new, such as those under a clock; 0
            for images of which every byte is the same. Tiles of one value, which may be clipped, tell nothing.
        max_cameras: cameras to remember; for one more, that which has been quiet and unseen for longest is forgotten.
        on_result: called with each result, in the thread that called :meth:`assess`; for metrics and logs.
        quality: the rule by which the expected quality is watched; None to watch the score alone.

    Raises:
        TypeError: an argument of another type.
        ValueError: the bundle's calibration is too small for the policy, or a number is not above 0.
    """

    def __init__(
        self,
        monitor: Assessor,
        policy: Policy,
        *,
        frozen_after_s: float | None = 1.0,
        frozen_tolerance: float = FROZEN_TOLERANCE,
        max_cameras: int = 1000,
        on_result: Callable[[StreamAssessment], None] | None = None,
        quality: QualityDrift | None = None,
    ) -> None:
        check_stream_arguments(monitor, policy, frozen_after_s, frozen_tolerance, max_cameras, on_result, quality)
        policy.start(monitor.manifest.calibration)
        self._monitor, self._policy, self._on_result = monitor, policy, on_result
        self._max_cameras, self._quality = max_cameras, quality
        self._pictures = functools.partial(PictureHistory, frozen_after_s, frozen_tolerance, monitor.tile_check)
        self._cameras: dict[str, CameraState] = {}
        self._lock = threading.Lock()
        guard_forks(self)

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
            TypeError: the stamp is no integer, or the name no text.
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
        """Score a frame that has waited: latency and deadline count from ``start``, of ``time.perf_counter()``.

        The other arguments, the result and the errors are those of :meth:`assess`; a start that is no time is an error too.
        """
        stamp = GivenStamp(stamp_ns)
        check_camera(camera)
        verdict = self._monitor.assess_since(start, frame, noise, stamp_ns=stamp.ns, judge_tiles=False)
        return self._follow(verdict, stamp, frame, camera)

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
            TypeError: the stamp is no integer, or the reason or the name no text.
            ValueError: the reason is empty.
            ClosedError: the monitor was closed.
        """
        stamp = GivenStamp(stamp_ns)
        check_camera(camera)
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
            TypeError: the time is no integer, the age no number, or the expected cameras no names.
            ValueError: the largest age is below 0 or NaN, or no stamp can be equal to the time.
        """
        check_number(max_age_s, "a largest age of at least 0 s", "1 is the default", lambda age: age >= 0)
        names = camera_names(expected)
        now = None if now_ns is None else time_on_clock(now_ns)
        with self._lock:
            states = dict(self._cameras)
        ages = {camera: state.age_s(now) for camera, state in states.items() if state.summary.frames}
        never = {camera: math.inf for camera in names if camera not in ages}
        return {camera: age for camera, age in (ages | never).items() if age > max_age_s}

    def report_silent(self, camera: str = "camera", now_ns: SupportsIndex | None = None) -> StreamAssessment:
        """Count a camera that :meth:`silent` found as INVALID until now, which takes part in its alarm.

        Args:
            camera: its name; one that never sent a frame as well.
            now_ns: as for :meth:`silent`.

        Raises:
            TypeError: the time is no integer, or the name no text.
            ValueError: no stamp can be equal to the time.
            ClosedError: the monitor was closed.
        """
        stamp = GivenStamp(None if now_ns is None else time_on_clock(now_ns))
        check_camera(camera)
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
            quality = state.judge_quality(verdict, stamped=False, elapsed_ns=elapsed)
            result = self._judge(state, sequence, verdict, camera, history, state.summary.frames, quality)
        return self._hand_out(result)

    def _follow(self, verdict: Assessment, stamp: GivenStamp, frame: object, camera: str) -> StreamAssessment:
        """Add the verdict on a frame to what is known of its camera; the frame is None where it never became an image."""
        state, (digest, words) = self._state(camera), image_digest(frame)
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
            if fault is None and sequence.same_stamp and sequence.image.equals_last(digest):
                history = History.REPEATED
            repeated = history is History.REPEATED
            verdict, pictures = sequence.image.take(digest, words, verdict, sequence.time_ns, repeated=repeated)
            summary.frames += 1
            summary.clock_faults += fault is not None
            summary.frozen += pictures.frozen is not None
            summary.faulty_tiles += pictures.tiles is not None
            fault = fault or pictures.frozen or pictures.tiles
            if fault is not None and verdict.state is not State.INVALID:
                verdict = invalidated(verdict, fault)
            state.last_ns, state.received, state.silent_ns = verdict.stamp_ns, time.monotonic(), 0
            quality = state.judge_quality(verdict, stamped=stamp.fault is None, repeated=repeated, index=index)
            result = self._judge(state, sequence, verdict, camera, history, index, quality)
        return self._hand_out(result)

    def _judge(
        self,
        state: CameraState,
        sequence: Sequence,
        verdict: Assessment,
        camera: str,
        history: History,
        index: int,
        quality: QualityAlarm | None,
    ) -> StreamAssessment:
        """Update the alarm of a camera by a verdict."""
        invalid = verdict.state is State.INVALID
        if history is not History.REPEATED:
            unknown = invalid or math.isnan(verdict.p_value)
            p_value = smallest_p_value(self._monitor.manifest.calibration) if unknown else verdict.p_value
            if math.isfinite(verdict.score):
                state.drift.add(verdict.score)
            counts = verdict.is_ood or verdict.state is State.LOW_QUALITY
            sequence.alarmed = sequence.alarm.update(Evidence(counts, p_value, sequence.time_ns))
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
            quality=quality,
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
                    self._pictures,
                )
                quality = None if self._quality is None else self._quality.begin()
                state = self._cameras[camera] = CameraState(clock, ScoreHistogram(calibration), quality)
            return state

    def _forget_one(self) -> None:
        camera = min(self._cameras, key=lambda name: (self._cameras[name].clock.alarmed, self._cameras[name].received))
        del self._cameras[camera]
        _LOG.warning("%s is forgotten: more than %d cameras were named", camera, self._max_cameras)

    def forget(self, camera: str = "camera") -> None:
        """Forget a camera, with its alarm, its drift and its counts.

        Raises:
            CameraError: the camera has sent nothing yet.
        """
        with self._lock:
            self._known(camera)
            del self._cameras[camera]

    @property
    def policy(self) -> Policy:
        """The alarm policy; where a rate of false alarms was asked for, the one that was chosen."""
        return self._policy

    @property
    def quality_policy(self) -> Policy | None:
        """The policy by which the expected quality is watched; None where it is not."""
        return None if self._quality is None else self._quality.policy

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that have sent a frame, or were reported silent."""
        with self._lock:
            return tuple(self._cameras)

    def drift(self, camera: str = "camera") -> ScoreHistogram:
        """The scores of a camera so far, against the calibration's; of frames with a finite score.

        Raises:
            CameraError: the camera has sent nothing yet.
        """
        with self._lock:
            return self._known(camera).drift

    def frames_per_second(self, camera: str = "camera") -> float:
        """Frame rate of a camera, by the median of its last nine intervals; of each clock, where it has several.

        Raises:
            CameraError: the camera has sent nothing yet.
        """
        with self._lock:
            return 1e9 / self._known(camera).clock.interval_ns

    def summary(self, camera: str = "camera") -> CameraSummary:
        """Counts of what a camera has sent so far, and of what was wrong with it.

        Raises:
            CameraError: the camera has sent nothing yet.
        """
        with self._lock:
            state = self._known(camera)
        with state.lock:
            return dataclasses.replace(state.summary)

    def _known(self, camera: str) -> CameraState:
        """The state of a camera that has sent something; the lock is held."""
        check_camera(camera)
        if camera not in self._cameras:
            raise CameraError(
                f"expected a camera that has sent something, got {camera!r}: stream.cameras has {shown(list(self._cameras))}"
            )
        return self._cameras[camera]

    def leave_to_parent(self) -> object:
        """Replace the locks in a forked process, since threads of the parent may hold them; what was counted is kept."""
        self._lock = threading.Lock()
        for state in self._cameras.values():
            state.lock = threading.Lock()
        return None

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: locks and a state that goes on belong to one process."""
        raise TypeError(
            "expected a stream to stay where it was made, got a copy or a pickle of it: pickle its monitor, and call the "
            "monitor's stream method in the other process"
        )

    def __repr__(self) -> str:
        """Policy, and the number of cameras and of alarms."""
        with self._lock:
            states = list(self._cameras.values())
        alarms = sum(state.clock.alarmed for state in states)
        return f"Stream({self._policy!r}, {counted(len(states), 'camera')}, {alarms} with an alarm)"
