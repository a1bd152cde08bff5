# SPDX-License-Identifier: Apache-2.0
"""Masks from noise that is an input: given by the caller, or drawn from the seed in the manifest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lsood_runtime import FrameError, OoDMonitor
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._inference.device_pass import DevicePass
from lsood_runtime._inference.loading import LoadOptions, load_graphs
from lsood_runtime._inference.providers import CPU
from tests.lsood_runtime.conftest import (
    HEIGHT,
    SAMPLES,
    WIDTH,
    masks_of,
    random_frames,
    score_by_hand,
    toy_manifest,
    write_noise_bundle,
)

SHAPE = (SAMPLES, HEIGHT * WIDTH)


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    folder = tmp_path / "noisy"
    folder.mkdir()
    return write_noise_bundle(folder)


def uniform(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random(SHAPE, dtype=np.float32)


def test_score_noise_given_matches_numpy(noisy: Path) -> None:
    frame = random_frames(1, 5)[0]
    with OoDMonitor(noisy) as monitor:
        for seed in range(3):
            noise = uniform(seed)
            expected = score_by_hand(frame, masks_of(noise))
            assert monitor.score(frame, [noise]) == pytest.approx(expected, abs=1e-5)
            assert monitor.assess(frame, [noise]).score == monitor.score(frame, [noise])
            assert monitor.score(frame, [np.asfortranarray(noise)]) == monitor.score(frame, [noise])


def test_score_without_noise_draws_the_sequence_of_the_seed(noisy: Path) -> None:
    frames = random_frames(4, 6)
    generator = np.random.default_rng(toy_manifest()["masks"]["seed"])
    drawn = [generator.random(SHAPE, dtype=np.float32) for _ in frames]
    expected = [score_by_hand(frame, masks_of(noise)) for frame, noise in zip(frames, drawn, strict=True)]
    with OoDMonitor(noisy) as one_by_one, OoDMonitor(noisy) as batch:
        scores = [one_by_one.score(frame) for frame in frames]
        np.testing.assert_allclose(scores, expected, atol=1e-5)
        np.testing.assert_allclose(batch.score_batch(frames), expected, atol=1e-5)
        assert one_by_one.score(frames[0]) != scores[0], "the next draw is another one"
        assert one_by_one.self_test().passed


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ([], "expected 1 noise arrays, got 0: pass one for each"),
        ([uniform(0), uniform(1)], "expected 1 noise arrays, got 2"),
        ([uniform(0)[1:]], r"expected noise 0 to be \(4, 48\) float32, got \(3, 48\) float32: draw numpy.float32"),
        ([uniform(0).astype(np.float64)], r"got \(4, 48\) float64"),
        ([uniform(0).tolist()], "got list"),
        ([uniform(0) + 1], r"expected noise 0 in \[0, 1\), got 1"),
        ([uniform(0) - 1], r"expected noise 0 in \[0, 1\), got -"),
        ([np.full(SHAPE, np.nan, np.float32)], r"in \[0, 1\), got nan to nan: draw it uniformly"),
    ],
)
def test_score_noise_that_does_not_fit_is_refused(noisy: Path, noise: Any, message: str) -> None:
    frame = random_frames(1, 5)[0]
    with OoDMonitor(noisy) as monitor:
        for call in (monitor.score, monitor.assess):
            with pytest.raises(FrameError, match=message):
                call(frame, noise)


def test_score_noise_for_fixed_masks_is_refused(toy_bundle: Path) -> None:
    with (
        OoDMonitor(toy_bundle) as monitor,
        pytest.raises(FrameError, match=r"expected no noise, this bundle's masks are fixed: pass the frame alone"),
    ):
        monitor.score(random_frames(1, 5)[0], [uniform(0)])


def test_device_pass_with_noise_gives_the_bits_of_the_host_pass(noisy: Path) -> None:
    host: Any = load_graphs(open_bundle(noisy), LoadOptions(providers=[(CPU, {})])).frame_pass
    device = DevicePass(host._network, host._detector, "cpu", 0)
    frames = random_frames(2, 7)
    for seed in range(3):
        noise = {"noise_0": np.stack([uniform(seed), uniform(seed + 10)])}
        np.testing.assert_array_equal(device.run(frames, noise).scores, host.run(frames, noise).scores)
