# SPDX-License-Identifier: Apache-2.0
"""Figures with intervals, without a package for statistics: a share of frames, and paired times."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
MOST_ROUNDS = 100_000
"""That are timed: hours on the fastest machine."""

FEWEST_PAIRS = 6
"""Pairs that an interval of their median takes: all values of five lie on one side of it more often than once in 20 times."""

_STEPS = 60  # of bisection: a float has 53 bits


def share_interval(count: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper and Pearson's interval (1934) of a share, of ``count`` in ``total`` independent frames.

    Each end is the share under which at least, or at most, so many are found with half the rest of the confidence.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _root(lambda share: 1 - _at_most(count - 1, total, share), tail)
    high = 1.0 if count == total else _root(lambda share: -_at_most(count, total, share), -tail)
    return low, high


def share_bound(count: int, total: int, confidence: float = CONFIDENCE) -> float:
    """The largest share that ``count`` in ``total`` independent frames leave possible: Clopper and Pearson's one-sided bound.

    Example:
        >>> round(share_bound(0, 300), 4)  # about 3 / 300
        0.0099
    """
    return share_interval(count, total, 1 - 2 * (1 - confidence))[1]


def _at_most(count: int, total: int, share: float) -> float:
    """Probability of at most ``count`` in ``total`` by the binomial distribution."""
    if share in (0.0, 1.0):
        return float(share == 0.0 or count >= total)
    return math.fsum(_exactly(k, total, share) for k in range(count + 1))


def _exactly(count: int, total: int, share: float) -> float:
    """Probability of ``count`` in ``total`` by the binomial distribution, of a share above 0 and below 1."""
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return math.exp(ways + count * math.log(share) + (total - count) * math.log1p(-share))


def _root(rising: Callable[[float], float], value: float) -> float:
    """Where a function that rises over [0, 1] reaches a value."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of the times of one call, milliseconds.

    Attributes:
        p50: median.
        p90: nine in ten calls took less.
        p99: of a hundred calls one took longer.
        largest: of all calls.
    """

    p50: float
    p90: float
    p99: float
    largest: float


@dataclass(frozen=True, slots=True)
class PairedRatio:
    """Times of one call over those of another, round by round.

    Attributes:
        median: of the quotients.
        low: lower end of the median's 95 % interval; None where there are fewer than six rounds.
        high: its upper end.
    """

    median: float
    low: float | None
    high: float | None


def percentiles(times_ms: NDArray[np.float64]) -> Percentiles:
    """Sum up ``(n,)`` milliseconds."""
    p50, p90, p99 = np.quantile(times_ms, [0.5, 0.9, 0.99]).tolist()
    return Percentiles(p50, p90, p99, float(times_ms.max()))


def paired_ratio(times_ms: NDArray[np.float64], others_ms: NDArray[np.float64]) -> PairedRatio:
    """Median of ``times_ms[i] / others_ms[i]``, both of the same ``(n,)`` rounds, with its interval.

    The interval lies between two of the sorted quotients, the k-th from below and from above: the median of what they are
    drawn from is below or above both with a probability of at most 5 %, by the binomial distribution, whatever that is.
    """
    quotients = np.sort(times_ms / others_ms)
    total, median = len(quotients), float(np.median(quotients))
    if total < FEWEST_PAIRS:
        return PairedRatio(median, None, None)
    outside, beyond = 0, 0.0  # probability that at most so many quotients lie below the median
    while (beyond := beyond + _exactly(outside, total, 0.5)) <= (1 - CONFIDENCE) / 2:
        outside += 1
    return PairedRatio(median, float(quotients[outside - 1]), float(quotients[total - outside]))


def take_turns(
    calls: Mapping[str, Callable[[int], object]],
    rounds: int,
    on_round: Callable[[int], None],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, NDArray[np.float64]]:
    """Time calls one after the other in every round, so that what slows the machine slows all; who begins changes.

    Args:
        calls: what to time; each gets the number of the round.
        rounds: at least one; a tenth more go before, at least three, and do not count.
        on_round: called with the number of rounds that are done.
        clock: in seconds.

    Returns:
        ``(rounds,)`` milliseconds of each call.
    """
    names, unused = list(calls), max(3, rounds // 10)
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(unused + rounds):
        first = i % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            calls[name](i)
            times[name].append(1e3 * (clock() - start))
        on_round(i + 1)
    return {name: np.array(values[unused:]) for name, values in times.items()}
