# SPDX-License-Identifier: Apache-2.0
"""The latent of a layer's output: one number a channel."""

from torch import Tensor


def channel_means(features: Tensor) -> Tensor:
    """Average over the map: ``(N, C, H, W)`` over H and W, ``(N, T, C)`` over T, ``(N, C)`` as it is; gives ``(N, C)``."""
    if features.dim() == 4:
        return features.mean(dim=(2, 3))
    return features.mean(dim=1) if features.dim() == 3 else features
