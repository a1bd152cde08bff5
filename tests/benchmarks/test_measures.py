# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks say about times, against simulation, plain loops and a clock of our own."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from benchmarks.measure import (
    Stopwatch,
    Watched,
    latency,
    loss,
    median_with_interval,
    pace,
    quantile_bound,
    ratio,
    tail_ratio,
    take_turns,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("quantile", "enough"), [(0.95, 59), (0.99, 299), (0.999, 2995)])
def test_quantile_bound_of_too_few_values_is_none(quantile: float, enough: int) -> None:
    assert quantile_bound(RNG.random(enough - 1), quantile) is None
    value, bound = quantile_bound(RNG.random(enough), quantile) or (1.0, 0.0)
    assert value <= bound


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_quantile_bound_of_many_samples_covers_at_its_confidence(quantile: float) -> None:
    bounds = [quantile_bound(RNG.random(400), quantile) for _ in range(2000)]
    covered = np.mean([bound is not None and bound[1] >= quantile for bound in bounds])
    assert 0.94 <= covered <= 0.99


@given(st.lists(st.floats(0.001, 10), min_size=2, max_size=60), st.floats(0.1, 100))
def test_latency_of_any_times_equals_plain_loops(values: list[float], rate: float) -> None:
    summary = latency(np.array(values), [rate])
    assert summary.count == len(values)
    assert summary.maximum == max(values)
    assert summary.misses[f"{rate:g}"] == sum(value > 1 / rate for value in values) / len(values)
    steps = sorted(abs(a - b) for a, b in pairwise(values))
    middle = len(steps) // 2
    assert summary.jitter == pytest.approx(steps[middle] if len(steps) % 2 else (steps[middle - 1] + steps[middle]) / 2)


def test_ratio_of_drifting_pairs_is_the_median_of_quotients() -> None:
    drift = np.linspace(1, 3, 31)  # the machine slows down threefold; the pairs do not mind
    result = ratio(1.1 * drift, drift)
    assert (result.median, result.low, result.high) == pytest.approx((1.1, 1.1, 1.1))
    with pytest.raises(ValueError, match="paired"):
        ratio(drift, drift[1:])
    with pytest.raises(ValueError, match="paired"):
        tail_ratio(drift, drift[1:])


def test_median_with_interval_of_a_sample_agrees_with_scipy() -> None:
    values = RNG.lognormal(size=80)
    ours = median_with_interval(values)
    theirs = bootstrap((values,), np.median, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.06)


def test_loss_of_pairs_is_the_mean_difference() -> None:
    before, after = RNG.normal(size=(2, 60))
    ours = loss(before, after)
    theirs = bootstrap((before - after,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert ours.mean == pytest.approx(before.mean() - after.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05)
    with pytest.raises(ValueError, match="paired"):
        loss(before, after[1:])


def test_watched_session_behaves_as_the_session() -> None:
    class Session:
        name = "itself"

        def run(self, value: int, *, more: int) -> int:
            if value < 0:
                raise ValueError
            return value + more

    watch = Stopwatch(Session().run)
    watched = Watched(Session(), watch)
    assert watched.run(1, more=2) == 3
    assert watched.name == "itself"
    once = watch.seconds
    with pytest.raises(ValueError):  # noqa: PT011
        watched.run(-1, more=0)
    assert watch.seconds > once > 0


def test_tail_ratio_of_a_scaled_copy_is_one_and_of_a_heavier_tail_above() -> None:
    times = RNG.lognormal(sigma=0.05, size=400)
    assert tail_ratio(3 * times, times).median == pytest.approx(1)
    heavy = times.copy()
    heavy[::20] *= 2
    assert tail_ratio(heavy, times).low > 1.2


def test_take_turns_of_three_calls_rotates_who_is_first() -> None:
    order: list[str] = []
    times = take_turns({name: partial(order.append, name) for name in "abc"}, rounds=3, warm_up=1)
    assert "".join(order) == "abcbcacababc"
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3, "c": 3}


def test_take_turns_by_another_clock_counts_its_time_alone() -> None:
    ticks = iter(range(100))
    times = take_turns({"a": list, "b": list}, rounds=2, warm_up=1, clock=lambda: float(next(ticks)))
    assert {name: values.tolist() for name, values in times.items()} == {"a": [1, 1], "b": [1, 1]}


class Clock:
    """Stands still but for what is slept or worked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("work", "dropped", "late"), [(0.05, 0, 0.0), (0.099, 0, 0.0), (0.25, 11, 1.0)])
def test_pace_of_a_loop_slower_than_its_camera_drops_frames(work: float, dropped: int, late: float) -> None:
    clock = Clock()
    result = pace(lambda: clock.pass_(work), rate=10, duration=2, clock=clock, sleep=clock.pass_)
    assert (result.offered, result.dropped, result.late) == (20, dropped, late)
    assert result.worst >= result.response >= work - 1e-9
