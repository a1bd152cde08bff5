# SPDX-License-Identifier: Apache-2.0
"""The alarm that a command was asked for: its policy, its delay and its false alarms."""

from dataclasses import dataclass

from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._exceptions import BundleError
from lsood_runtime._stream.alarm_choice import choose_alarm
from lsood_runtime._stream.cusum import Cusum
from lsood_runtime._stream.false_alarms import FalseAlarms, expected_false_alarms
from lsood_runtime._stream.policies import KOfN, MinimumDuration
from lsood_runtime._stream.policy import Policy
from lsood_runtime._stream.policy_text import Alarm, AskedRate
from lsood_runtime._stream.quality_drift import quality_manifest
from lsood_runtime._stream.stream import Stream
from lsood_runtime._text.counted import counted

_FRAMES = 200_000
_FEWEST_FRAMES, _ANOTHER_RATE = 20, 1.25
_SOONER, _SOONEST = KOfN(3, 5), KOfN(1, 1)
_NAMED = 3


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """A policy with what can be said of it for a bundle.

    Attributes:
        policy: the rule.
        delay_frames: until the alarm, where all frames score above the calibration.
        expected: false alarms.
        choice: why this rule, and whether it keeps the rate that was asked for; of a policy that was given, that it is made
            for another frame rate, else empty.
    """

    policy: Policy
    delay_frames: int
    expected: FalseAlarms
    choice: str

    @property
    def delay_s(self) -> float:
        """Seconds until the alarm."""
        return self.delay_frames / self.expected.frames_per_second


def find_alarm_rule(
    asked: Alarm, manifest: Manifest, frames_per_second: float, operating_point: str | None
) -> AlarmRule:
    """Choose the policy where a rate was asked for, and simulate its false alarms.

    Raises:
        BundleError: the calibration is too small for the policy, or the bundle has no such operating point.
    """
    policy: Policy
    try:
        if isinstance(asked, AskedRate):
            choice = choose_alarm(
                manifest,
                frames_per_second=asked.frames_per_second or frames_per_second,
                per_hour=asked.per_hour,
                operating_point=operating_point,
            )
            words = f"chosen for {counted(asked.per_hour, 'false alarm')} an hour" + (
                "" if choice.kept else ", which is not sure"
            )
            policy, expected = choice.policy, choice.expected
        else:
            policy, words = asked, _other_rate(asked, frames_per_second)
            expected = expected_false_alarms(
                policy, manifest, frames_per_second=frames_per_second, operating_point=operating_point, frames=_FRAMES
            )
        delay = policy.delay_frames(manifest.calibration, expected.frames_per_second)
    except ValueError as error:
        raise BundleError(f"this alarm cannot work with this bundle: {error}") from error
    return AlarmRule(policy, delay, expected, words)


def _other_rate(policy: Policy, frames_per_second: float) -> str:
    """Say that a rule states its own rate for another number of frames a second; empty where it does not."""
    if not isinstance(policy, Cusum) or _is_near(policy.frames_per_second, frames_per_second):
        return ""
    return f"made for {policy.frames_per_second:g} frames/s, which are {frames_per_second:g} here (--fps)"


def _is_near(rate: float, other: float) -> bool:
    return 1 / _ANOTHER_RATE <= rate / other <= _ANOTHER_RATE


def find_quality_rule(
    asked: Alarm | None, manifest: Manifest, frames_per_second: float, operating_point: str | None
) -> AlarmRule | None:
    """The rule by which the expected quality is watched, as :func:`find_alarm_rule` finds it; None where none is asked for.

    Raises:
        BundleError: as there, or the bundle does not tell the quality.
    """
    if asked is None:
        return None
    return find_alarm_rule(asked, quality_manifest(manifest), frames_per_second, operating_point)


def describe_rule(rule: AlarmRule, what: str = "alarm") -> str:
    """The rule, why it was chosen, and its false alarms, in one line."""
    return f"{what} {rule.policy}{', ' * bool(rule.choice)}{rule.choice}: {rule.expected}"


def describe_short_drive(stream: Stream, rule: AlarmRule) -> str:
    """Say which cameras sent too few frames for any alarm, and what decides sooner; empty where all sent enough.

    A rule of seconds is left out: how many frames it takes depends on the camera.
    """
    if isinstance(rule.policy, MinimumDuration):
        return ""
    counts = {camera: stream.summary(camera).frames for camera in stream.cameras}
    short = [
        f"{camera} sent {counted(count, 'frame')}" for camera, count in counts.items() if count < rule.delay_frames
    ]
    if not short:
        return ""
    more = f" and {counted(len(short) - _NAMED, 'more camera')} too few as well" if len(short) > _NAMED else ""
    sooner = _SOONER if rule.delay_frames > _SOONER.k else _SOONEST
    return (
        f"no alarm was possible: {rule.policy} takes {counted(rule.delay_frames, 'frame')} that are out of distribution, "
        f"{', '.join(short[:_NAMED])}{more}; a drive this short takes a rule that decides sooner, --alarm {sooner}"
    )


def describe_frame_rates(stream: Stream, rule: AlarmRule) -> list[str]:
    """Name the cameras whose frame rate is not the one that the false alarms were stated for."""
    assumed = rule.expected.frames_per_second
    rates = {
        camera: stream.frames_per_second(camera)
        for camera in stream.cameras
        if stream.summary(camera).frames >= _FEWEST_FRAMES
    }
    return [
        f"{camera}: {rate:.3g} frames/s came, the alarm and its false alarms are for {assumed:g}: "
        f"pass --fps {rate:.3g}, and the same behind an @ of --alarm"
        for camera, rate in rates.items()
        if not _is_near(rate, assumed)
    ]
