# SPDX-License-Identifier: Apache-2.0
"""Alarm policies against their definitions written out, and the promises of the CUSUM against long simulations."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm, poisson

from lsood_runtime import (
    BundleError,
    CalibrationRecord,
    Cusum,
    Evidence,
    Hysteresis,
    KOfN,
    Manifest,
    MinimumDuration,
    Policy,
    expected_false_alarms,
)
from lsood_runtime._stream.cusum import _log_mean
from lsood_runtime._stream.false_alarms import _poisson_interval
from tests.lsood_runtime.bundle.test_manifest import text_with

MANIFEST = Manifest.from_json(text_with())
POLICIES: tuple[Policy, ...] = (KOfN(2, 4), Hysteresis(0.1, 0.4), MinimumDuration(0.3, 0.2), Cusum(0.5, 10))


def manifest_of(scores: int, effective: float, rate: float = 0.05) -> Manifest:
    """A bundle whose threshold is the split-conformal one of evenly spaced scores."""
    known = calibration(scores, effective)
    value = known.scores[min(scores - 1, math.ceil((1 - rate) * (scores + 1)) - 1)]
    point = dataclasses.replace(MANIFEST.threshold, value=value, false_alarm_rate=rate)
    return dataclasses.replace(MANIFEST, calibration=known, operating_points={MANIFEST.operating_point: point})


def calibration(scores: int, effective: float) -> CalibrationRecord:
    return dataclasses.replace(
        MANIFEST.calibration, scores=tuple(np.linspace(0, 1, scores).tolist()), effective_frames=effective
    )


def alarms(policy: Policy, evidence: Sequence[Evidence], known: CalibrationRecord = MANIFEST.calibration) -> list[bool]:
    state = policy.start(known)
    return [state.update(item) for item in evidence]


def evidence_of(p_values: Sequence[float], rate: float = 0.1, step_ns: int = 100_000_000) -> list[Evidence]:
    return [Evidence(p <= rate, p, i * step_ns) for i, p in enumerate(p_values)]


p_value_lists = st.lists(st.integers(1, 20).map(lambda rank: rank / 20), min_size=1, max_size=60)


@settings(deadline=None)
@given(p_value_lists, st.integers(1, 6), st.integers(0, 5))
def test_k_of_n_any_evidence_counts_a_window(p_values: list[float], k: int, more: int) -> None:
    got = alarms(KOfN(k, k + more), evidence_of(p_values))
    is_ood = [p <= 0.1 for p in p_values]
    assert got == [sum(is_ood[max(0, i + 1 - k - more) : i + 1]) >= k for i in range(len(is_ood))]


@settings(deadline=None)
@given(p_value_lists)
def test_hysteresis_any_evidence_follows_the_last_extreme(p_values: list[float]) -> None:
    got = alarms(Hysteresis(0.1, 0.4), evidence_of(p_values))
    for i in range(len(p_values)):
        decided = [p <= 0.1 for p in p_values[: i + 1] if p <= 0.1 or p > 0.4]
        assert got[i] == bool(decided and decided[-1])


@settings(deadline=None)
@given(p_value_lists, st.integers(0, 4), st.integers(0, 4))
def test_minimum_duration_any_evidence_follows_the_stamps(p_values: list[float], wait: int, hold: int) -> None:
    got = alarms(MinimumDuration(wait / 10, hold / 10), evidence_of(p_values))
    is_ood = [p <= 0.1 for p in p_values]
    long_enough = [j for j in range(wait, len(is_ood)) if all(is_ood[j - wait : j + 1])]
    # In-distribution frames that lie further behind the last other one than the alarm is held.
    clearing = [j for j in range(hold, len(is_ood)) if not any(is_ood[j - hold : j + 1])]
    for i, alarm in enumerate(got):
        assert alarm == any(t <= i and not any(t < c <= i for c in clearing) for t in long_enough)


@settings(deadline=None)
@given(p_value_lists, st.integers(1, 4))
def test_cusum_any_evidence_is_pages_recursion(p_values: list[float], together: int) -> None:
    known = calibration(20 * together, 20)
    values = np.array([(rank / (20 * together + 1)) ** -0.5 for rank in range(1, 20 * together + 2)])
    mean = values.mean() + 2 * values.std() / math.sqrt(20 - 1)
    got, total, alarm = alarms(Cusum(0.01, 10), evidence_of(p_values), known), 0.0, False
    height = math.log(360 / together)
    for p, raised in zip(p_values, got, strict=True):
        total = min(max(0.0, total + math.log(p**-0.5 / mean) / together), height)
        alarm = total >= height - 1e-12 or (alarm and total > 0)
        assert raised == alarm


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_shift_raises_the_alarm_at_its_delay(policy: Policy) -> None:
    known = calibration(99, 33)
    delay = policy.delay_frames(known, 10)
    got = alarms(policy, evidence_of([1.0] * 50 + [0.01] * (delay + 5)), known)
    assert got.index(True) == 50 + delay - 1
    assert all(got[50 + delay - 1 :])


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_in_distribution_frames_clear_the_alarm(policy: Policy) -> None:
    known = calibration(99, 33)
    got = alarms(policy, evidence_of([0.01] * 60 + [1.0] * 600), known)
    assert got[59]
    assert not got[-1]


@pytest.mark.parametrize(("frames", "together"), [(60, 1), (400, 1), (400, 4), (400, 8), (1000, 20)])
def test_cusum_mean_of_e_values_is_at_most_one_given_nine_of_ten_calibrations(frames: int, together: int) -> None:
    """Of 2,000 calibrations the chance of each p-value is known, and so the mean of the e-values given the calibration."""
    rng = np.random.default_rng([frames, together])
    rho = (together - 1) / (together + 1)
    known = lfilter([math.sqrt(1 - rho**2)], [1, -rho], rng.normal(size=(2000, frames + 300)), axis=1)[:, 300:]
    beyond = np.sort(norm.sf(known), axis=1)
    chances = np.diff(beyond, axis=1, prepend=0, append=1)  # of p-values 1 / (n + 1), 2 / (n + 1) ... 1
    e_values = (np.arange(1, frames + 2) / (frames + 1)) ** -0.5 / math.exp(
        _log_mean(calibration(frames, frames / together))
    )
    assert (chances @ e_values <= 1).mean() >= 0.9
    assert (chances @ e_values).mean() > 0.6, "a rule that never speaks would pass as well"


def simulated_ranks(count: int, together: float, scores: int, seed: int) -> NDArray[np.float64]:
    """Super-uniform p-values of a stationary first-order autoregression, by scipy's filter and normal distribution."""
    rng = np.random.default_rng(seed)
    rho = (together - 1) / (together + 1)
    burnt = lfilter([math.sqrt(1 - rho**2)], [1, -rho], rng.normal(size=count + 1000))[1000:]
    ranks: NDArray[np.float64] = np.ceil(norm.cdf(burnt) * (scores + 1)) / (scores + 1)
    return ranks


