# SPDX-License-Identifier: Apache-2.0
"""Degrade a frame by a kind, a severity and a seed, with the mask of the pixels that it touches where it is local."""

import numpy as np
from numpy.typing import NDArray

from export.anomalies.kinds import ANOMALIES, check_kinds
from export.anomalies.patterns import Bytes, Degradation, LocalChange
from export.errors import UsageError

SEVERITIES = (1, 2, 3, 4, 5)

_UNSEEN = 0.5 / 255
"""Cover below which no value of a pixel changes by half a grey level, so that it is rounded to what it was."""


def degrade(frame: Bytes, kind: str | Degradation, severity: float, seed: int) -> Bytes:
    """Degrade a frame.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB; not modified.
        kind: a key of ``ANOMALIES``, or a degradation such as ``overlays(folder)``.
        severity: 1, just visible, to 5, severe, and any number between; below 1 it fades until 0, which gives a copy.
        seed: 0 or more; equal seeds degrade equally.

    Returns:
        ``(H, W, 3)`` uint8 RGB, contiguous.

    Raises:
        UsageError: an unknown kind, a severity or a seed out of range, or an array that is no frame.
    """
    return degrade_with_mask(frame, kind, severity, seed)[0]


def degrade_with_mask(
    frame: Bytes, kind: str | Degradation, severity: float, seed: int
) -> tuple[Bytes, NDArray[np.bool_]]:
    """Degrade a frame, and tell which pixels the degradation touches.

    Args:
        frame: as for :func:`degrade`, and so are the others.
        kind: of degradation; one that is not local touches every pixel.
        severity: of the degradation.
        seed: of the degradation.

    Returns:
        The frame that :func:`degrade` gives, and ``(H, W)`` bool: outside of it the frame is as it was.

    Raises:
        UsageError: as for :func:`degrade`.
    """
    if isinstance(kind, str):
        check_kinds([kind])
    if not 0 <= severity <= SEVERITIES[-1]:
        raise UsageError(f"expected a severity from 0 to 5, got {severity!r}: choose one from 1, just visible, to 5")
    if seed < 0:
        raise UsageError(f"expected a seed of 0 or more, got {seed}: pass a non-negative integer")
    if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape or frame.dtype != np.uint8:
        raise UsageError(
            f"expected an (H, W, 3) uint8 frame, got {frame.shape} {frame.dtype}: pass the camera's own RGB image"
        )
    if severity == 0:
        return frame.copy(order="C"), np.zeros(frame.shape[:2], dtype=np.bool_)
    degradation = ANOMALIES[kind] if isinstance(kind, str) else kind
    given = degradation(frame.astype(np.float32, order="C"), severity, np.random.default_rng(seed))
    degraded = given.frame if isinstance(given, LocalChange) else given
    mask = given.cover >= _UNSEEN if isinstance(given, LocalChange) else np.ones(frame.shape[:2], dtype=np.bool_)
    return np.ascontiguousarray(np.rint(np.clip(degraded, 0, 255)), dtype=np.uint8), mask
