# SPDX-License-Identifier: Apache-2.0
"""Golden frames: what the runtime's self-test replays, and how far a score may then be off."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.graphs.noise import NoiseBatch, noise_name
from export.graphs.runners import Form
from lsood_runtime.offline import GoldenRecord

GoldenArrays = dict[str, Any]  # what numpy.savez_compressed takes
"""By name in ``golden.npz``, each with one row a golden frame."""

GOLDEN_TOLERANCE = {"cpu": 0.02, "gpu": 0.2}
"""Shares of the interquartile range of the held-out scores."""
GOLDEN_DRAWS, GOLDEN_DEVIATIONS = 16, 10
"""Fresh masks: how often a golden frame is scored, and how many standard deviations of that a later score may be away."""


def golden_frames(form: Form, frames: NDArray[np.uint8], noise: NoiseBatch, draws: int) -> tuple[GoldenArrays, float]:
    """Score golden frames.

    Args:
        form: the monitor.
        frames: ``(G, H, W, 3)``.
        noise: for the G frames; empty where the graph takes none.
        draws: how often each frame is scored; more than once where masks are drawn in the graph.

    Returns:
        The arrays of ``golden.npz``, and the largest standard deviation of a frame's scores, nats.
    """
    scores = [
        [float(form(frames[i : i + 1], [values[i : i + 1] for values in noise])["score"][0]) for _ in range(draws)]
        for i in range(len(frames))
    ]
    arrays: GoldenArrays = {noise_name(i): values for i, values in enumerate(noise)}
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
