# SPDX-License-Identifier: Apache-2.0
"""What each answer costs alone, and all of them together: every network at every size, in turn within one run."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.answered_networks import ALL_ANSWERS, CONFIDENCE, answered_graphs, fused_graphs, unscored
from benchmarks.conftest import Record
from benchmarks.measure import latency, ratio, take_turns
from benchmarks.networks import Placement, alone, assessed, subject
from export.calibration.answer_options import CAUSE, MAP, QUALITY, TILES

WARM_UP = 4
ANSWERS: dict[str, frozenset[str]] = {
    "quality": frozenset((QUALITY,)),
    "cause": frozenset((CAUSE,)),
    "tiles": frozenset((TILES,)),
    "map": frozenset((MAP,)),
    "map and confidence": frozenset((MAP, CONFIDENCE)),
    "all": ALL_ANSWERS,
}
"""Answers that are given beside the score, under the name of their figures; severity comes with the cause."""


def test_answers(
    answer_case: tuple[str, tuple[int, int]],
    placement: Placement,
    clock: Callable[[], float],
    benchmark: BenchmarkFixture,
    record: Record,
    pytestconfig: pytest.Config,
) -> None:
    backbone, size = answer_case
    option = pytestconfig.getoption
    who, samples = subject(backbone, *size), option("--samples")[0]
    calls: dict[str, Callable[[], object]] = {
        "alone": alone(who, placement),
        "score": assessed(who, placement, fused_graphs(who, samples, placement)),
        "map without a score": unscored(who, samples, placement, frozenset((MAP,))),
    }
    for name, answers in ANSWERS.items():
        calls[f"score and {name}"] = assessed(who, placement, answered_graphs(who, samples, placement, answers))
    times = take_turns(calls, option("--pairs"), WARM_UP, clock=clock)
    facts = {"backbone": backbone, "size": list(size), "samples": samples}
    where = f"{backbone} {size[0]}x{size[1]} S={samples}"
    for name, values in times.items():
        record(f"answers: {name}, {where}", latency(values, option("--rates")), what=name, warm_up=WARM_UP, **facts)
        if name != "alone":
            record(
                f"answers: {name} / alone, {where}",
                ratio(values, times["alone"]),
                what=name,
                over="network alone",
                **facts,
            )
    for name in ANSWERS:
        quotient = ratio(times[f"score and {name}"], times["score"])
        record(f"answers: score and {name} / score, {where}", quotient, what=f"score and {name}", over="score", **facts)
    benchmark.pedantic(calls["score and all"], rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]
