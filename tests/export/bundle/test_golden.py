# SPDX-License-Identifier: Apache-2.0
"""Golden frames: their scores, their tolerance and their file."""

from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.bundle.golden import save_golden_frames, score_golden_frames
from export.errors import CalibrationError
from export.graphs.monitor_forms import MonitorOutputs
from export.graphs.noise import NoiseBatch

FRAMES = np.stack([np.full((2, 3, 3), level, np.uint8) for level in (10, 20)])
SCORES = np.array([0.0, 5, 10, 15, 20]) / 2


def test_score_golden_frames_of_fixed_masks_allows_shares_of_the_spread() -> None:
    golden = score_golden_frames(
        lambda frames, _: {"score": frames.mean(axis=(1, 2, 3))},
        FRAMES,
        [],
        mode="fixed",
        scores=SCORES,
    )
    np.testing.assert_array_equal(golden.scores, [10, 20])
    assert golden.tolerance == {"cpu": pytest.approx(0.1), "gpu": pytest.approx(1.0)}


def test_score_golden_frames_of_fresh_masks_adds_ten_deviations() -> None:
    draws = cycle([-3.0, 3.0])

    def form(frames: NDArray[np.uint8], _: NoiseBatch) -> MonitorOutputs:
        return {"score": frames.mean(axis=(1, 2, 3)) + next(draws)}

    golden = score_golden_frames(form, FRAMES, [], mode="fresh", scores=np.array([0.0, 50, 50, 50, 100]))
    np.testing.assert_allclose(golden.scores, [10, 20])
    assert golden.tolerance["cpu"] == pytest.approx(30, abs=1e-3)


@pytest.mark.parametrize("deviation", [0.9, 1.1])
def test_score_golden_frames_of_fresh_masks_that_chance_moves_further_than_frames_differ_are_refused(
    deviation: float,
) -> None:
    scores = np.array([3.0, 5.0, 9.0])
    draws = cycle([-6 * deviation, 6 * deviation])

    def form(frames: NDArray[np.uint8], _: NoiseBatch) -> MonitorOutputs:
        return {"score": np.full(len(frames), next(draws))}

    if deviation < 1:
        assert score_golden_frames(form, FRAMES, [], mode="fresh", scores=scores).tolerance["cpu"] > 50
        return
    with pytest.raises(
        CalibrationError, match=r"less than the 6 .* deviation of 6\.6: .* larger --mc-samples, or with --masks f"
    ):
        score_golden_frames(form, FRAMES, [], mode="fresh", scores=scores)


def test_save_golden_frames_with_noise_writes_what_each_frame_was_scored_with(tmp_path: Path) -> None:
    noise = [np.arange(8, dtype=np.float32).reshape(2, 4), np.ones((2, 1), np.float32)]
    golden = score_golden_frames(
        lambda _, values: {"score": values[0].sum(axis=1)}, FRAMES, noise, mode="input", scores=np.arange(3.0)
    )
    save_golden_frames(tmp_path, golden)
    with np.load(tmp_path / "golden.npz") as arrays:
        assert set(arrays) == {"frames", "scores", "noise_0", "noise_1"}
        np.testing.assert_array_equal(arrays["scores"], arrays["noise_0"].sum(axis=1))
        np.testing.assert_array_equal(arrays["frames"], FRAMES)
        np.testing.assert_array_equal(arrays["noise_1"], noise[1])
