# SPDX-License-Identifier: Apache-2.0
"""What the monitor adds to the network that runs anyway."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import make_pair, ratios

PAIRS, WARM_UP = 40, 4
HEIGHT, WIDTH = 256, 512


def seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.parametrize("samples", [16, 128])
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50", "resnet101"])
def test_monitored_frame(backbone: str, samples: int, benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> None:
    pair = make_pair(backbone, HEIGHT, WIDTH, samples)
    alone, monitored = [], []
    for i in range(WARM_UP + PAIRS):
        # Which goes first alternates: neither always finds the other's threads and caches.
        if i % 2:
            alone.append(seconds(pair.alone))
            monitored.append(seconds(pair.monitored))
        else:
            monitored.append(seconds(pair.monitored))
            alone.append(seconds(pair.alone))
    quotients = np.array(monitored[WARM_UP:]) / np.array(alone[WARM_UP:])
    low, median, high = np.quantile(quotients, [0.25, 0.5, 0.75])
    benchmark.extra_info |= {
        "pairs": PAIRS,
        "ratio_quartiles": [low, median, high],
        "alone_ms_median": 1e3 * float(np.median(alone[WARM_UP:])),
    }
    pytestconfig.stash[ratios].append(
        f"{backbone} {HEIGHT}x{WIDTH} S={samples}: {median:.3f} (quartiles {low:.3f} to {high:.3f}, {PAIRS} pairs, "
        f"alone {1e3 * np.median(alone[WARM_UP:]):.0f} ms)"
    )
    benchmark.pedantic(pair.monitored, rounds=10, warmup_rounds=1)  # type: ignore[no-untyped-call]
