# SPDX-License-Identifier: Apache-2.0
"""Which layers draw random numbers, what they draw, and what they multiply their input with.

Layers are recognised by what they are called and carry, so that no package that defines one has to be installed. The
masks are this project's for all of them: a ``DropBlock2d`` of another package lends its constants, and its masks are
drawn as :func:`export.layers.dropblock.block_masks` draws them, one for all channels, scaled by what that mask keeps.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

from torch import Tensor, nn

from export.errors import TapError
from export.layers.dropblock import block_masks
from export.layers.gaussian_dropout import normal_quantile

Kind = Literal["dropblock", "dropout", "channel-dropout", "gaussian-dropout", "alpha-dropout"]

_DROP_BLOCK_NAMES = {"DropBlock2D", "DropBlock2d"}
_CHANNEL_DROPOUT = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_ALPHA_DROPOUT = (nn.AlphaDropout, nn.FeatureAlphaDropout)


@dataclass(frozen=True)
class Randomness:
    """What a stochastic layer draws.

    Attributes:
        kind: ``dropblock`` drops squares of the map in all channels, ``dropout`` single elements, ``channel-dropout``
            whole channels (``nn.Dropout1d`` to ``3d``); ``gaussian-dropout`` multiplies by normal noise around 1 of
            variance ``p / (1 - p)``; ``alpha-dropout`` is known and cannot be sampled.
        drop_prob: probability p of the layer, in (0, 1].
        block_size: side b of a DropBlock's squares, in cells; None for the other kinds.
    """

    kind: Kind
    drop_prob: float
    block_size: int | None = None

    def __str__(self) -> str:
        """One short phrase for tables and messages."""
        block = "" if self.block_size is None else f", b={self.block_size}"
        return f"{self.kind}(p={self.drop_prob:g}{block})"

    def keep(self, uniform: Tensor) -> Tensor:
        """Masks from uniform noise.

        Args:
            uniform: ``(N, ..., *noise_shape)`` float in [0, 1); ``noise_shape`` is ``(H, W)`` for ``dropblock``.

        Returns:
            The same shape and dtype: 1 where the layer keeps its input, 0 where it drops it; standard normal numbers
            for ``gaussian-dropout``.
        """
        if self.kind == "gaussian-dropout":
            return normal_quantile(uniform)
        if self.block_size is None:
            return (uniform >= self.drop_prob).to(uniform.dtype)
        masks = block_masks(uniform.flatten(0, -3), self.drop_prob, self.block_size)
        return masks.reshape(uniform.shape)

    def weights(self, keep: Tensor) -> Tensor:
        """What the layer multiplies its input with: the masks, scaled so that the mean is kept.

        ``H * W / kept`` for ``dropblock``, mask by mask (all zeros where nothing is kept), else ``1 / (1 - p)``.

        Args:
            keep: ``(..., *noise_shape)`` float, as :meth:`keep` gives it.
        """
        if self.kind == "gaussian-dropout":
            return 1 + math.sqrt(self.drop_prob / (1 - self.drop_prob)) * keep
        if self.block_size is None:
            return keep * (1 / (1 - self.drop_prob))
        kept = keep.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
        return keep * (keep.shape[-2] * keep.shape[-1] / kept)

    def full_share(self, draws: int) -> float:
        """Probability that a mask made of so many independent draws drops nothing."""
        if self.kind == "gaussian-dropout":
            return 0.0
        rate = self.drop_prob if self.block_size is None else self.drop_prob / self.block_size**2
        return float((1 - rate) ** draws)


@dataclass(frozen=True)
class Site:
    """A place where masks enter the network: one call of a stochastic layer, or the DropBlock added to a tap.

    Attributes:
        layer: name of the layer whose output is masked.
        call: which of the layer's calls in one pass, from 0.
        randomness: what is drawn.
        noise_shape: shape of the uniform noise behind one mask: ``(H, W)`` for DropBlock, ``(C,)`` for channel
            dropout, the shape of one frame's features for dropout.
        mask_shape: shape that one mask takes to multiply one frame's share of the layer's output; its entry at
            ``batch_dim`` is ``rows``.
        batch_dim: dimension of the output that carries the frames.
        rows: entries along ``batch_dim`` for each frame, above 1 for attention in ``(B * heads, N, N)``.
        added: whether the layer itself is not stochastic: DropBlock is added where the tap reads it, nowhere else.
    """

    layer: str
    call: int
    randomness: Randomness
    noise_shape: tuple[int, ...]
    mask_shape: tuple[int, ...]
    batch_dim: int = 0
    rows: int = 1
    added: bool = False

    def __str__(self) -> str:
        """The layer and what it draws."""
        times = f" (call {self.call + 1})" if self.call else ""
        return f"{self.layer}{times}: {'added ' if self.added else ''}{self.randomness} over {self.noise_shape}"


def recognise(module: nn.Module) -> Randomness | None:
    """Tell what a layer would draw in training, or None where it draws nothing (or has p = 0)."""
    if is_drop_block(module):
        drop_prob, block_size = _constants(module)
        return Randomness("dropblock", float(drop_prob), int(block_size)) if drop_prob > 0 else None
    if isinstance(module, (nn.Dropout, *_CHANNEL_DROPOUT, *_ALPHA_DROPOUT)):
        return Randomness(_dropout_kind(module), float(module.p)) if module.p > 0 else None
    if any(cls.__name__ == "GaussianDropout" for cls in type(module).__mro__) and hasattr(module, "p"):
        p = float(cast(float, module.p))
        return Randomness("gaussian-dropout", p) if p > 0 else None
    return None


def is_drop_block(module: nn.Module) -> bool:
    """Whether a layer is a DropBlock by the name of its class (or a base) and its two constants, p = 0 included."""
    named = any(cls.__name__ in _DROP_BLOCK_NAMES for cls in type(module).__mro__)
    return named and None not in _constants(module)


def drop_block(drop_prob: float, block_size: int) -> Randomness:
    """DropBlock with the constants that a user gave.

    Raises:
        TapError: p outside (0, 1), or b below 1.
    """
    if not 0 < drop_prob < 1:
        raise TapError(f"expected a drop probability above 0 and below 1, got {drop_prob}: 0.5 is a usual choice")
    if block_size < 1:
        raise TapError(f"expected a block size of at least 1 cell, got {block_size}: 8 is a usual choice")
    return Randomness("dropblock", drop_prob, block_size)


def _constants(module: nn.Module) -> tuple[Any, Any]:
    return getattr(module, "drop_prob", getattr(module, "p", None)), getattr(module, "block_size", None)


def _dropout_kind(module: nn.Module) -> Kind:
    if isinstance(module, _ALPHA_DROPOUT):
        return "alpha-dropout"
    return "channel-dropout" if isinstance(module, _CHANNEL_DROPOUT) else "dropout"
