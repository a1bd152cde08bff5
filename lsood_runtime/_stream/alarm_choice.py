# SPDX-License-Identifier: Apache-2.0
"""Choose an alarm by the false alarms an hour that one can live with."""

import math
from dataclasses import dataclass

from lsood_runtime._arguments import check_number
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._stream.false_alarms import FalseAlarms, Simulation, check_frame_rate
from lsood_runtime._stream.policies import KOfN
from lsood_runtime._stream.policy import Policy, check_policy
from lsood_runtime._stream.policy_text import AskedRate, parse_alarm

_SHARE = 0.6
_SHORTEST, _LONGEST_S = 5, 20.0
_FEWEST_FRAMES, _MOST_FRAMES, _ALARMS = 400_000, 2_000_000, 30


@dataclass(frozen=True, slots=True)
class AlarmChoice:
    """An alarm that was chosen by its false alarms.

    Attributes:
        policy: the rule.
        expected: its false alarms.
        asked_per_hour: false alarms an hour that were asked for.
    """

    policy: KOfN
    expected: FalseAlarms
    asked_per_hour: float

    @property
    def kept(self) -> bool:
        """Whether nine of ten such calibrations keep the rate that was asked for."""
        return self.expected.stated and self.expected.high <= self.asked_per_hour


def choose_policy(asked: Policy | str, manifest: Manifest, operating_point: str) -> Policy:
    """The policy itself, or the one that a text describes, which is chosen where the text is a rate of false alarms.

    Raises:
        TypeError: neither a policy nor text.
        ValueError: the text is no policy, or a rate without the frame rate of the camera.
    """
    if not isinstance(asked, str):
        check_policy(asked)
        return asked
    rule = parse_alarm(asked)
    if not isinstance(rule, AskedRate):
        return rule
    if rule.frames_per_second is None:
        raise ValueError(f"expected the frame rate of the camera as well, got {asked!r}: write {asked}@30")
    return choose_alarm(
        manifest,
        frames_per_second=rule.frames_per_second,
        per_hour=rule.per_hour,
        operating_point=operating_point,
    ).policy


def choose_alarm(
    manifest: Manifest, *, frames_per_second: float, per_hour: float = 1.0, operating_point: str | None = None
) -> AlarmChoice:
    """Choose the shortest window of which 60 % out-of-distribution frames make at most so many false alarms an hour.

    Windows from 5 frames to 20 seconds are tried, as :func:`expected_false_alarms` does; nine of ten calibrations of as many
    frames, worth as many independent ones, have to keep the rate. Where no window does, the longest is chosen; where the
    calibration is worth too few independent frames to state a rate, the choice is as good as the simulation:
    see :attr:`AlarmChoice.kept`.

    Args:
        manifest: of the bundle.
        frames_per_second: of the camera, which is the calibration's in the simulation.
        per_hour: false alarms an hour.
        operating_point: that sets the threshold; None for the manifest's own.

    Raises:
        TypeError: no manifest, or no number.
        BundleError: the bundle has no such operating point.
        ValueError: a rate that is not above 0, or one of frames that no camera has.
    """
    check_number(per_hour, "a rate above 0 false alarms an hour", "1 is the default", lambda rate: 0 < rate < math.inf)
    check_frame_rate(frames_per_second)
    longest = max(_SHORTEST, round(_LONGEST_S * frames_per_second))
    enough = _ALARMS * 3600 * frames_per_second / per_hour
    simulation = Simulation(
        manifest,
        frames_per_second=frames_per_second,
        operating_point=operating_point,
        frames=round(min(max(enough, _FEWEST_FRAMES), _MOST_FRAMES)),
    )

    def choose(n: int) -> AlarmChoice:
        policy = KOfN(math.ceil(_SHARE * n), n)
        return AlarmChoice(policy, simulation.false_alarms(policy), per_hour)

    # Longer windows have fewer false alarms, up to chance: between one that does not keep the rate and one that does, bisect.
    too_short, choice = _SHORTEST - 1, choose(longest)
    while choice.expected.high <= per_hour and choice.policy.n - too_short > 1:
        tried = choose(min((too_short + choice.policy.n) // 2, max(_SHORTEST, 2 * too_short)))
        if tried.expected.high <= per_hour:
            choice = tried
        else:
            too_short = tried.policy.n
    return choice
