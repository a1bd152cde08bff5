# SPDX-License-Identifier: Apache-2.0
"""Figures of a certificate against scipy's, and times by a clock that the test winds."""

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, bootstrap

from lsood_runtime._certificate.figures import paired_ratio, percentiles, share_interval, take_turns

COUNTS = st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@settings(max_examples=40)
@given(COUNTS, st.sampled_from([0.9, 0.95, 0.99]))
def test_share_interval_is_that_of_clopper_and_pearson(counts: tuple[int, int], confidence: float) -> None:
    count, total = counts
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, count, total - count + 1) if count else 0.0
    high = beta.ppf(1 - tail, count + 1, total - count) if count < total else 1.0
    assert share_interval(count, total, confidence) == pytest.approx((low, high), abs=1e-9)


def test_share_interval_of_many_frames_is_no_slower_than_a_blink() -> None:
    low, high = share_interval(0, 200_000)
    assert (low, high) == pytest.approx((0.0, beta.ppf(0.975, 1, 200_000)), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_paired_ratio_is_the_median_with_the_interval_of_scipys_bootstrap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times, others = rng.lognormal(1, 0.2, 80), rng.lognormal(0, 0.2, 80)
    got = paired_ratio(times, others)
    quotients = times / others
    expected = bootstrap((quotients,), np.median, method="percentile", n_resamples=4000, rng=rng).confidence_interval
    assert got.median == np.median(quotients)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), rel=0.05)


@given(st.lists(st.floats(0.001, 1e4), min_size=1, max_size=50))
def test_percentiles_are_numpys(times: list[float]) -> None:
    got = percentiles(np.array(times))
    assert [got.p50, got.p90, got.p99] == np.percentile(times, [50, 90, 99]).tolist()
    assert got.largest == max(times)


@pytest.mark.parametrize(("rounds", "unused"), [(1, 3), (40, 4)])
def test_take_turns_times_each_call_and_leaves_the_first_rounds_out(rounds: int, unused: int) -> None:
    now, order = 0.0, list[tuple[str, int]]()
    costs = {"a": itertools.count(100), "b": itertools.count(1000)}

    def call(name: str, i: int) -> None:
        nonlocal now
        order.append((name, i))
        now += next(costs[name])

    done: list[int] = []
    calls = {name: partial(call, name) for name in costs}
    times = take_turns(calls, rounds, done.append, clock=lambda: now)
    total = unused + rounds
    assert done == list(range(1, total + 1))
    assert times["a"].tolist() == [1e3 * (100 + i) for i in range(unused, total)]
    assert times["b"].tolist() == [1e3 * (1000 + i) for i in range(unused, total)]
    first = [name for name, _ in order[::2]]
    assert first == (["a", "b"] * total)[:total], "who begins changes from round to round"
    assert [i for _, i in order] == [i for i in range(total) for _ in range(2)]
