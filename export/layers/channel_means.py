# SPDX-License-Identifier: Apache-2.0
"""The latent of a layer's output: one number a channel."""

from torch import Tensor

from export.layers.feature_layout import channel_dim


def channel_means(features: Tensor, channels: int | None = None) -> Tensor:
    """Average over the map: ``(N, C, H, W)`` over H and W, ``(N, T, C)`` over T, ``(N, C)`` as it is; gives ``(N, C)``.

    Args:
        features: of a layer.
        channels: dimension of the channels; None for the usual one, given above.
    """
    kept = channel_dim(features.dim()) if channels is None else channels
    over = [dim for dim in range(1, features.dim()) if dim != kept]
    return features.mean(dim=over) if over else features
