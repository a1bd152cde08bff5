# SPDX-License-Identifier: Apache-2.0
"""Simulate the false-alarm rate of a policy, and what a calibration of so few frames can tell of it."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._arguments import check_count, check_number, check_type
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._stream.calibration_figures import FEWEST_EFFECTIVE_FRAMES, correlation_frames
from lsood_runtime._stream.correlated_scores import (
    DrawnCalibration,
    ScoreSeries,
    correlated_scores,
    draw_calibrations,
    longest_correlation,
    measured_correlation,
)
from lsood_runtime._stream.policies import KOfN, MinimumDuration
from lsood_runtime._stream.policy import Evidence, Policy, check_policy
from lsood_runtime._text.counted import counted, three_digits

_WHERE = "on drives like these and where frames resemble each other as these do"
_NORMAL_95 = 1.959963984540054
_MANY = 100
_CHAIN, _MOST_FRAMES, _FASTEST = 8000, 100_000_000, 10_000.0
_CALIBRATIONS, _UNLUCKY = 200, 0.05
_COMPARED_CALIBRATIONS, _COMPARED_FRAMES = 40, 2000

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Simulated alarms on in-distribution frames.

    Attributes:
        per_hour: expected number, were the calibration exact, so that p-values of these frames are uniform. No figure to rely
            on: a calibration of few frames is not exact, and has a multiple of it or a fraction.
        low: the rate of a lucky calibration.
        high: the rate is at most this, at 90 % confidence: it is that of an unlucky calibration of as many frames, worth as
            many independent ones: its threshold is too low by chance, and its frames resemble each other more than it shows.
        alarms: that were raised in the simulation.
        frames: that it took.
        correlation_frames: consecutive frames that are equivalent to one independent frame.
        share_of_time: in which there was an alarm.
        frames_per_second: of the camera.
        calibration_frames: frames of the calibration.
        effective_frames: independent frames that these are worth.
        hours_without: simulated hours in which an unlucky calibration had no alarm, so that ``high`` tells how long was
            simulated; None where it had one.
    """

    per_hour: float
    low: float
    high: float
    alarms: int
    frames: int
    correlation_frames: int
    share_of_time: float
    frames_per_second: float
    calibration_frames: int
    effective_frames: float
    hours_without: float | None = None

    @property
    def stated(self) -> bool:
        """Whether the calibration is worth enough independent frames to state ``low`` and ``high``."""
        return self.effective_frames >= FEWEST_EFFECTIVE_FRAMES

    def __str__(self) -> str:
        """What the rate is at most, in one sentence, or that this cannot be stated."""
        worth = f"{counted(self.calibration_frames, 'frame')} worth {self.effective_frames:.0f} independent ones"
        rate = f"false alarms an hour at {self.frames_per_second:g} frames/s"
        if not self.stated:
            return f"{rate} cannot be stated from {worth}, {FEWEST_EFFECTIVE_FRAMES} are the fewest"
        known = f"at 90% confidence from {worth}, {_WHERE}"
        if self.hours_without is None:
            return f"at most {three_digits(self.high)} {rate}, {known}"
        return (
            f"no false alarm in {three_digits(self.hours_without)} simulated hours at {self.frames_per_second:g} frames/s, "
            f"which tells at most {three_digits(self.high)} an hour, {known}"
        )


def expected_false_alarms(
    policy: Policy,
    manifest: Manifest,
    *,
    frames_per_second: float,
    operating_point: str | None = None,
    frames: int = 500_000,
    seed: int = 0,
) -> FalseAlarms:
    """Run ``policy`` over simulated in-distribution frames.

    Normal scores of the frames follow a first-order autoregression whose integrated autocorrelation time is that of the
    calibration's sequences, ``len(scores) / effective_frames``. For ``per_hour`` their p-values are uniform. For ``low`` and
    ``high`` calibrations of such frames are drawn, as the one at hand might have been: its threshold is one of many that
    chance might have given. So the result holds for frames distributed as the calibration's and taken at the same rate.

    Args:
        policy: the rule.
        manifest: of the bundle.
        frames_per_second: of the camera.
        operating_point: that sets the threshold; None for the manifest's own.
        frames: to simulate.
        seed: of the simulation.

    Raises:
        TypeError: no policy, no manifest, or no number.
        BundleError: the bundle has no such operating point.
        ValueError: a rate or a number of frames out of range, or a calibration too small for the policy.
    """
    simulation = Simulation(
        manifest, frames_per_second=frames_per_second, operating_point=operating_point, frames=frames, seed=seed
    )
    return simulation.false_alarms(policy)


