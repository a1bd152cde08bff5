# SPDX-License-Identifier: Apache-2.0
"""The second graph alone: how its time grows with the points of the density and with their dimensions."""

from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import Record
from benchmarks.measure import latency, ratio, take_turns
from benchmarks.networks import Placement, alone, load_detector, random_detector, scored, subject

SAMPLES, CHANNELS, WARM_UP = 16, 2048, 4
GRID = [(200, 58), (1000, 58), (5000, 58), (20000, 58), (1000, 16), (1000, 256), (1000, None), (5000, None)]
"""Points N, and dimensions D after a PCA; None for all 2,048."""


@pytest.mark.parametrize(("points", "pca"), GRID)
def test_detector(
    points: int,
    pca: int | None,
    placement: Placement,
    benchmark: BenchmarkFixture,
    record: Record,
    pytestconfig: pytest.Config,
) -> None:
    detector = random_detector(CHANNELS, pca, points)
    graph = load_detector(scored(SAMPLES, detector, CHANNELS), SAMPLES, CHANNELS, placement)
    latents = np.random.default_rng(0).normal(size=(1, SAMPLES, CHANNELS)).astype(np.float32)
    calls: dict[str, Callable[[], object]] = {"detector": lambda: graph.run(["score"], {"latent_samples": latents})}
    facts = {"points": points, "dimensions": pca or CHANNELS, "what": "detector"}
    where = f"N={points} D={pca or CHANNELS} S={SAMPLES} C={CHANNELS}"
    if (points, pca) == (20000, 58):
        calls["alone"] = alone(subject(pytestconfig.getoption("--peer-backbone"), 256, 512), placement)
    times = take_turns(calls, max(pytestconfig.getoption("--pairs"), 100 if len(calls) == 1 else 0), WARM_UP)
    record(f"detector, {where}", latency(times["detector"], ()), **facts)
    if len(calls) > 1:
        record(f"detector / network alone, {where}", ratio(times["detector"], times["alone"]), **facts)
    benchmark.pedantic(calls["detector"], rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]
