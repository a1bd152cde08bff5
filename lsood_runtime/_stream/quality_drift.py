# SPDX-License-Identifier: Apache-2.0
"""Watch the expected quality of a camera's frames for a fall: mud that grows over an hour, or dusk.

The rules are those of the score. The lower end of a frame's expected quality takes the place of its score, the lower the
further from the calibration; the calibration is that of the clean frames, each answered without its drive. So every alarm
policy, its delay and the simulation of its false alarms hold as they do for scores.
"""

import dataclasses
import functools
import math
from dataclasses import dataclass

from lsood_runtime._assessment import Assessment
from lsood_runtime._bundle.answers_records import QualityRecord
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.records import OperatingPoint
from lsood_runtime._exceptions import BundleError
from lsood_runtime._stream.alarm_choice import choose_policy
from lsood_runtime._stream.calibration_figures import p_value
from lsood_runtime._stream.camera_clock import CameraClock
from lsood_runtime._stream.picture_history import PictureHistory
from lsood_runtime._stream.policy import Evidence, Policy

_LOWEST = 0.0
"""Stands for the lower end of an unknown quality."""


@dataclass(frozen=True, slots=True)
class QualityAlarm:
    """Whether the expected quality of a camera's frames raises an alarm.

    Attributes:
        alarm: whether there is one.
        onset: whether this frame raised it.
        since_ns: stamp of the frame that raised it; None without an alarm.
        statistic: progress towards the alarm, which the policy raises at 1.
    """

    alarm: bool
    onset: bool
    since_ns: int | None
    statistic: float


def quality_manifest(manifest: Manifest) -> Manifest:
    """The manifest as if the scores were how low the expected quality may be: for policies, and for what they promise.

    Clean frames resemble each other as much as the calibration's do by their scores; operating points have the same rates.

    Raises:
        BundleError: the bundle does not tell the quality.
    """
    answers = manifest.answers
    if answers is None or answers.quality is None:
        raise BundleError(
            "expected a bundle that tells the quality of its segmentation to watch it, this one does not: calibrate it with "
            "--answers quality, or watch the score alone"
        )
    quality, calibration = answers.quality, manifest.calibration
    scores = tuple(-low for low in reversed(quality.clean_low))
    worth = calibration.effective_frames / len(calibration.scores)
    return dataclasses.replace(
        manifest,
        calibration=dataclasses.replace(calibration, scores=scores, effective_frames=len(scores) * worth),
        operating_points={name: _point(point, quality) for name, point in manifest.operating_points.items()},
    )


def _point(point: OperatingPoint, quality: QualityRecord) -> OperatingPoint:
    smallest = quality.min_quality(point.false_alarm_rate)
    return dataclasses.replace(point, value=-_LOWEST if smallest is None else -smallest)


class QualityDrift:
    """The rule by which the expected quality of every camera of a stream is watched.

    Args:
        policy: when frames add up to an alarm; or its text, as for the score.
        manifest: of the bundle.
        operating_point: name of the one whose rate of clean frames counts as low for policies that count frames.

    Attributes:
        policy: the rule.

    Raises:
        TypeError: neither a policy nor text.
        ValueError: the text is no policy, or the clean frames are too few for it.
        BundleError: the bundle does not tell the quality.
    """

    def __init__(self, policy: Policy | str, manifest: Manifest, operating_point: str) -> None:
        known = quality_manifest(manifest)
        self.policy, self._calibration = choose_policy(policy, known, operating_point), known.calibration
        self.policy.start(self._calibration)
        self._threshold = known.operating_points[operating_point].value

    def begin(self) -> "CameraQuality":
        """Begin with a camera that has sent nothing yet."""
        clock = CameraClock(
            functools.partial(self.policy.start, self._calibration),
            functools.partial(self.policy.window_s, self._calibration),
            functools.partial(PictureHistory, None, 0.0, None),
        )
        return CameraQuality(self, clock)

    def evidence(self, verdict: Assessment, time_ns: int) -> Evidence:
        """Evidence of a frame; an unknown quality counts as the lowest."""
        low = verdict.quality_low
        score = -_LOWEST if low is None or not math.isfinite(low) else -low
        return Evidence(score > self._threshold, p_value(self._calibration, score), time_ns)


class CameraQuality:
    """State of the expected quality of one camera.

    Args:
        drift: the rule.
        clock: of the camera's frames, by the window of the rule.
    """

    def __init__(self, drift: QualityDrift, clock: CameraClock) -> None:
        self._drift, self._clock = drift, clock
        self._since_ns: int | None = None

    def take(
        self, verdict: Assessment, index: int, *, stamped: bool, repeated: bool, elapsed_ns: int | None = None
    ) -> QualityAlarm:
        """Take the verdict on the next frame in.

        Args:
            verdict: with the stamp by which the frame has its place.
            index: of the frame among those of the camera.
            stamped: whether the stamp is one of the camera's clock.
            repeated: whether the frame came before, and does not count again.
            elapsed_ns: since the last frame, where there is no stamp; None for the usual interval.
        """
        clock, stamp_ns = self._clock, verdict.stamp_ns
        sequence = clock.place(stamp_ns, index)[0] if stamped else clock.place_unstamped(stamp_ns, index, elapsed_ns)
        if not repeated:
            sequence.alarmed = sequence.alarm.update(self._drift.evidence(verdict, sequence.time_ns))
        onset = clock.alarmed and self._since_ns is None
        self._since_ns = (stamp_ns if onset else self._since_ns) if clock.alarmed else None
        return QualityAlarm(clock.alarmed, onset, self._since_ns, clock.statistic)
