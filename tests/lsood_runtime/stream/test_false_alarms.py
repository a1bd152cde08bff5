# SPDX-License-Identifier: Apache-2.0
"""False alarms as they are stated, against drives and calibrations that are drawn independently of the runtime."""

import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from export.calibration.autocorrelation import effective_frames
from lsood_runtime import (
    AlarmChoice,
    Cusum,
    Evidence,
    FalseAlarms,
    Hysteresis,
    KOfN,
    MinimumDuration,
    Policy,
    ScoreHistogram,
    choose_alarm,
    expected_false_alarms,
)
from lsood_runtime._stream.false_alarms import window_alarms
from tests.lsood_runtime.stream.test_policies import MANIFEST, manifest_of

FRAMES_PER_SECOND = 10.0


def autoregression(count: int, together: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Stationary normal scores, by scipy's filter."""
    rho = (together - 1) / (together + 1)
    series: NDArray[np.float64] = lfilter([math.sqrt(1 - rho**2)], [1, -rho], rng.normal(size=count + 300))[300:]
    return series


@given(hnp.arrays(bool, st.tuples(st.integers(1, 60), st.integers(1, 3))), st.integers(1, 6), st.integers(0, 6))
def test_window_alarms_any_flags_are_those_of_the_rule(flags: NDArray[np.bool_], k: int, more: int) -> None:
    policy = KOfN(k, k + more)
    expected = []
    for column in flags.T.tolist():
        state = policy.start(MANIFEST.calibration)
        expected.append([state.update(Evidence(flag, 0.5, 0)) for flag in column])
    np.testing.assert_array_equal(window_alarms(flags, policy), np.array(expected).T)


@lru_cache(maxsize=64)
def choice(frames: int, effective: int) -> AlarmChoice:
    return choose_alarm(manifest_of(frames, effective), frames_per_second=FRAMES_PER_SECOND)


@pytest.mark.parametrize(("frames", "together"), [(60, 1), (400, 1), (400, 4)])
def test_choose_alarm_calibrations_that_are_drawn_keep_the_rate(frames: int, together: int) -> None:
    """Nine of ten: the autocorrelation is estimated from each, and the true rate is that of its own threshold."""
    kept: int = 0
    stated: int = 0
    rng = np.random.default_rng(frames + together)
    drive = autoregression(1_000_000, together, rng)[:, None]
    for _ in range(30):
        scores = autoregression(frames, together, rng)
        effective = 10 * round(effective_frames(scores, ["drive"] * frames) / 10)
        chosen = choice(frames, int(max(effective, 1)))
        if not chosen.kept:
            continue
        threshold = np.sort(scores)[min(frames - 1, math.ceil(0.95 * (frames + 1)) - 1)]
        alarm = window_alarms(drive > threshold, chosen.policy)
        hours = len(drive) / FRAMES_PER_SECOND / 3600
        stated += 1
        kept += bool(np.count_nonzero(alarm[1:] & ~alarm[:-1]) / hours <= 1.0)
    assert stated >= 15
    assert kept >= 0.9 * stated


@pytest.mark.parametrize("policy", [KOfN(3, 5), MinimumDuration(0.3, 0.3), Hysteresis(0.02, 0.2), Cusum(0.05, 10)])
@pytest.mark.parametrize("together", [1, 5])
def test_expected_false_alarms_drawn_calibrations_lie_in_the_interval(policy: Policy, together: int) -> None:
    """Realised rates over calibrations of 200 frames; the policy is run frame by frame on scores of scipy's."""
    frames = 200
    manifest = manifest_of(frames, frames / together)
    stated = expected_false_alarms(policy, manifest, frames_per_second=FRAMES_PER_SECOND, frames=100_000)
    assert stated.stated
    rng, inside, repeats, length = np.random.default_rng(together), 0, 20, 20_000
    for _ in range(repeats):
        known = np.sort(autoregression(frames, together, rng))
        threshold = known[math.ceil(0.95 * (frames + 1)) - 1]
        drive = autoregression(length, together, rng)
        p_values = (frames + 1 - np.searchsorted(known, drive)) / (frames + 1)
        state, alarms, before = policy.start(manifest.calibration), 0, False
        for i, (score, p_value) in enumerate(zip(drive.tolist(), p_values.tolist(), strict=True)):
            alarm = state.update(Evidence(score > threshold, p_value, i * 10**8))
            alarms, before = alarms + (alarm and not before), alarm
        hours = length / FRAMES_PER_SECOND / 3600
        spread = 2 * math.sqrt(alarms + 1) / hours  # of the drive itself, which is short
        inside += stated.low - spread <= alarms / hours <= stated.high + spread
    assert inside >= 0.9 * repeats - 1


def test_choose_alarm_asked_for_less_looks_back_longer() -> None:
    manifest = manifest_of(400, 200)
    windows = [choose_alarm(manifest, frames_per_second=10, per_hour=rate).policy.n for rate in (100.0, 1.0)]
    assert windows == sorted(set(windows))
    chosen = choose_alarm(manifest, frames_per_second=10)
    assert chosen.kept
    assert chosen.expected.low <= chosen.expected.per_hour <= chosen.expected.high <= 1
    assert chosen.policy.k == math.ceil(0.6 * chosen.policy.n)


def test_choose_alarm_of_too_few_frames_states_no_rate() -> None:
    chosen = choose_alarm(manifest_of(60, 8), frames_per_second=10)
    assert not chosen.kept
    assert not chosen.expected.stated
    assert str(chosen.expected).endswith("cannot be stated from 60 frames worth 8 independent ones, 20 are the fewest")
    with pytest.raises(ValueError, match="a rate above 0 false alarms an hour"):
        choose_alarm(manifest_of(60, 8), frames_per_second=10, per_hour=0)


def test_choose_alarm_impossible_rate_gives_the_longest_window_and_says_so() -> None:
    chosen = choose_alarm(manifest_of(100, 25, rate=0.4), frames_per_second=5)
    assert chosen.policy.n == 100
    assert chosen.expected.stated
    assert not chosen.kept


def test_false_alarms_sentence_says_what_the_rate_is_at_most() -> None:
    found = FalseAlarms(2.0, 0.5, 9.0, 10, 100, 2, 0.1, 30.0, 400, 200.0)
    assert str(found).startswith(
        "at most 9 false alarms an hour at 30 frames/s, at 90% confidence from 400 frames worth 200 independent ones, on "
    )


@pytest.mark.parametrize(
    ("high", "digits"), [(2154.3, "2,154"), (999.7, "1,000"), (99.64, "99.6"), (0.0123456, "0.0123")]
)
def test_false_alarms_sentence_has_no_power_of_ten(high: float, digits: str) -> None:
    assert str(FalseAlarms(2.0, 0.5, high, 10, 100, 2, 0.1, 30.0, 400, 200.0)).startswith(f"at most {digits} false")


def test_expected_false_alarms_of_a_rule_that_never_alarms_tells_how_long_was_simulated() -> None:
    found = expected_false_alarms(KOfN(100, 100), manifest_of(400, 400), frames_per_second=10, frames=36_000)
    assert found.alarms == 0
    assert found.hours_without is not None
    assert f"no false alarm in {found.hours_without:.3g} simulated hours" in str(found)
    assert f"at most {found.high:.3g} an hour" in str(found)
    assert found.high == pytest.approx(
        3.69 / found.hours_without, rel=0.01
    )  # the 97.5 % limit of a mean without events
    often = expected_false_alarms(KOfN(1, 2), manifest_of(400, 400), frames_per_second=10, frames=36_000)
    assert often.hours_without is None


def test_histogram_without_a_score_states_no_index() -> None:
    assert str(ScoreHistogram(manifest_of(400, 200).calibration)) == "withheld, no frame has a score"


def deciles(known: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.nextafter(np.quantile(known, np.arange(1, 10) / 10), np.inf)


@pytest.mark.parametrize(("frames", "together"), [(60, 1), (400, 1), (400, 4)])
@pytest.mark.parametrize("count", [12, 1000])
def test_histogram_index_by_chance_bounds_drives_without_drift(frames: int, together: int, count: int) -> None:
    rng, above = np.random.default_rng(count), 0
    for _ in range(100):
        known = np.sort(norm.cdf(autoregression(frames, together, rng)))
        record = manifest_of(frames, frames / together).calibration
        histogram = ScoreHistogram(type(record)(tuple(known.tolist()), frames / together, {}, {}, (), ""))
        scores = norm.cdf(autoregression(count, together, rng))
        histogram.counts = histogram.counts + np.diff([0, *np.searchsorted(np.sort(scores), deciles(known)), count])
        above += histogram.population_stability_index > histogram.index_by_chance()
    assert above <= 11  # 5 of a hundred, with a chance of 1 % for more than that
    assert str(histogram).startswith("withheld" if histogram.index_by_chance() > 0.25 else "0.")


def test_histogram_index_by_chance_of_few_scores_is_above_a_large_drift() -> None:
    histogram = ScoreHistogram(manifest_of(400, 400).calibration)
    assert histogram.index_by_chance() == 0
    for i in range(12):
        histogram.add(i / 12)
    assert histogram.index_by_chance() > 0.25
    assert "12 scores tell no drift" in str(histogram)
    for level in (0, 1, math.nan):
        with pytest.raises(ValueError, match="a level between 0 and 1"):
            histogram.index_by_chance(level)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_choose_alarm_of_no_frame_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="expected frames a second above 0"):
        choose_alarm(manifest_of(100, 50), frames_per_second=rate)