@pytest.mark.parametrize("together", [1, 3, 8])
def test_cusum_correlated_frames_keep_the_time_between_false_alarms(together: int) -> None:
    """Frames of one video, not independent: the stated time is a lower bound for the measured one."""
    known, seconds = calibration(100 * together, 100), 2.0
    policy = Cusum(seconds / 3600, frames_per_second=30)
    state, raised, before = policy.start(known), 0, False
    frames = 300_000
    for p in simulated_ranks(frames, together, 100 * together, seed=together).tolist():
        alarm = state.update(Evidence(p <= 0.05, p, 0))
        raised, before = raised + (alarm and not before), alarm
    most = poisson.ppf(0.999, frames / (30 * seconds))
    assert raised <= most, "more false alarms than stated"
    assert raised >= 1, "a rule that never speaks would pass as well"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KOfN(0, 3), "1 <= k <= n"),
        (lambda: KOfN(4, 3), "1 <= k <= n"),
        (lambda: Hysteresis(0.3, 0.2), "raise_at < clear_at"),
        (lambda: MinimumDuration(-1.0), "at least 0 s"),
        (lambda: MinimumDuration(math.nan), "at least 0 s"),
        (lambda: Cusum(0.0), "above 0"),
        (lambda: Cusum(1.0, math.inf), "above 0"),
        (lambda: Cusum(1e308, 1e308), r"that can be counted, got 1e\+308 h at 1e\+308 a second"),
        (lambda: MinimumDuration(1e9).delay_frames(calibration(9, 9), 1e308), "a delay that can be counted, got inf"),
        (lambda: Hysteresis(0.001).start(calibration(99, 99)), "p-values down to 0.001, 99 calibration scores"),
        (lambda: Cusum(1.0).start(calibration(2, 2)), "at least 4 calibration scores"),
        (lambda: Cusum(1e-5, 10).start(calibration(99, 9)), "more than 11 frames between false alarms"),
    ],
)
def test_policy_impossible_numbers_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


