# SPDX-License-Identifier: Apache-2.0
"""Figures of requirements on alarms: delay and false alarms of the rule that the team's file names."""

from export.evidence.claims import EvidenceFigure
from export.evidence.sources import EvidenceSources, UnmeasuredError
from lsood_runtime import FalseAlarms, Policy
from lsood_runtime.offline import MANIFEST_FILE

_SCORES = "/calibration/scores"


def alarm_delay(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Seconds until the alarm where every frame scores above the whole calibration."""
    policy, expected = _alarm(sources)
    seconds = policy.delay_frames(sources.manifest.calibration, expected.frames_per_second) / expected.frames_per_second
    name = f"delay of {policy} at {expected.frames_per_second:g} frames/s"
    return [EvidenceFigure(name, MANIFEST_FILE, _SCORES, seconds, frames=expected.calibration_frames, unit="s")]


def alarms_an_hour(sources: EvidenceSources) -> list[EvidenceFigure]:
    """False alarms an hour, at most, at 90 % confidence."""
    policy, expected = _alarm(sources)
    if not expected.stated:
        raise UnmeasuredError(f"Of {policy}: {expected}.")
    name = f"false alarms an hour of {policy} at {expected.frames_per_second:g} frames/s, at most at 90 % confidence"
    return [
        EvidenceFigure(name, MANIFEST_FILE, _SCORES, expected.high, frames=expected.calibration_frames, unit="number")
    ]


def asked_rate(sources: EvidenceSources) -> float | None:
    """The false alarms an hour that were asked for; None where a rule was."""
    return None if sources.team.alarm is None else sources.team.alarm.per_hour


def _alarm(sources: EvidenceSources) -> tuple[Policy, FalseAlarms]:
    if sources.alarm is None:
        raise UnmeasuredError("No alarm is named in a file of requirements.")
    return sources.alarm
