# SPDX-License-Identifier: Apache-2.0
"""Parse alarm policies written as text."""

import re

from lsood_runtime._stream.cusum import Cusum
from lsood_runtime._stream.policies import Hysteresis, KOfN, MinimumDuration
from lsood_runtime._stream.policy import Policy

FORMS = "3of5, hysteresis:0.01:0.2, duration:0.5 or cusum:1h@30"
_NUMBER = r"(\d+\.?\d*(?:[eE]-?\d+)?)"


def parse_policy(text: str) -> Policy:
    """Parse an alarm policy.

    Args:
        text: ``KofN``, ``hysteresis:RAISE:CLEAR`` in p-values, ``duration:SECONDS`` or ``cusum:HOURSh@FRAMES_PER_SECOND``.

    Raises:
        ValueError: another form, or numbers that make no rule.
    """
    if match := re.fullmatch(r"(\d+)of(\d+)", text):
        return KOfN(int(match[1]), int(match[2]))
    if match := re.fullmatch(f"hysteresis:{_NUMBER}:{_NUMBER}", text):
        return Hysteresis(float(match[1]), float(match[2]))
    if match := re.fullmatch(f"duration:{_NUMBER}", text):
        return MinimumDuration(float(match[1]), float(match[1]))
    if match := re.fullmatch(f"cusum:{_NUMBER}h@{_NUMBER}", text):
        return Cusum(float(match[1]), float(match[2]))
    raise ValueError(f"expected an alarm policy such as {FORMS}, got {text!r}: write one of these forms")
