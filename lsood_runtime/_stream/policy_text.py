# SPDX-License-Identifier: Apache-2.0
"""Parse alarms written as text: policies, and rates of false alarms that choose one."""

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

from lsood_runtime._arguments import check_number, check_text
from lsood_runtime._stream.cusum import Cusum
from lsood_runtime._stream.policies import Hysteresis, KOfN, MinimumDuration
from lsood_runtime._stream.policy import Policy
from lsood_runtime._text.number_text import number_text

POLICY_FORMS = "3of5, hysteresis:0.01:0.2, duration:0.5 or cusum:1h@30"
FORMS = f"1/h, {POLICY_FORMS}"
_LONGEST = 60
_NUMBER = r"([0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?)"


@dataclass(frozen=True, slots=True)
class AskedRate:
    """False alarms an hour that choose the alarm, see :func:`choose_alarm`.

    Attributes:
        per_hour: at most.
        frames_per_second: of the camera; None where it is known otherwise.
    """

    per_hour: float
    frames_per_second: float | None = None

    def __post_init__(self) -> None:
        for number in (self.per_hour, 1.0 if self.frames_per_second is None else self.frames_per_second):
            check_number(
                number,
                "false alarms an hour and a frame rate above 0",
                "1/h is the default",
                lambda value: 0 < value < math.inf,
            )

    def __str__(self) -> str:
        """The text that :func:`parse_alarm` reads."""
        rate = "" if self.frames_per_second is None else f"@{number_text(self.frames_per_second)}"
        return f"{number_text(self.per_hour)}/h{rate}"


Alarm: TypeAlias = Policy | AskedRate
"""A policy, or the rate of false alarms that chooses one."""


def parse_alarm(text: str) -> Alarm:
    """Parse an alarm.

    Args:
        text: as for :func:`parse_policy`, or ``NUMBER/h``, ``NUMBER/h@FRAMES_PER_SECOND``: false alarms an hour.

    Raises:
        TypeError: no text.
        ValueError: another form, or numbers that make no alarm.
    """
    check_text(text, f"an alarm such as {FORMS}", "write one of these forms")
    if match := re.fullmatch(f"{_NUMBER}/h(?:@{_NUMBER})?", text):
        return AskedRate(float(match[1]), None if match[2] is None else float(match[2]))
    return _policy(text, FORMS)


def parse_policy(text: str) -> Policy:
    """Parse an alarm policy.

    Args:
        text: ``KofN``, ``hysteresis:RAISE:CLEAR`` in p-values, ``duration:SECONDS``, ``duration:SECONDS:HOLD_SECONDS`` or
            ``cusum:HOURSh@FRAMES_PER_SECOND``.

    Raises:
        TypeError: no text.
        ValueError: another form, or numbers that make no rule.
    """
    check_text(text, f"an alarm policy such as {POLICY_FORMS}", "write one of these forms")
    return _policy(text, POLICY_FORMS)


def _policy(text: str, forms: str) -> Policy:
    if match := re.fullmatch(r"([0-9]{1,9})of([0-9]{1,9})", text):
        return KOfN(int(match[1]), int(match[2]))
    if match := re.fullmatch(f"hysteresis:{_NUMBER}:{_NUMBER}", text):
        return Hysteresis(float(match[1]), float(match[2]))
    if match := re.fullmatch(f"duration:{_NUMBER}(?::{_NUMBER})?", text):
        return MinimumDuration(float(match[1]), float(match[2] or match[1]))
    if match := re.fullmatch(f"cusum:{_NUMBER}h@{_NUMBER}", text):
        return Cusum(float(match[1]), float(match[2]))
    raise ValueError(f"expected an alarm policy such as {forms}, got {text[:_LONGEST]!r}: write one of these forms")
