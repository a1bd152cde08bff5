# SPDX-License-Identifier: Apache-2.0
"""Dropout of whole channels (Tompson et al. 2015): ``nn.Dropout1d`` to ``nn.Dropout3d``."""

from typing import Self

from torch import Tensor, nn

from export.layers.channel_means import channel_means
from export.layers.randomness import MaskedRandomness, MaskShapes


class ChannelDropoutRandomness(MaskedRandomness):
    """Drops whole channels of a feature map."""

    kind = "channel-dropout"
    noun = "a channel dropout"

    @classmethod
    def recognise(cls, module: nn.Module) -> Self | None:
        """``nn.Dropout1d``, ``nn.Dropout2d`` and ``nn.Dropout3d``."""
        if isinstance(module, nn.Dropout1d | nn.Dropout2d | nn.Dropout3d) and module.p > 0:
            return cls(float(module.p))
        return None

    def shapes(self, frame_shape: tuple[int, ...], batch_dim: int) -> MaskShapes | None:
        """One number a channel, for an output with a map behind its channels."""
        if batch_dim != 0 or frame_shape[0] != 1 or len(frame_shape) < 3:
            return None
        channels, cells = frame_shape[1], len(frame_shape) - 2
        return MaskShapes((channels,), (1, channels, *[1] * cells))

    def masked_mean(
        self, features: Tensor, weights: Tensor, samples: int, mask_shape: tuple[int, ...], channels: int
    ) -> Tensor:
        """A channel's mask multiplies its mean, which is therefore taken once for all masks.

        ``nn.Dropout2d`` drops the second dimension whatever it holds, rows of a map with its channels last.
        """
        if channels == 1:
            return channel_means(features)[:, None] * weights
        return super().masked_mean(features, weights, samples, mask_shape, channels)
