# SPDX-License-Identifier: Apache-2.0
"""What the check of raw frames tile by tile costs on the host, as a share of a monitored frame."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SMALL, Record
from benchmarks.measure import median_with_interval
from lsood_runtime import OoDMonitor, TileCheck
from lsood_runtime._inference.picture_check import PictureChecker
from lsood_runtime._stream.frozen_tiles import FrozenTiles
from lsood_runtime._stream.image_digest import image_digest

FRAMES, WARM_UP, KINDS = 60, 5, 10
FULL_HD = (1080, 1920)


@pytest.mark.parametrize("size", [SMALL, FULL_HD], ids=str)
def test_tiles_of_a_frame(
    size: tuple[int, int], small_bundle: Path, benchmark: BenchmarkFixture, record: Record
) -> None:
    """The check of single frames beyond that of the whole, and the comparison in a stream, each over a ResNet-18 frame."""
    rng = np.random.default_rng(0)
    frames: list[NDArray[np.uint8]] = [rng.integers(20, 230, (1, *size, 3), np.uint8) for _ in range(KINDS)]
    network_frames = [rng.integers(20, 230, (*SMALL, 3), np.uint8) for _ in range(KINDS)]
    whole, tiled = PictureChecker(True, None, []), PictureChecker(True, TileCheck(), [])
    history, digests = FrozenTiles(TileCheck()), [image_digest(frame[0]) for frame in frames]

    def compare(i: int) -> None:
        digest, words = digests[i % KINDS]
        history.see(digest, words, i)
        history.frozen(words, i, 1.0)

    parts: dict[str, Callable[[int], object]] = {
        "whole": lambda i: whole.look(frames[i % KINDS]),
        "tiles": lambda i: tiled.look(frames[i % KINDS]),
        "frozen tiles": compare,
    }
    seconds = {name: np.empty(FRAMES) for name in (*parts, "frame")}
    with OoDMonitor(small_bundle) as monitor:
        calls = parts | {"frame": lambda i: monitor.score(network_frames[i % KINDS])}
        for i in range(-WARM_UP, FRAMES):
            for name, call in calls.items():
                start = time.perf_counter()
                call(i)
                if i >= 0:
                    seconds[name][i] = time.perf_counter() - start
    for name, extra in (("tiles", seconds["tiles"] - seconds["whole"]), ("frozen tiles", seconds["frozen tiles"])):
        microseconds = {"microseconds": 1e6 * float(np.median(extra))}
        figure = median_with_interval(extra / seconds["frame"])
        where = f"{size[0]}x{size[1]} / frame, resnet18 {SMALL[0]}x{SMALL[1]}"
        record(f"{name} of {where}", figure, what=name, **microseconds)
    benchmark.pedantic(lambda: tiled.look(frames[0]), rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]
