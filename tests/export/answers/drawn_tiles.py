# SPDX-License-Identifier: Apache-2.0
"""Moments of tiles of clean and patched frames, drawn at random, whose abnormal tiles are known."""

import numpy as np
import pytest

from export.answers import tile_perceptron
from export.answers.rows import PatchedRows
from export.features.key import FeatureKey

GRID = (2, 3)
TILE_WIDTHS = {FeatureKey.tiles("layer1", *GRID): 10, FeatureKey.tiles("layer2", *GRID): 5}
"""Numbers of one tile."""


def draw_tiles(seed: int, drives: int = 10, frames: int = 6, effect: float = 6.0, *, world: int = 0) -> PatchedRows:
    """Every frame clean, and with each of two fillings over some of its tiles.

    Args:
        seed: of frames and drives.
        drives: how many.
        frames: of each drive.
        effect: how far a patch moves the numbers, in deviations.
        world: seed of what fillings do.
    """
    rng, laws = np.random.default_rng(seed), np.random.default_rng(world)
    tiles, width = GRID[0] * GRID[1], sum(TILE_WIDTHS.values())
    places, moves = laws.normal(size=(tiles, width)), laws.normal(size=(2, width))
    moves *= effect / np.linalg.norm(moves, axis=1, keepdims=True)
    numbers, cover, filling, drive, frame = [], [], [], [], []
    for d in range(drives):
        of_drive = rng.normal(0, 0.3, width)
        for f in range(frames):
            own = places + of_drive + rng.normal(size=(tiles, width))
            for place, name in enumerate(("", "flat", "grain")):
                share = rng.random(tiles) if name else np.zeros(tiles)
                share[share < 0.5] = 0
                numbers.append(own + (share[:, None] * moves[place - 1] if name else 0))
                cover.append(share.reshape(GRID))
                filling.append(name)
                drive.append(f"d{d}")
                frame.append(d * frames + f)
    stacked = np.array(numbers, np.float32)
    parts = np.split(stacked, np.cumsum(list(TILE_WIDTHS.values()))[:-1], axis=2)
    return PatchedRows(
        values={key: part.reshape(len(part), -1) for key, part in zip(TILE_WIDTHS, parts, strict=True)},
        cover=np.array(cover),
        filling=np.array(filling),
        drive=np.array(drive),
        frame=np.array(frame, np.int64),
    )


def train_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train perceptrons of tiles for a few steps, for tests of what holds whatever they learnt."""
    monkeypatch.setattr(tile_perceptron, "EPOCHS", 3)
    monkeypatch.setattr(tile_perceptron, "FEWEST_STEPS", 3)
