# SPDX-License-Identifier: Apache-2.0
"""Times of calls, and what may honestly be said about them: quantiles with a bound, ratios pair by pair with an interval."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from lsood_runtime import OoDMonitor

QUANTILES = (0.5, 0.9, 0.99, 0.999)
CONFIDENCE = 0.95
_RESAMPLES = 2000

Seconds = NDArray[np.float64]


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long one call takes by a clock."""
    start = clock()
    call()
    return clock() - start


class Stopwatch:
    """Adds up the time that a function takes.

    Args:
        function: called with whatever the watch is called with.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function, self.seconds = function, 0.0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function."""
        start = time.perf_counter()
        try:
            return self._function(*arguments, **options)
        finally:
            self.seconds += time.perf_counter() - start


class Watched:
    """A session of ONNX Runtime whose ``run`` is watched; all else is as it was.

    Args:
        session: the session.
        run: the watch over its ``run``.
    """

    def __init__(self, session: Any, run: Stopwatch) -> None:
        self._session, self.run = session, run

    def __getattr__(self, name: str) -> Any:
        """As the session has it."""
        return getattr(self._session, name)


def watch_runs(monitor: OoDMonitor) -> list[Stopwatch]:
    """Watch ``session.run`` of both graphs of a monitor on the CPU provider."""
    way: Any = monitor._scorer.graphs.frame_pass
    watches = []
    for graph in (way._network, way._detector):
        watches.append(Stopwatch(graph.session.run))
        graph.session = Watched(graph.session, watches[-1])
    return watches


def take_turns(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int,
    pause: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Seconds]:
    """Time several calls in one run, one after the other in every round.

    Who goes first changes from round to round: nobody always finds another's threads and caches. What slows the machine
    down for a while slows all of them, so that the quotients within a round say more than those of any two medians.

    Args:
        calls: what to time.
        rounds: how many rounds count.
        warm_up: rounds before them that do not.
        pause: seconds before each call, where threads of the one before may still be spinning (PyTorch's do) and would take
            a core from it.
        clock: in seconds.

    Returns:
        ``(rounds,)`` seconds for each call; entry i of each belongs to round i.
    """
    names = list(calls)
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(warm_up + rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            if pause:
                time.sleep(pause)
            times[name].append(seconds(calls[name], clock))
    return {name: np.array(values[warm_up:]) for name, values in times.items()}


def quantile_bound(times: Seconds, quantile: float) -> tuple[float, float] | None:
    """A quantile of latency, and a value that it exceeds with a probability of at most 5 %; no distribution is assumed.

    The number of values below the true quantile is binomial, so an order statistic bounds it from above once there are
    enough values: 59 for p95, 299 for p99, 2,995 for p99.9. With fewer there is nothing to be said, and None comes back.

    Args:
        times: ``(n,)`` seconds.
        quantile: in (0, 1).
    """
    rank = int(binom.ppf(CONFIDENCE, len(times), quantile))  # the (rank + 1)-th smallest bounds from above
    if rank >= len(times):
        return None
    return float(np.quantile(times, quantile)), float(np.sort(times)[rank])


@dataclass(frozen=True)
class Latency:
    """Of one call, called again and again; seconds.

    Attributes:
        count: how many calls.
        quantiles: ``{"p50": (value, upper bound)}``; only those that the count can carry.
        maximum: the worst call.
        jitter: median of the absolute difference between one call and the next.
        misses: share of the calls that took longer than a camera's period, by its frames a second.
    """

    count: int
    quantiles: Mapping[str, tuple[float, float]]
    maximum: float
    jitter: float
    misses: Mapping[str, float]


def latency(times: Seconds, rates: Sequence[float]) -> Latency:
    """Sum up ``(n,)`` seconds, n at least 2, against cameras of so many frames a second."""
    bounds = {f"p{100 * quantile:g}": quantile_bound(times, quantile) for quantile in QUANTILES}
    return Latency(
        len(times),
        {name: bound for name, bound in bounds.items() if bound is not None},
        float(times.max()),
        float(np.median(np.abs(np.diff(times)))),
        {f"{rate:g}": float((times > 1 / rate).mean()) for rate in rates},
    )


@dataclass(frozen=True)
class Ratio:
    """Of two calls, pair by pair.

    Attributes:
        median: of the quotients.
        low: lower end of the 95 % interval of that median, by bootstrap over the pairs.
        high: its upper end.
        pairs: how many.
    """

    median: float
    low: float
    high: float
    pairs: int


def ratio(times: Seconds, others: Seconds) -> Ratio:
    """Median of ``times[i] / others[i]``.

    Raises:
        ValueError: the two do not belong to the same rounds.
    """
    if times.shape != others.shape or times.ndim != 1 or len(times) < 2:
        raise ValueError(f"expected two rows of at least two paired times, got {times.shape} and {others.shape}")
    return median_with_interval(times / others)


def tail_ratio(times: Seconds, others: Seconds, quantile: float = 0.99) -> Ratio:
    """``(p99 / p50)`` of one call over the same of another; pairs are resampled together.

    Raises:
        ValueError: the two do not belong to the same rounds.
    """
    if times.shape != others.shape or times.ndim != 1 or len(times) < 2:
        raise ValueError(f"expected two rows of at least two paired times, got {times.shape} and {others.shape}")
    rows = np.stack([times, others])
    chosen = np.random.default_rng(0).integers(0, len(times), (_RESAMPLES, len(times)))

    def tails(values: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = np.quantile(values, quantile, axis=-1) / np.median(values, axis=-1)
        result: NDArray[np.float64] = spread[0] / spread[1]
        return result

    low, high = np.quantile(tails(rows[:, chosen]), [0.025, 0.975])
    return Ratio(float(tails(rows)), float(low), float(high), len(times))


def median_with_interval(values: NDArray[np.float64]) -> Ratio:
    """Median of ``(n,)`` values with its bootstrap interval."""
    chosen = np.random.default_rng(0).integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.quantile(np.median(values[chosen], axis=1), [0.025, 0.975])
    return Ratio(float(np.median(values)), float(low), float(high), len(values))


@dataclass(frozen=True)
class Difference:
    """What was lost from one figure to another, pair by pair; negative where something was gained.

    Attributes:
        mean: of the differences.
        low: lower end of its 95 % interval, by bootstrap over the pairs.
        high: its upper end.
        pairs: how many.
    """

    mean: float
    low: float
    high: float
    pairs: int


def loss(before: NDArray[np.float64], after: NDArray[np.float64]) -> Difference:
    """Mean of ``before[i] - after[i]``.

    Raises:
        ValueError: the two are no pairs.
    """
    if before.shape != after.shape or before.ndim != 1 or len(before) < 2:
        raise ValueError(f"expected two rows of at least two paired figures, got {before.shape} and {after.shape}")
    values = before - after
    chosen = np.random.default_rng(0).integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), [0.025, 0.975])
    return Difference(float(values.mean()), float(low), float(high), len(values))


