# SPDX-License-Identifier: Apache-2.0
"""What the monitor adds to the network that runs anyway, frame by frame: closed loop, then before a camera."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.answered_networks import answered_graphs, fused_graphs
from benchmarks.conftest import Record
from benchmarks.measure import latency, pace, ratio, tail_ratio, take_turns
from benchmarks.networks import (
    Placement,
    alone,
    assessed,
    bare_graph,
    monitor_graphs,
    monitored,
    resident,
    subject,
)

WARM_UP = 4
MONITORED = (
    "monitored (entropies)",
    "monitored (fused)",
    "monitored (fused, answers)",
)


def test_frame(
    case: tuple[str, tuple[int, int], int],
    placement: Placement,
    clock: Callable[[], float],
    benchmark: BenchmarkFixture,
    record: Record,
    pytestconfig: pytest.Config,
) -> None:
    backbone, size, samples = case
    option = pytestconfig.getoption
    who = subject(backbone, *size)
    calls = {
        "alone": alone(who, placement),
        "monitored (entropies)": monitored(who, samples, placement),
        "monitored (fused)": assessed(who, placement, fused_graphs(who, samples, placement)),
        "monitored (fused, answers)": assessed(who, placement, answered_graphs(who, samples, placement)),
    }
    base = size == option("--sizes")[0] and samples == option("--samples")[0]
    tail = base and backbone == option("--backbones")[0]
    rounds = max(option("--frames"), option("--pairs")) if tail else option("--pairs")
    times = take_turns(calls, rounds, WARM_UP, clock=clock)
    facts = {"backbone": backbone, "size": list(size), "samples": samples}
    where = f"{backbone} {size[0]}x{size[1]} S={samples}"
    for name in MONITORED:
        record(f"{name} / alone, {where}", ratio(times[name], times["alone"]), what=name, **facts)
    for name, values in times.items():
        more = {"milliseconds": (1e3 * values).round(3).tolist()} if tail else {}
        record(f"{name}, {where}", latency(values, option("--rates")), what=name, warm_up=WARM_UP, **facts, **more)
    if tail:
        for name in MONITORED:
            tails = tail_ratio(times[name], times["alone"])
            record(f"p99/p50 {name} / alone, {where}", tails, what="tail", **facts)
        for rate in option("--rates"):
            for name in calls:
                figure = pace(calls[name], rate, option("--paced-seconds"))
                record(f"{name} before a camera, {where}", figure, what=name, **facts)
    if base:
        only = {"alone": calls["alone"], "monitor only": monitored(who, samples, placement, segmentation=False)}
        times = take_turns(only, option("--pairs"), WARM_UP, clock=clock)
        record(f"monitor only / alone, {where}", ratio(times["monitor only"], times["alone"]), what="only", **facts)
    if placement.provider != "cpu":
        graphs = {
            "alone": [bare_graph(who, placement)],
            "monitored (entropies)": monitor_graphs(who, samples, placement),
            "monitored (fused)": fused_graphs(who, samples, placement),
            "monitored (fused, answers)": answered_graphs(who, samples, placement),
        }
        on_device = {name: resident(chain, who.frame, "cuda") for name, chain in graphs.items()}
        times = take_turns(on_device, option("--pairs"), WARM_UP)
        for name in MONITORED:
            quotient = ratio(times[name], times["alone"])
            record(f"on the device: {name} / alone, {where}", quotient, what="device", **facts)
        for name, values in times.items():
            record(f"on the device: {name}, {where}", latency(values, ()), what=f"device {name}", **facts)
    benchmark.pedantic(calls["monitored (fused)"], rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]
