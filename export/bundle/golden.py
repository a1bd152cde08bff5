# SPDX-License-Identifier: Apache-2.0
"""Golden frames: what the runtime's self-test replays, and how far a score may then be off."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.graphs.noise import Noise
from export.graphs.runners import Form
from lsood_runtime.offline import GoldenRecord

GOLDEN_TOLERANCE = {"cpu": 0.02, "gpu": 0.2}
"""Shares of the interquartile range of the held-out scores."""
GOLDEN_DRAWS, GOLDEN_DEVIATIONS = 16, 10
"""Fresh masks: how often a golden frame is scored, and how many standard deviations of that a later score may be away."""


def golden_frames(
    form: Form, frames: NDArray[np.uint8], draw: Callable[[], Noise], draws: int
) -> tuple[dict[str, Any], float]:
    """Golden frames with their scores and noise, and how far chance alone moves a score, nats."""
    scores, noises = [], []
    for frame in frames:
        noise = draw()
        scores.append([float(form(frame[None], noise)["score"][0]) for _ in range(draws)])
        noises.append(noise)
    arrays: dict[str, Any] = {
        f"noise_{i}": np.concatenate(values) for i, values in enumerate(zip(*noises, strict=True))
    }
    arrays |= {"frames": frames, "scores": np.mean(scores, axis=1)}
    return arrays, float(np.std(scores, axis=1).max())


def golden_tolerance(spread: float, chance: float) -> GoldenRecord:
    """How far a golden score may be off, by kind of provider.

    Args:
        spread: interquartile range of the held-out scores.
        chance: standard deviation of a golden frame's score under fresh masks; 0 under fixed ones.
    """
    return GoldenRecord(
        {
            provider: share * max(spread, 1e-3) + GOLDEN_DEVIATIONS * chance
            for provider, share in GOLDEN_TOLERANCE.items()
        }
    )