@dataclass(frozen=True)
class Paced:
    """A camera at a fixed rate before a loop that always takes the newest frame.

    Attributes:
        rate: frames a second.
        offered: how many frames the camera gave.
        dropped: how many of them were replaced by a newer one before the loop was free.
        late: share of the frames taken whose result came more than one period after the frame.
        response: median time from frame to result, seconds.
        worst: the longest of them.
    """

    rate: float
    offered: int
    dropped: int
    late: float
    response: float
    worst: float


def pace(
    call: Callable[[], object],
    rate: float,
    duration: float,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Paced:
    """Run a call as a camera's loop does; frame i appears i / ``rate`` after the start.

    Args:
        call: takes one frame.
        rate: frames a second.
        duration: for how many seconds the camera gives frames.
        clock: seconds, for tests.
        sleep: for tests.
    """
    offered = max(round(duration * rate), 1)
    start = clock()
    responses: list[float] = []
    newest = -1
    while newest < offered - 1:
        # Half a nanosecond forgives the rounding of i / rate; the loop never takes a frame twice.
        appeared = int((clock() - start) * rate + 1e-9)
        if appeared <= newest:
            sleep(max((newest + 1) / rate - (clock() - start), 0.0))
            continue
        newest = min(appeared, offered - 1)
        call()
        responses.append(clock() - start - newest / rate)
    times = np.array(responses)
    return Paced(
        rate,
        offered,
        offered - len(times),
        float((times > 1 / rate).mean()),
        float(np.median(times)),
        float(times.max()),
    )


def as_json(figures: Latency | Ratio | Difference | Paced) -> dict[str, Any]:
    """JSON-ready form."""
    return asdict(figures)
