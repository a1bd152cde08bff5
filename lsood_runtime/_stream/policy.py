# SPDX-License-Identifier: Apache-2.0
"""Interface of an alarm policy: a rule that raises and clears an alarm from the evidence of frames.

Policies are deterministic: the same evidence gives the same alarms, live or replayed.
"""

from dataclasses import dataclass
from typing import Protocol

from lsood_runtime._arguments import shown
from lsood_runtime._bundle.records import CalibrationRecord


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of one frame for a policy.

    Attributes:
        is_ood: out of distribution, no valid frame, or of LOW_QUALITY; the p-value is that of the score alone.
        p_value: in (0, 1]; the smallest that the calibration can give where there is no valid frame.
        stamp_ns: observed time, nanoseconds, never falling: the stamp of the frame, less the gaps and the steps of its clock.
    """

    is_ood: bool
    p_value: float
    stamp_ns: int


class AlarmState(Protocol):
    """State of a policy for one camera."""

    statistic: float
    """Progress towards the alarm, which is raised at 1."""

    def update(self, evidence: Evidence) -> bool:
        """Take the next frame in; the result is whether there is an alarm."""


class Policy(Protocol):
    """A rule for raising and clearing an alarm."""

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """Begin with a camera that has sent nothing yet.

        Raises:
            ValueError: the calibration is too small for this rule.
        """

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """Frames until the alarm, where all are out of distribution and score above every calibration frame.

        Raises:
            ValueError: as for :meth:`start`.
        """

    def window_s(self, calibration: CalibrationRecord, frames_per_second: float) -> float:
        """Seconds over which evidence adds up: after a longer time without a frame the stream begins anew.

        Raises:
            ValueError: as for :meth:`start`.
        """


def check_policy(policy: object) -> None:
    """Refuse what is no alarm policy: text, a number, or the class in place of an instance of it.

    Raises:
        TypeError: it has not the methods of a policy.
    """
    methods = (getattr(policy, name, None) for name in ("start", "delay_frames", "window_s"))
    if isinstance(policy, type) or not all(map(callable, methods)):
        raise TypeError(
            f"expected an alarm policy such as KOfN(3, 5), got {shown(policy)}: pass one, parse_policy reads them from text"
        )
