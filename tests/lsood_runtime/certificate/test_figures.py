# SPDX-License-Identifier: Apache-2.0
"""Figures of a certificate against scipy's, and times by a clock that the test winds."""

import itertools
import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, quantile_test

from lsood_runtime._certificate.figures import (
    FEWEST_PAIRS,
    MOST_ROUNDS,
    paired_ratio,
    percentiles,
    share_bound,
    share_interval,
    take_turns,
)

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


@settings(max_examples=25)
@given(COUNTS)
def test_share_bound_is_the_one_sided_bound_and_of_no_flip_the_rule_of_three(counts: tuple[int, int]) -> None:
    count, total = counts
    expected = beta.ppf(0.95, count + 1, total - count) if count < total else 1.0
    assert share_bound(count, total) == pytest.approx(expected, abs=1e-9)
    assert share_bound(0, total) == pytest.approx(1 - 0.05 ** (1 / total), abs=1e-9)
    assert share_bound(0, total) <= 3 / total


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
def test_paired_ratio_is_the_median_with_the_interval_of_scipys_quantile_test(times: list[float], seed: int) -> None:
    others = np.random.default_rng(seed).lognormal(size=len(times))
    got, quotients = paired_ratio(np.array(times), others), np.array(times) / others
    expected = quantile_test(quotients, p=0.5).confidence_interval(0.95)
    assert got.median == np.median(quotients)
    if len(times) < FEWEST_PAIRS:
        assert (got.low, got.high) == (None, None)
        assert np.isnan([expected.low, expected.high]).any(), "as scipy has none either"
    else:
        assert (got.low, got.high) == (expected.low, expected.high)


def test_paired_ratio_of_as_many_rounds_as_are_taken_needs_little_memory_and_time() -> None:
    times = np.random.default_rng(0).lognormal(size=MOST_ROUNDS)
    tracemalloc.start()
    got = paired_ratio(times, np.ones(MOST_ROUNDS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * times.nbytes
    assert got.low is not None
    assert got.high is not None
    assert 0.98 < got.low < got.median < got.high < 1.02


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
