# SPDX-License-Identifier: Apache-2.0
"""Camera frames from a loader of a training: from the batches that its network takes, back to the bytes of the camera."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler

from export.errors import UsageError

_OFF = 0.1
"""Of a grey level: half precision is off by 0.06, a resized picture by up to 0.5."""

Three = Sequence[float]


def loader_frames(
    loader: "DataLoader[Any]", mean: Three | None, std: Three | None, *, reverse: bool = False
) -> list[NDArray[np.uint8]]:
    """Read the frames of a loader, in its order, into memory.

    A batch, or the first part of one that is a tuple or list, is ``(B, H, W, 3)`` or ``(B, 3, H, W)``: uint8 as the camera
    gives it, or floating-point as the network takes it, ``(pixels / 255 - mean) / std``. The latter is undone, which gives
    the bytes of the camera back exactly, or is refused: a monitor is calibrated on frames, not on what a training made of
    them.

    Args:
        loader: in the order of recording, without augmentation; one over an iterable data set gives the order of that.
        mean: of floating-point batches, for each channel.
        std: their deviation.
        reverse: turn the channels of floating-point batches round, where the network takes them in another order than the
            vehicle hands them over.

    Returns:
        ``(H, W, 3)`` uint8 each.

    Raises:
        UsageError: a loader with any sampler but a sequential one, batches of another form, or floating-point ones that are
            no camera frames.
    """
    sampler = _reordering_sampler(loader)
    if sampler is not None:
        raise UsageError(
            f"expected a loader in the order of recording, got one with {type(sampler).__name__}, which shuffles or chooses: "
            "give it shuffle=False and no sampler of its own; choose frames by a Subset of the data set"
        )
    frames: list[NDArray[np.uint8]] = []
    for batch in loader:
        images = batch[0] if isinstance(batch, tuple | list) and batch else batch
        pixels = _channels_last(images)
        if pixels.is_floating_point():
            pixels = _bytes(pixels, mean, std)
            pixels = pixels.flip(-1) if reverse else pixels
        frames.extend(np.ascontiguousarray(pixels.numpy()))
    return frames


def _reordering_sampler(loader: "DataLoader[Any]") -> object | None:
    """The sampler that may give the frames in another order than the data set does, or not all of them; None without one."""
    if isinstance(loader.dataset, IterableDataset):
        return None
    samplers: list[object] = [loader.sampler, loader.batch_sampler]
    found = [each.sampler if type(each) is BatchSampler else each for each in samplers if each is not None]
    return next((each for each in found if type(each) is not SequentialSampler), None)


def _channels_last(images: object) -> Tensor:
    if isinstance(images, Tensor) and images.ndim == 4:
        images = images.detach().cpu()
        first, last = images.shape[1] == 3, images.shape[3] == 3
        if first != last and (images.dtype == torch.uint8 or images.is_floating_point()):
            return images.permute(0, 2, 3, 1) if first else images
    got = f"{tuple(images.shape)} {images.dtype}" if isinstance(images, Tensor) else type(images).__name__
    raise UsageError(
        "expected batches of frames, (B, 3, H, W) or (B, H, W, 3), uint8 or floating-point, first of what the loader gives, "
        f"got {got}: give uint8 arrays, or a loader that gives such batches"
    )


def _bytes(pixels: Tensor, mean: Three | None, std: Three | None) -> Tensor:
    """``(B, H, W, 3)`` uint8 of normalised frames."""
    if mean is None or std is None:
        raise UsageError(
            "expected mean and std with floating-point batches, which are undone by them, got none: give both (0 and 1 three "
            "times where nothing was normalised), or a loader of uint8 frames"
        )
    levels = (pixels.double() * torch.tensor(list(std)).double() + torch.tensor(list(mean)).double()) * 255
    whole = levels.round().clamp(0, 255)
    off = (levels - whole).abs().max().item()
    if not off <= _OFF:  # NaN too
        raise UsageError(
            f"expected camera frames behind mean and std, whole numbers from 0 to 255, got numbers that are {off:.2g} off: "
            "check mean and std, take resizing and augmentation out of the loader, or give uint8 frames"
        )
    return whole.to(torch.uint8)