class Simulation:
    """In-distribution frames, and calibrations that such frames might have given; for any number of policies.

    Args:
        manifest: of the bundle.
        frames_per_second: of the camera.
        operating_point: that sets the threshold; None for the manifest's own.
        frames: to simulate.
        seed: of the simulation.

    Raises:
        TypeError: no manifest, or no number.
        BundleError: the bundle has no such operating point.
        ValueError: a rate or a number of frames out of range.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        frames_per_second: float,
        operating_point: str | None = None,
        frames: int = 500_000,
        seed: int = 0,
    ) -> None:
        check_type(manifest, Manifest, "the manifest of a bundle", "pass monitor.manifest, or what read_manifest gives")
        check_frame_rate(frames_per_second)
        count = check_count(frames, "a number of frames above 0", "500,000 is the default")
        check_count(count, f"at most {_MOST_FRAMES} frames to simulate", "500,000 is the default", most=_MOST_FRAMES)
        check_count(seed, "a seed of at least 0", "0 is the default", least=0)
        self._calibration, self._frames_per_second = manifest.calibration, frames_per_second
        self._point = manifest.operating_points[manifest.choose_operating_point(operating_point)]
        self._together = measured_correlation(manifest.calibration)
        rng = np.random.default_rng(seed)
        chains = math.ceil(frames / _CHAIN)
        longest = longest_correlation(manifest.calibration)
        lengths = sorted({self._together, longest})
        self._scores = {each: correlated_scores(math.ceil(frames / chains), chains, each, rng) for each in lengths}
        self._drawn = draw_calibrations(manifest.calibration, self._point.value, longest, _CALIBRATIONS, rng)

    def false_alarms(self, policy: Policy) -> FalseAlarms:
        """Those of one policy.

        Raises:
            ValueError: the calibration is too small for the policy.
        """
        check_policy(policy)
        policy.start(self._calibration)
        alarms, alarmed, frames = self._count(policy, self._together, None)
        hours = frames / self._frames_per_second / 3600
        low, high = alarms / hours, alarms / hours
        most, shortest = alarms, hours
        for length in self._scores:
            for drawn in self._extremes(policy, length):
                found, _, counted = self._count(policy, length, drawn)
                simulated = counted / self._frames_per_second / 3600
                most, shortest = max(most, found), min(shortest, simulated)
                ends = [end / simulated for end in _poisson_interval(found)]
                low, high = min(low, *ends), max(high, *ends)
        return FalseAlarms(
            per_hour=alarms / hours,
            low=low,
            high=high,
            alarms=alarms,
            frames=frames,
            correlation_frames=correlation_frames(self._calibration),
            share_of_time=alarmed / frames,
            frames_per_second=self._frames_per_second,
            calibration_frames=len(self._calibration.scores),
            effective_frames=self._calibration.effective_frames,
            hours_without=None if most else shortest,
        )

    def _extremes(self, policy: Policy, length: float) -> tuple[DrawnCalibration, DrawnCalibration]:
        """The calibrations that give a policy more alarms than 5, and than 95 % of them do; for few alarms, more progress."""
        drawn = self._drawn
        if not isinstance(policy, KOfN | MinimumDuration):  # of these the threshold alone decides
            drawn = drawn[:: len(drawn) // _COMPARED_CALIBRATIONS]
            scores = self._scores[length][:_COMPARED_FRAMES, 0]
            drawn = sorted(drawn, key=lambda each: self._run(policy, scores, each)[::2], reverse=True)
        unlucky = int(_UNLUCKY * len(drawn))
        return drawn[-1 - unlucky], drawn[unlucky]

    def _count(self, policy: Policy, length: float, drawn: DrawnCalibration | None) -> tuple[int, int, int]:
        """Alarms, frames with an alarm, and frames in all; frame by frame, for a drawn calibration, a fifth of the frames."""
        scores = self._scores[length]
        if isinstance(policy, KOfN):
            nominal = NormalDist().inv_cdf(1 - self._point.false_alarm_rate)
            alarm = window_alarms(scores > (nominal if drawn is None else drawn.threshold), policy)
            onsets = np.count_nonzero(alarm[1:] & ~alarm[:-1]) + np.count_nonzero(alarm[0])
            return int(onsets), int(np.count_nonzero(alarm)), alarm.size
        chains = scores.T if drawn is None else scores.T[: max(1, scores.shape[1] // 5)]
        alarms, alarmed, _ = self._run(policy, chains.ravel(), drawn)
        return alarms, alarmed, chains.size

    def _run(self, policy: Policy, scores: ScoreSeries, drawn: DrawnCalibration | None) -> tuple[int, int, float]:
        """Alarms, frames with an alarm, and progress towards one, summed over the frames.

        Args:
            policy: the rule.
            scores: of the frames in order.
            drawn: what the scores are compared with; None for p-values that are uniform.
        """
        steps = len(self._calibration.scores) + 1
        if drawn is None:
            above = np.empty(len(scores))
            above[np.argsort(-scores)] = (np.arange(len(scores)) + 0.5) / len(scores)
            flags, p_values = above <= self._point.false_alarm_rate, np.ceil(above * steps) / steps
        else:
            flags, p_values = scores > drawn.threshold, (steps - np.searchsorted(drawn.scores, scores)) / steps
        state, interval_ns = policy.start(self._calibration), 1e9 / self._frames_per_second
        alarms = alarmed = 0
        progress, before = 0.0, False
        for i, (is_ood, p_value) in enumerate(zip(flags.tolist(), p_values.tolist(), strict=True)):
            alarm = state.update(Evidence(is_ood, p_value, round(i * interval_ns)))
            alarms += alarm and not before
            alarmed += alarm
            progress += state.statistic
            before = alarm
        return alarms, alarmed, progress


def check_frame_rate(frames_per_second: float) -> None:
    """Refuse what no camera's frame rate is.

    Raises:
        TypeError: no number.
        ValueError: not above 0, or above 10,000.
    """
    check_number(
        frames_per_second,
        f"frames a second above 0 and up to {_FASTEST:g}",
        "pass the camera's",
        lambda rate: 0 < rate <= _FASTEST,
    )


def window_alarms(flags: Flags, policy: KOfN) -> Flags:
    """Alarms of a k-of-n rule over many sequences at once.

    Args:
        flags: ``(steps, sequences)``, whether a frame is out of distribution.
        policy: the rule.
    """
    counts = np.cumsum(flags, axis=0, dtype=np.int16)
    counts[policy.n :] -= counts[: -policy.n].copy()
    return counts >= policy.k


def _poisson_interval(count: int) -> tuple[float, float]:
    """95 % interval of a Poisson mean: exact for few events, else by Wilson and Hilferty (1931)."""
    if count > _MANY:
        return _chi_square_half(count, -_NORMAL_95), _chi_square_half(count + 1, _NORMAL_95)
    low = 0.0 if count == 0 else _mean_with_chance(count - 1, 0.975)
    return low, _mean_with_chance(count, 0.025)


def _chi_square_half(half_degrees: float, z: float) -> float:
    return half_degrees * (1 - 1 / (9 * half_degrees) + z / (3 * math.sqrt(half_degrees))) ** 3


def _mean_with_chance(most: int, chance: float) -> float:
    """The Poisson mean under which at most ``most`` events have this chance, by bisection."""
    low, high = 1e-9, 10.0 + 3 * most
    for _ in range(60):
        mean = (low + high) / 2
        at_most = math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1))
        low, high = (mean, high) if at_most > chance else (low, mean)
    return (low + high) / 2
