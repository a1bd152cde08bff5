# SPDX-License-Identifier: Apache-2.0
"""Frames with labels, prepared for a network: augmentation in training, none elsewhere."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from export.layers.preprocessing import Preprocessing


class LabelledFrames(Protocol):
    """Interface of labelled frames: ``(frame, label)`` by index, ``(H, W, 3)`` uint8 RGB and ``(H, W)`` uint8."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]: ...


class Augmentation:
    """Random scale, crop, mirror, brightness and contrast.

    Args:
        crop: ``(height, width)`` of the result.
        scales: range of the random zoom.
        void: label of the padding where the zoomed frame is smaller than the crop.
    """

    def __init__(self, crop: tuple[int, int], scales: tuple[float, float] = (0.75, 1.6), void: int = 255) -> None:
        self.crop, self.scales, self.void = crop, scales, void

    def __call__(
        self, frame: NDArray[np.uint8], label: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Change frame and label alike; sizes become ``crop``."""
        zoom = float(np.exp(rng.uniform(*np.log(self.scales))))
        size = (max(1, round(frame.shape[1] * zoom)), max(1, round(frame.shape[0] * zoom)))
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        label = np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        bottom, right = (max(0, want - have) for want, have in zip(self.crop, frame.shape, strict=False))
        frame = np.pad(frame, ((0, bottom), (0, right), (0, 0)), mode="edge")
        label = np.pad(label, ((0, bottom), (0, right)), constant_values=self.void)
        top, left = (int(rng.integers(0, have - want + 1)) for want, have in zip(self.crop, frame.shape, strict=False))
        window = (slice(top, top + self.crop[0]), slice(left, left + self.crop[1]))
        frame, label = frame[window], label[window]
        if rng.random() < 0.5:
            frame, label = frame[:, ::-1], label[:, ::-1]
        gain, shift = rng.uniform(0.8, 1.2), rng.uniform(-20, 20)
        return np.clip(frame * gain + shift, 0, 255).astype(np.uint8), np.ascontiguousarray(label)


class SegmentationDataset(Dataset[tuple[Tensor, Tensor]]):
    """Normalised frames and int64 labels, resized once to the network's input.

    Args:
        source: frames with labels.
        input_size: ``(height, width)`` of the network's input.
        mean: RGB mean in [0, 1].
        std: RGB standard deviation.
        augmentation: applied anew at every access; None gives the frame as it is.
        seed: of the augmentation.
    """

    def __init__(
        self,
        source: LabelledFrames,
        input_size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self.source, self.input_size, self.augmentation = source, input_size, augmentation
        self._resize = Preprocessing(*input_size, mean=(0.0,) * 3, std=(1 / 255,) * 3)
        crop = input_size if augmentation is None else augmentation.crop
        self._normalise = Preprocessing(*crop, mean=mean, std=std)
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int | tuple[int, int]) -> tuple[Tensor, Tensor]:
        """``(3, h, w)`` float32 and ``(h, w)`` int64.

        Args:
            index: of the frame, which augments it anew at every access in this process; or of the frame and of the
                draw, which augments it as ``(seed, index, draw)`` say, the same in every process.
        """
        rng = self._rng
        if isinstance(index, tuple):
            rng = np.random.default_rng((self.seed, *index))
            index = index[0]
        frame, label = self.source[index]
        height, width = self.input_size
        if self.augmentation is None:
            image = self._normalise(torch.from_numpy(np.array(frame))[None])[0]
        else:
            resized = self._resize(torch.from_numpy(np.array(frame))[None])[0].permute(1, 2, 0).round().byte().numpy()
            frame = np.asarray(resized, np.uint8)
        label = np.asarray(cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
        if self.augmentation is not None:
            frame, label = self.augmentation(frame, label, rng)
            image = self._normalise(torch.from_numpy(np.ascontiguousarray(frame))[None])[0]
        return image, torch.from_numpy(label).long()
