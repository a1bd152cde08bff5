# SPDX-License-Identifier: Apache-2.0
"""Check the uniform noise that a caller gives for masks of mode ``input``, or draw it."""

import threading
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._arguments import shown
from lsood_runtime._bundle.records import MasksRecord
from lsood_runtime._exceptions import FrameError

FrameNoise: TypeAlias = Sequence[NDArray[np.float32]]
"""For each noise input of the graph the values of one frame, ``(S, *shape)``."""


def check_noise(noise: FrameNoise, masks: MasksRecord) -> list[NDArray[np.float32]]:
    """Check noise and return it as ONNX Runtime takes it.

    Args:
        noise: one array for each noise input.
        masks: of the manifest.

    Returns:
        For each noise input ``(S, *shape)`` float32, contiguous.

    Raises:
        FrameError: the graph takes none, or an array is missing, of another dtype or shape, or leaves [0, 1).
    """
    if not masks.noise:
        raise FrameError(f"expected no noise, this bundle's masks are {masks.mode}: pass the frame alone")
    if not isinstance(noise, list | tuple) and (not isinstance(noise, np.ndarray) or noise.ndim == 0):
        raise FrameError(f"expected noise arrays in a list, got {shown(noise)}: pass one for each of masks.noise")
    if len(noise) != len(masks.noise):
        raise FrameError(
            f"expected {len(masks.noise)} noise arrays, got {len(noise)}: pass one for each of masks.noise"
        )
    for i, (values, size) in enumerate(zip(noise, masks.noise, strict=True)):
        shape = (masks.count, *size)
        if not isinstance(values, np.ndarray) or values.dtype != np.float32 or values.shape != shape:
            got = f"{values.shape} {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
            raise FrameError(f"expected noise {i} to be {shape} float32, got {got}: draw numpy.float32 of this shape")
        if not (values.min() >= 0 and values.max() < 1):
            raise FrameError(f"expected noise {i} in [0, 1), got {values.min()} to {values.max()}: draw it uniformly")
    return [np.ascontiguousarray(values) for values in noise]


class FrameNoiseSource:
    """Draws noise from the seed in the manifest; each instance begins the same sequence anew. Threads may share one.

    Args:
        masks: of the manifest.
    """

    def __init__(self, masks: MasksRecord) -> None:
        self._masks = masks
        self._generator, self._lock = np.random.default_rng(masks.seed), threading.Lock()

    def draw(self, frames: int) -> list[NDArray[np.float32]]:
        """Draw the next batch: for each noise input ``(frames, S, *shape)`` in [0, 1); nothing without noise inputs."""
        if not self._masks.noise:
            return []
        shapes = [(self._masks.count, *shape) for shape in self._masks.noise]
        with self._lock:
            drawn = [[self._generator.random(shape, dtype=np.float32) for shape in shapes] for _ in range(frames)]
        return [np.stack(values) for values in zip(*drawn, strict=True)]
