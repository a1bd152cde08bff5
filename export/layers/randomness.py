# SPDX-License-Identifier: Apache-2.0
"""Base classes of the kinds of randomness: how a layer is recognised, what masks it draws and what they do to features.

A new kind is one subclass in a module of its own, and one entry of ``export.layers.stochastic.KINDS``.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from export.layers.channel_means import channel_means


@dataclass(frozen=True)
class Randomness(ABC):
    """Randomness of a stochastic layer in training.

    Attributes:
        kind: name of the kind, in tables, messages and manifests.
        noun: the same in a sentence.
        drop_prob: probability p of the layer, in (0, 1].
    """

    kind: ClassVar[str]
    noun: ClassVar[str]
    drop_prob: float

    @classmethod
    @abstractmethod
    def recognise(cls, module: nn.Module) -> Self | None:
        """The randomness of a layer of this kind; None for every other layer, and where it has p = 0."""

    def constants(self) -> dict[str, float | int | None]:
        """The layer's constants as a manifest names them; ``block_size`` is None for every kind but DropBlock."""
        return {"drop_prob": self.drop_prob, "block_size": None}

    def __str__(self) -> str:
        """One short phrase for tables and messages."""
        return f"{self.kind}(p={self.drop_prob:g})"


@dataclass(frozen=True)
class MaskShapes:
    """Shapes of one mask.

    Attributes:
        noise: of the uniform noise behind it.
        mask: that it takes to multiply one frame's share of the layer's output.
    """

    noise: tuple[int, ...]
    mask: tuple[int, ...]


class MaskedRandomness(Randomness):
    """Randomness that multiplies features with masks made of uniform noise, so that it can be sampled.

    Unless a kind says otherwise it draws one number for each element, keeps an element where the number is not below p, and
    divides what it keeps by 1 - p.

    Attributes:
        is_binary: whether masks are 0 and 1, and not numbers: a mask bank keeps them as such.
        stores_weights: whether a graph stores the scaled masks, 4 bytes a number. Else it stores one byte a number and scales
            them itself, for masks as large as the features.
    """

    is_binary: ClassVar[bool] = True
    stores_weights: ClassVar[bool] = False

    def shapes(self, frame_shape: tuple[int, ...], batch_dim: int) -> MaskShapes | None:
        """Shapes of a mask for a layer's output; None where this kind has no masks for such an output.

        Args:
            frame_shape: of one frame's share of the output; ``batch_dim`` holds the rows of the frame, most often 1.
            batch_dim: dimension of the output that carries the frames.
        """
        one_row = frame_shape[batch_dim] == 1
        return MaskShapes(
            frame_shape[:batch_dim] + frame_shape[batch_dim + 1 :] if one_row else frame_shape, frame_shape
        )

    def keep(self, uniform: Tensor) -> Tensor:
        """Masks from uniform noise.

        Args:
            uniform: ``(N, ..., *noise)`` float in [0, 1).

        Returns:
            The same shape and dtype: 1 where the layer keeps its input, 0 where it drops it; numbers where masks are none.
        """
        return (uniform >= self.drop_prob).to(uniform.dtype)

    def weights(self, keep: Tensor) -> Tensor:
        """Factors of the layer's input: masks, scaled so that the mean is kept.

        Args:
            keep: ``(..., *noise)`` float, as :meth:`keep` gives it.
        """
        return keep * (1 / (1 - self.drop_prob))

    def masked_mean(
        self, features: Tensor, weights: Tensor, samples: int, mask_shape: tuple[int, ...], channels: int
    ) -> Tensor:
        """Latent samples of a layer that draws nothing before it: features are the same for each mask.

        Args:
            features: ``(B, C, H, W)``, ``(B, H, W, C)``, ``(B, N, C)`` or ``(B, C)``.
            weights: ``(S, *noise)``, the same for every frame, or ``(B, S, *noise)``.
            samples: S.
            mask_shape: of one mask, see :class:`MaskShapes`.
            channels: dimension of the features that holds the channels.

        Returns:
            ``(B, S, C)``: the channel means of the masked features.
        """
        masked = features[:, None] * weights.reshape(-1, samples, *mask_shape[1:])
        return torch.unflatten(channel_means(masked.flatten(0, 1), channels), 0, (-1, samples))

    def shaped(self, keep: Tensor, mask_shape: tuple[int, ...]) -> Tensor:
        """A mask in the form in which :meth:`drop` takes it."""
        return keep.reshape(mask_shape)

    def drop(self, features: Tensor, keep: Tensor) -> Tensor:
        """Apply one mask as the layer does in training, by its definition: graphs are compared with this.

        Args:
            features: one frame's share of the layer's output.
            keep: the mask, as :meth:`shaped` gives it.
        """
        return features * keep / (1 - self.drop_prob)

    def no_drop_probability(self, draws: int) -> float:
        """Probability that a mask made of so many independent draws drops nothing."""
        return math.pow(1 - self.drop_prob, draws)
