# SPDX-License-Identifier: Apache-2.0
"""Preprocessing from a camera frame to the network's input: the one resizer and the one normalisation of this project.

Training, calibration and the exported graph all call this module, so that no two of them can differ.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GREY = "grey"
"""In place of an order of channels: the network takes one, the brightness."""

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness, as Pillow and OpenCV have them (ITU-R BT.601); their sum is 1."""


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Bilinear resize with an antialiasing filter, as Pillow's ``Image.BILINEAR`` does it.

    Args:
        images: ``(N, C, H, W)`` float.
        height: rows of the result.
        width: columns of the result.

    Returns:
        ``(N, C, height, width)`` in the same dtype; the images themselves where the size is already right.
    """
    if tuple(images.shape[-2:]) == (height, width):
        return images
    return F.interpolate(images, size=(height, width), mode="bilinear", antialias=True)


class Preprocessing(nn.Module):
    """Turns ``(N, H, W, 3)`` uint8 frames into ``(N, C, height, width)`` normalised float32, padded where that is asked for.

    Args:
        height: rows to which a frame is resized: those of the network's input, but for padding.
        width: columns, likewise.
        mean: per-channel mean in [0, 1], in the order of ``network_channels``.
        std: per-channel standard deviation in [0, 1], in the same order, above zero.
        channels: order of the frame's last axis, ``rgb`` or ``bgr``.
        crop: ``(top, left, height, width)`` of the part of the frame that the network sees, in pixels; None for all of it.
        network_channels: order in which the network takes the channels, ``rgb`` or ``bgr``: the one that it was trained on;
            ``grey`` for one that takes the brightness alone, with one mean and one deviation.
        pad: rows of zeros, which stand for the mean, that are added at the bottom of a resized and normalised picture, and
            columns that are added at its right.
    """

    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        height: int,
        width: int,
        mean: Sequence[float],
        std: Sequence[float],
        channels: str = "rgb",
        crop: tuple[int, int, int, int] | None = None,
        network_channels: str = "rgb",
        pad: tuple[int, ...] = (0, 0),
    ) -> None:
        super().__init__()
        if network_channels not in ("rgb", "bgr", GREY):
            raise ValueError(
                f"expected network channels 'rgb', 'bgr' or 'grey', got {network_channels!r}: give the order of the training"
            )
        count = 1 if network_channels == GREY else 3
        lengths = {len(mean), len(std)}
        if lengths != {count} or min(std) <= 0 or not all(map(math.isfinite, (*mean, *std))):
            wanted = (
                "one mean and one standard deviation" if count == 1 else "three means and three standard deviations"
            )
            raise ValueError(
                f"expected {wanted} above zero, all finite, got {mean} and {std}: "
                f"give one of each for {'the brightness' if count == 1 else 'R, G and B'}"
            )
        if channels not in ("rgb", "bgr"):
            raise ValueError(f"expected channels 'rgb' or 'bgr', got {channels!r}: give the camera's order")
        if crop is not None and (min(crop[:2]) < 0 or min(crop[2:]) < 1):
            raise ValueError(
                f"expected a crop of at least 1 x 1 that starts inside the frame, got {crop}: "
                "give top, left, height and width in pixels"
            )
        if len(pad) != 2 or min(pad) < 0:
            raise ValueError(f"expected rows and columns to add, 0 or more, got {pad}: give two numbers")
        self.height, self.width, self.channels, self.crop = height, width, channels, crop
        self.pad = pad[0], pad[1]
        self.network_channels = network_channels
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        scale = 1 / (255 * torch.tensor(std, dtype=torch.float64))
        offset = -torch.tensor(mean, dtype=torch.float64) / torch.tensor(std, dtype=torch.float64)
        self.register_buffer("scale", scale.float().view(1, count, 1, 1), persistent=False)
        self.register_buffer("offset", offset.float().view(1, count, 1, 1), persistent=False)

    @property
    def added(self) -> tuple[Fraction, Fraction]:
        """Rows and columns that padding adds, as shares of those of the picture."""
        return Fraction(self.pad[0], self.height), Fraction(self.pad[1], self.width)

    def forward(self, frames: Tensor) -> Tensor:
        """Prepare a batch of frames of any one size."""
        return self.prepare(self.pixels(frames))

    def pixels(self, frames: Tensor) -> Tensor:
        """What the network sees of ``(N, H, W, 3)`` frames: ``(N, 3, h, w)`` float32 RGB in [0, 255], not resized."""
        if self.crop is not None:
            top, left, height, width = self.crop
            frames = frames[:, top : top + height, left : left + width]
        images = frames.permute(0, 3, 1, 2).to(torch.float32)
        if self.channels == "bgr":
            images = images.flip(1)
        return images

    def prepare(self, pixels: Tensor) -> Tensor:
        """Resize, normalise and pad ``pixels``, in the network's order, to its input."""
        if self.network_channels == GREY:
            red, green, blue = LUMA
            pixels = red * pixels[:, 0:1] + green * pixels[:, 1:2] + blue * pixels[:, 2:3]
        images = resize(pixels, self.height, self.width)
        if self.network_channels == "bgr":
            images = images.flip(1)
        images = images * self.scale + self.offset
        bottom, right = self.pad
        return F.pad(images, (0, right, 0, bottom)) if bottom or right else images

    def of_frame(self, output: Tensor) -> Tensor:
        """The part of ``(B, K, h, w)``, which the network gives for its input, whose cells begin within the frame."""
        bottom, right = self.pad
        if bottom:
            output = output[:, :, : -(-int(output.shape[2]) * self.height // (self.height + bottom))]
        if right:
            output = output[..., : -(-int(output.shape[3]) * self.width // (self.width + right))]
        return output