@settings(max_examples=20, deadline=None)
@given(rate=st.floats(0.02, 0.3), k=st.integers(1, 3), n=st.integers(3, 5))
def test_expected_false_alarms_independent_frames_match_the_window_process(rate: float, k: int, n: int) -> None:
    """Onsets a frame: P(k of n now, fewer before), by summing over the n + 1 flags that decide it."""
    flags = np.array(np.meshgrid(*[[0, 1]] * (n + 1))).reshape(n + 1, -1)
    chance = np.prod(np.where(flags == 1, rate, 1 - rate), axis=0)
    onset = float(chance[(flags[1:].sum(axis=0) >= k) & (flags[:-1].sum(axis=0) < k)].sum())
    point = dataclasses.replace(MANIFEST.threshold, false_alarm_rate=rate)
    manifest = dataclasses.replace(MANIFEST, operating_points={MANIFEST.operating_point: point})
    found = expected_false_alarms(KOfN(k, n), manifest, frames_per_second=1, frames=40_000, seed=k)
    expected = onset * 40_000
    assert abs(found.alarms - expected) < 6 * math.sqrt(expected) + 6
    assert found.low <= found.per_hour <= found.high
    assert found.per_hour == pytest.approx(found.alarms / 40_000 * 3600)


def test_expected_false_alarms_correlated_frames_are_fewer_but_longer() -> None:
    """The same against a simulation by scipy: onsets of runs of a correlated series."""
    together, frames = 8, 200_000
    known = calibration(80, 10)
    manifest = dataclasses.replace(MANIFEST, calibration=known)
    rate = MANIFEST.threshold.false_alarm_rate
    found = expected_false_alarms(KOfN(1, 1), manifest, frames_per_second=30, frames=frames)
    assert found.correlation_frames == together
    rho = (together - 1) / (together + 1)
    series = lfilter([math.sqrt(1 - rho**2)], [1, -rho], np.random.default_rng(5).normal(size=frames))
    is_ood = norm.cdf(series) <= rate
    onsets = int(np.sum(is_ood[1:] & ~is_ood[:-1]))
    assert found.alarms == pytest.approx(onsets, rel=0.1)
    assert found.share_of_time == pytest.approx(rate, rel=0.1)
    alone = expected_false_alarms(KOfN(1, 1), MANIFEST, frames_per_second=30, frames=frames)
    assert alone.alarms > 1.5 * found.alarms


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_poisson_interval_any_count_matches_scipy(count: int) -> None:
    low, high = _poisson_interval(count)
    # Exact limits: the means under which a count as large, or as small, has a chance of 2.5 %.
    assert poisson.cdf(count, high) == pytest.approx(0.025, abs=1e-4)
    assert low == 0 if count == 0 else poisson.sf(count - 1, low) == pytest.approx(0.025, abs=1e-4)


def test_expected_false_alarms_impossible_numbers_are_refused() -> None:
    for rate, frames in ((0.0, 10), (math.inf, 10), (1.0, 0)):
        with pytest.raises(ValueError, match="above 0"):
            expected_false_alarms(KOfN(), MANIFEST, frames_per_second=rate, frames=frames)


def test_expected_false_alarms_at_an_operating_point_that_the_bundle_lacks_are_refused() -> None:
    with pytest.raises(BundleError, match=r"expected an operating point of the bundle \(.*\), got 'strict'"):
        expected_false_alarms(KOfN(1, 1), MANIFEST, frames_per_second=1, operating_point="strict", frames=10)
