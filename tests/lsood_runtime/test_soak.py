# SPDX-License-Identifier: Apache-2.0
"""A long drive: memory stays where it is, and threads change no bit of a score."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from export.data.synthetic import SyntheticRoads
from lsood_runtime import KOfN, LatestFrameWorker, OoDMonitor

FRAMES, WARM, DIFFERENT = 20_000, 2_000, 50
GROWTH = 1.02


def resident_bytes() -> int:
    """Of this process, by the kernel's count."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("threads", [1, 4])
def test_monitor_twenty_thousand_frames_keeps_its_memory(bundle: Path, threads: int) -> None:
    with OoDMonitor(bundle) as monitor:
        contract = monitor.manifest.input
        source = SyntheticRoads(DIFFERENT, contract.frame_height, contract.frame_width, seed=5)
        frames = [source[i][0] for i in range(DIFFERENT)]
        serial = [monitor.score(frame) for frame in frames]
        with ThreadPoolExecutor(threads) as pool:

            def drive(count: int) -> bool:
                return all(monitor.score(frames[i % DIFFERENT]) == serial[i % DIFFERENT] for i in range(count))

            assert all(pool.map(drive, [WARM // threads] * threads))
            before = resident_bytes()
            assert all(pool.map(drive, [FRAMES // threads] * threads))
        assert resident_bytes() <= GROWTH * before


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_stream_of_two_cameras_keeps_its_memory(make_bundle: Callable[..., Path]) -> None:
    """The state of a camera does not grow, and neither does what waits for a slow monitor."""
    rng = np.random.default_rng(0)
    with OoDMonitor(make_bundle()) as monitor:
        contract = monitor.manifest.input
        frames = rng.integers(1, 256, (DIFFERENT, contract.frame_height, contract.frame_width, 3), np.uint8)
        seen = 0

        def count(_: object) -> None:
            nonlocal seen
            seen += 1

        with LatestFrameWorker(monitor.stream(KOfN(3, 5), on_result=count)) as worker:
            for i in range(FRAMES + WARM):
                if i == WARM:
                    before = resident_bytes()
                worker.submit(frames[i % DIFFERENT], camera=str(i % 2))
        assert seen + worker.dropped == FRAMES + WARM
        assert resident_bytes() <= GROWTH * before
