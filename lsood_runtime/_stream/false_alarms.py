# SPDX-License-Identifier: Apache-2.0
"""Simulate the false-alarm rate of a policy, on frames correlated as those of the calibration."""

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._stream.calibration_figures import correlation_frames
from lsood_runtime._stream.policy import Evidence, Policy

_NORMAL_95 = 1.959963984540054
_MANY = 100


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Simulated alarms on in-distribution frames.

    Attributes:
        per_hour: expected number.
        low: lower end of the 95 % interval of ``per_hour``; of the simulation alone, not of the calibration.
        high: upper end.
        alarms: that were raised in the simulation.
        frames: that it took.
        correlation_frames: consecutive frames that are equivalent to one independent frame.
        share_of_time: in which there was an alarm.
    """

    per_hour: float
    low: float
    high: float
    alarms: int
    frames: int
    correlation_frames: int
    share_of_time: float


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

    Their p-values are uniform, and normal scores of theirs follow a first-order autoregression whose integrated
    autocorrelation time is that of the calibration's sequences, ``len(scores) / effective_frames``. So the result
    holds for frames distributed as the calibration's and taken at the same rate.

    Args:
        policy: the rule.
        manifest: of the bundle.
        frames_per_second: of the camera.
        operating_point: that sets the threshold; None for the manifest's own.
        frames: to simulate.
        seed: of the simulation.

    Raises:
        BundleError: the bundle has no such operating point.
        ValueError: a rate or a number of frames that is not above 0, or a calibration too small for the policy.
    """
    if not 0 < frames_per_second < math.inf or frames < 1:
        raise ValueError(
            f"expected a frame rate and a number of frames above 0, got {frames_per_second} and {frames}: pass positive ones"
        )
    together = correlation_frames(manifest.calibration)
    point = manifest.operating_points[manifest.choose_operating_point(operating_point)]
    uniform = _correlated_uniform(frames, together, np.random.default_rng(seed))
    steps = len(manifest.calibration.scores) + 1
    p_values = (np.ceil(uniform * steps) / steps).tolist()
    flags = (uniform <= point.false_alarm_rate).tolist()
    state, interval_ns = policy.start(manifest.calibration), 1e9 / frames_per_second
    alarms = alarmed = 0
    before = False
    for i, (is_ood, p_value) in enumerate(zip(flags, p_values, strict=True)):
        alarm = state.update(Evidence(is_ood, p_value, round(i * interval_ns)))
        alarms += alarm and not before
        alarmed += alarm
        before = alarm
    hours = frames / frames_per_second / 3600
    low, high = _poisson_interval(alarms)
    return FalseAlarms(
        per_hour=alarms / hours,
        low=low / hours,
        high=high / hours,
        alarms=alarms,
        frames=frames,
        correlation_frames=together,
        share_of_time=alarmed / frames,
    )


def _correlated_uniform(count: int, together: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Ranks of an autoregression with (1 + rho) / (1 - rho) = ``together``, in (0, 1)."""
    rho = (together - 1) / (together + 1)
    steps = rng.normal(size=count) * math.sqrt(1 - rho**2)
    steps[0] /= math.sqrt(1 - rho**2)
    series = np.fromiter(accumulate(steps.tolist(), lambda last, step: rho * last + step), float, count)
    ranks = np.empty(count)
    ranks[np.argsort(series)] = np.arange(count)
    return (ranks + 0.5) / count


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
