# SPDX-License-Identifier: Apache-2.0
"""Golden frames: a few frames with their scores and tolerances, which the runtime's self-test replays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.graphs.monitor_forms import Form
from export.graphs.noise import NoiseBatch
from lsood_runtime.offline import (
    FRESH_DEVIATIONS,
    GOLDEN_FILE,
    SMALLEST_SPREAD,
    TOLERANCE_SHARES,
    GoldenFrames,
    noise_name,
)

FRESH_DRAWS = 16
"""For fresh masks: how often a golden frame is scored."""


def score_golden_frames(
    form: Form, frames: NDArray[np.uint8], noise: NoiseBatch, *, mode: str, spread: float
) -> GoldenFrames:
    """Score golden frames and set their tolerance.

    Args:
        form: the monitor.
        frames: ``(G, H, W, 3)``.
        noise: for the G frames; empty where the graph takes none.
        mode: of the masks; a frame is scored several times where they are drawn in the graph.
        spread: interquartile range of the calibration scores.
    """
    draws = FRESH_DRAWS if mode == "fresh" else 1
    scores = [
        [float(form(frames[i : i + 1], [values[i : i + 1] for values in noise])["score"][0]) for _ in range(draws)]
        for i in range(len(frames))
    ]
    by_chance = float(np.std(scores, axis=1).max())
    tolerance = {
        provider: share * max(spread, SMALLEST_SPREAD) + FRESH_DEVIATIONS * by_chance
        for provider, share in TOLERANCE_SHARES.items()
    }
    return GoldenFrames(frames=frames, scores=np.mean(scores, axis=1), noise=tuple(noise), tolerance=tolerance)


def save_golden_frames(folder: Path, golden: GoldenFrames) -> None:
    """Write golden frames into the folder of a bundle."""
    noise: dict[str, Any] = {noise_name(i): values for i, values in enumerate(golden.noise)}
    np.savez_compressed(folder / GOLDEN_FILE, frames=golden.frames, scores=golden.scores, **noise)
