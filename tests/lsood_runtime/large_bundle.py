# SPDX-License-Identifier: Apache-2.0
"""A toy bundle whose frames are large enough for tiles: the arithmetic of the toy bundle on 64 x 128 pixels."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.lsood_runtime import conftest

HEIGHT, WIDTH = 64, 128


@contextmanager
def large_frames() -> Iterator[None]:
    """Toy bundles and frames are of this size within the block."""
    masks = (np.random.default_rng(7).random((conftest.SAMPLES, HEIGHT * WIDTH)) < 0.6).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("HEIGHT", HEIGHT), ("WIDTH", WIDTH), ("MASKS", masks / masks.sum(axis=1, keepdims=True))):
            patch.setattr(conftest, name, value)
        patch.setattr(conftest.score_by_hand, "__defaults__", (conftest.MASKS,))
        yield


def write_large_bundle(folder: Path) -> Path:
    """Write the bundle in a folder that is there."""
    with large_frames():
        return conftest.write_toy_bundle(folder, golden={"tolerance": {"cpu": 1e-4, "gpu": 1e-3}})


def large_pictures(count: int, seed: int) -> list[NDArray[np.uint8]]:
    """Frames of noise, in which no tile is faulty."""
    return list(np.random.default_rng(seed).integers(20, 230, (count, HEIGHT, WIDTH, 3), dtype=np.uint8))


def half_dead(frame: NDArray[np.uint8], level: int = 0) -> NDArray[np.uint8]:
    """The frame with a left half of one level."""
    dead = frame.copy()
    dead[:, : WIDTH // 2] = level
    return dead
