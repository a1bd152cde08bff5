# SPDX-License-Identifier: Apache-2.0
"""The network's input by a bundle's input contract, and the frame's part of its output: what graphs are compared with.

It shares the resizer with the graph, which is compared with Pillow's by itself, and no other code.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor

from export.layers.preprocessing import resize
from lsood_runtime.offline import InputContract


class FramePreparation(Protocol):
    """Turns frames into the network's input in two steps."""

    @property
    def added(self) -> tuple[Fraction, Fraction]:
        """Rows and columns of padding, as shares of those of the picture."""

    def pixels(self, frames: Tensor) -> Tensor:
        """``(N, H, W, 3)`` uint8 to ``(N, 3, h, w)`` float32 RGB in [0, 255]."""

    def prepare(self, pixels: Tensor) -> Tensor:
        """Those to the network's input."""

    def of_frame(self, output: Tensor) -> Tensor:
        """``(B, K, h, w)`` that the network gives to the part of it that shows the frame."""


@dataclass(frozen=True)
class InputReference:
    """Frames to the network's input, by a contract.

    Attributes:
        contract: of the bundle.
    """

    contract: InputContract

    @property
    def added(self) -> tuple[Fraction, Fraction]:
        """Rows and columns of padding, as shares of those of the picture."""
        contract = self.contract
        return Fraction(contract.pad[0], contract.network_height), Fraction(contract.pad[1], contract.network_width)

    def __call__(self, frames: Tensor) -> Tensor:
        """``(N, H, W, 3)`` uint8 frames to the network's input."""
        return self.prepare(self.pixels(frames))

    def pixels(self, frames: Tensor) -> Tensor:
        """What the network sees of frames: ``(N, 3, h, w)`` float32 RGB in [0, 255], not resized."""
        contract = self.contract
        top, left, height, width = contract.crop or (0, 0, contract.frame_height, contract.frame_width)
        seen = frames[:, top : top + height, left : left + width].float()
        return torch.stack([seen[..., contract.channels.index(colour)] for colour in "rgb"], dim=1)

    def prepare(self, pixels: Tensor) -> Tensor:
        """Resize and normalise ``pixels``, colour by colour in the order of the network, and lay them on zeros."""
        contract = self.contract
        colours = dict(
            zip("rgb", resize(pixels, contract.network_height, contract.network_width).unbind(1), strict=True)
        )
        names = ["grey"] if contract.network_channels == "grey" else list(contract.network_channels)
        weights = torch.tensor([299.0, 587.0, 114.0]).view(3, 1, 1)
        colours["grey"] = (torch.stack([colours[colour] for colour in "rgb"], dim=1) * weights).sum(dim=1) / 1000
        constants = zip(names, contract.mean, contract.std, strict=True)
        shown = torch.stack(
            [colours[colour] * (1 / (255 * std)) + -mean / std for colour, mean, std in constants], dim=1
        )
        bottom, right = contract.pad
        padded = shown.new_zeros(*shown.shape[:2], shown.shape[2] + bottom, shown.shape[3] + right)
        padded[:, :, : shown.shape[2], : shown.shape[3]] = shown
        return padded

    def of_frame(self, output: Tensor) -> Tensor:
        """Select the rows and columns of ``(B, K, h, w)`` that begin within the frame, not within its padding."""
        contract = self.contract
        sizes = (contract.network_height, contract.network_width)
        for dim, seen, added in zip((2, 3), sizes, contract.pad, strict=True):
            count = output.shape[dim]
            begins = torch.arange(count) * (seen + added)  # in parts of a pixel: 1 / count
            output = output.index_select(dim, torch.nonzero(begins < seen * count)[:, 0])
        return output
