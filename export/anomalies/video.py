# SPDX-License-Identifier: Apache-2.0
"""Degradation by a video coder that is short of bits: blocks, lost chroma, and errors that drift from frame to frame."""

import cv2
import numpy as np
from numpy.typing import NDArray

from export.anomalies.patterns import Floats, level

_BLOCK = 16
"""Rows and columns of a macroblock, which moves as one."""
_TRANSFORM = 8
"""Rows and columns of a transform."""
_FRAMES = 3
"""Predicted frames since the last one that was coded by itself."""
_VANISHING = (0.45, 0.5)
"""Row and column, as shares of the frame, from which the scene moves outwards as the car drives."""
_MOVES = [(down, across) for down in (-4, -2, -1, 0, 1, 2, 4) for across in (-4, -2, 0, 2, 4)]
"""Motion vectors that the coder tries, pixels."""
_REACH = 4
"""Longest way of a motion vector down or across, pixels."""


def video_compression(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Code the last of four frames of a video at too few bits, 4:2:0: predicted from the coded ones before, block by block.

    A block is the best matching place of the frame before plus its residual, of which a coarse quantiser with a dead zone
    leaves little: flat blocks, old contents that drag behind, chroma that bleeds. The earlier frames are the frame itself,
    shrunk towards the vanishing point and moved as the seed says.
    """
    height, width = frame.shape[:2]
    step = level(severity, 2, 18, 34, 58, 92, 140)
    tall, wide = (-(-size // (2 * _BLOCK)) * 2 * _BLOCK for size in (height, width))
    drift = rng.uniform(-0.004, 0.004, 2)
    coded: list[Floats] | None = None
    for before in range(_FRAMES, -1, -1):
        seen = _earlier(frame, before, drift)
        padded = cv2.copyMakeBorder(seen, 0, tall - height, 0, wide - width, cv2.BORDER_REPLICATE)
        luma, red, blue = cv2.split(cv2.cvtColor(padded / np.float32(255), cv2.COLOR_RGB2YCrCb) * np.float32(255))
        planes = [
            luma,
            *(cv2.resize(plane, (wide // 2, tall // 2), interpolation=cv2.INTER_AREA) for plane in (red, blue)),
        ]
        coded = _coded(planes, coded, step)
    assert coded is not None
    luma, *chroma = coded
    planes = [luma, *(cv2.resize(plane, (wide, tall), interpolation=cv2.INTER_LINEAR) for plane in chroma)]
    shown = cv2.cvtColor(np.clip(cv2.merge(planes), 0, 255) / np.float32(255), cv2.COLOR_YCrCb2RGB)
    decoded: Floats = shown[:height, :width] * np.float32(255)
    return decoded


def _earlier(frame: Floats, before: int, drift: Floats) -> Floats:
    """What the camera saw some frames before: the scene farther away by 0.8 % a frame, and moved."""
    if before == 0:
        return frame
    height, width = frame.shape[:2]
    scale = 1 + 0.008 * before
    centre = np.array(_VANISHING[::-1]) * (width, height)
    shift = centre * (1 - scale) + drift * before * width
    mapping = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen: Floats = cv2.warpAffine(frame, mapping, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return seen


def _coded(planes: list[Floats], before: list[Floats] | None, step: float) -> list[Floats]:
    """Code luma and two planes of chroma of half its size: by themselves, or as moved blocks of the planes before."""
    if before is None:
        return [_quantised(plane - np.float32(128), step, 0.5) + np.float32(128) for plane in planes]
    rows, columns = (size // _BLOCK for size in planes[0].shape)
    around = np.pad(before[0], _REACH, mode="edge")
    errors: list[Floats] = []
    for down, across in _MOVES:
        top, left = _REACH + down, _REACH + across
        moved = around[top : top + planes[0].shape[0], left : left + planes[0].shape[1]]
        errors.append(np.abs(planes[0] - moved).reshape(rows, _BLOCK, columns, _BLOCK).sum(axis=(1, 3)))
    best = np.array(_MOVES)[np.argmin(errors, axis=0)]
    coded: list[Floats] = []
    for plane, old in zip(planes, before, strict=True):
        predicted = _moved(old, best, plane.shape[0] // rows)
        coded.append(predicted + _quantised(plane - predicted, step, 1 / 6))
    return coded


def _moved(plane: Floats, moves: NDArray[np.int64], size: int) -> Floats:
    """Put a plane together of its own blocks, each from a place farther down and to the right; its border is continued.

    Args:
        plane: ``(H, W)``.
        moves: ``(H / size, W / size, 2)``, down and across, in pixels of a plane whose blocks have ``_BLOCK`` rows.
        size: rows and columns of a block of this plane.
    """
    steps = np.repeat(np.repeat(moves * size // _BLOCK, size, axis=0), size, axis=1)
    rows = np.clip(np.arange(plane.shape[0])[:, None] + steps[..., 0], 0, plane.shape[0] - 1)
    columns = np.clip(np.arange(plane.shape[1])[None, :] + steps[..., 1], 0, plane.shape[1] - 1)
    moved: Floats = plane[rows, columns]
    return moved


def _quantised(plane: Floats, step: float, rounding: float) -> Floats:
    """Quantise the cosine transforms of a plane's blocks, fine patterns twice as coarsely; a share of a step rounds up."""
    from scipy.fft import dctn, idctn  # here, since --help needs no scipy

    rows, columns = (size // _TRANSFORM for size in plane.shape)
    blocks = plane.reshape(rows, _TRANSFORM, columns, _TRANSFORM)
    amounts = dctn(blocks, axes=(1, 3), norm="ortho")
    order = np.arange(_TRANSFORM)
    steps = (step * (1 + (order[:, None] + order) / (2 * _TRANSFORM - 2)))[None, :, None, :].astype(np.float32)
    kept = np.sign(amounts) * np.floor(np.abs(amounts) / steps + np.float32(rounding)) * steps
    decoded: Floats = idctn(kept, axes=(1, 3), norm="ortho").reshape(plane.shape).astype(np.float32)
    return decoded
