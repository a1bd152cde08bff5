# SPDX-License-Identifier: Apache-2.0
"""The modules that a sampled graph adds to the network's own operations: masks, repeats and latents.

Shapes: B frames, S samples, ``noise_shape`` and ``mask_shape`` of a :class:`export.sampling.site.Site`. Where frames and
samples share one dimension the frame comes first: entry ``b * S + s`` is sample s of frame b. Weights are
``(S, *noise_shape)``, the same for every frame, or ``(B, S, *noise_shape)``.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from export.layers.channel_means import channel_means
from export.layers.channel_moments import cell_stride, channel_moments
from export.layers.randomness import MaskedRandomness
from export.layers.tile_moments import tile_moments
from export.sampling.site import Site


class BankWeights(nn.Module):
    """The weights of a mask bank: a constant of the graph, stored scaled or as masks of one byte a number.

    Args:
        randomness: of the site.
        keep: ``(S, *noise_shape)`` bool; float32 where masks are numbers.
    """

    stored: Tensor

    def __init__(self, randomness: MaskedRandomness, keep: NDArray[np.bool_ | np.float32]) -> None:
        super().__init__()
        self.randomness = randomness
        masks = torch.from_numpy(keep)
        stored = randomness.weights(masks.float()) if randomness.stores_weights else masks.to(torch.uint8)
        self.register_buffer("stored", stored)

    def forward(self) -> Tensor:
        """``(S, *noise_shape)`` float32."""
        if self.randomness.stores_weights:
            return self.stored
        return self.randomness.weights(self.stored.to(torch.float32))


class FreshNoise(nn.Module):
    """Uniform noise, drawn anew for every frame."""

    def __init__(self, samples: int, noise_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = (samples, *noise_shape)

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, ...)`` to ``(B, S, *noise_shape)`` in [0, 1)."""
        return torch.rand((frames.shape[0], *self.shape), device=frames.device)


class NoiseWeights(nn.Module):
    """The weights that uniform noise gives, frame by frame."""

    def __init__(self, randomness: MaskedRandomness) -> None:
        super().__init__()
        self.randomness = randomness

    def forward(self, uniform: Tensor) -> Tensor:
        """``(B, S, *noise_shape)`` in [0, 1) to weights of the same shape."""
        return self.randomness.weights(self.randomness.keep(uniform))


class ApplyMasks(nn.Module):
    """Multiply features with a site's weights.

    Args:
        site: where.
        samples: S.
        copies: samples that the features hold already: 1 upstream of the first site, S behind it.
    """

    def __init__(self, site: Site, samples: int, copies: int) -> None:
        super().__init__()
        self.site, self.samples, self.copies = site, samples, copies

    def forward(self, features: Tensor, weights: Tensor) -> Tensor:
        """Features of B * copies frames to those of B * S."""
        at = self.site.batch_dim
        split = torch.unflatten(features, at, (-1, self.copies, self.site.rows))
        aligned = weights.reshape(-1, self.samples, *self.site.mask_shape).movedim((0, 1), (at, at + 1))
        return (split * aligned).flatten(at, at + 2)


class RepeatFrames(nn.Module):
    """Repeats features that no site changes, S times for each frame."""

    def __init__(self, batch_dim: int, samples: int) -> None:
        super().__init__()
        self.batch_dim, self.samples = batch_dim, samples

    def forward(self, features: Tensor) -> Tensor:
        """Features of B frames to those of B * S."""
        at = self.batch_dim
        sizes = [-1] * (features.dim() + 1)
        sizes[at + 1] = self.samples
        return features.unsqueeze(at + 1).expand(sizes).flatten(at, at + 1)


class TapSamples(nn.Module):
    """Latent samples of a tap that ran in batch B * S.

    Args:
        samples: S.
        channels: dimension of the tap's output that holds the channels.
    """

    def __init__(self, samples: int, channels: int) -> None:
        super().__init__()
        self.samples, self.channels = samples, channels

    def forward(self, features: Tensor) -> Tensor:
        """``(B * S, C, H, W)``, ``(B * S, H, W, C)``, ``(B * S, N, C)`` or ``(B * S, C)`` to ``(B, S, C)``."""
        return torch.unflatten(channel_means(features, self.channels), 0, (-1, self.samples))


class MaskedMean(nn.Module):
    """Latent samples of a tap whose own masks are the first: no layer runs in batch B * S.

    Args:
        site: at the tap.
        samples: S.
        channels: dimension of the tap's output that holds the channels.
    """

    def __init__(self, site: Site, samples: int, channels: int) -> None:
        super().__init__()
        self.site, self.samples, self.channels = site, samples, channels

    def forward(self, features: Tensor, weights: Tensor) -> Tensor:
        """``(B, C, H, W)``, ``(B, H, W, C)``, ``(B, N, C)`` or ``(B, C)`` to ``(B, S, C)``."""
        return self.site.randomness.masked_mean(features, weights, self.samples, self.site.mask_shape, self.channels)


class LayerMoments(nn.Module):
    """Moments of a layer in the clean pass, which need no sampling; a large map is read on a grid of its cells.

    A pooling of single cells takes the grid: in ONNX Runtime slices would first copy the whole map out of the layout in which
    its convolutions work.

    Args:
        channels: dimension of the layer's output that holds the channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, H, W)``, ``(B, H, W, C)``, ``(B, N, C)`` or ``(B, C)`` to ``(B, 2 C)``.

        See ``channel_moments`` and ``cell_stride``.
        """
        if features.dim() == 4:
            features = features.movedim(self.channels, 1)
        if features.dim() == 4 and (stride := cell_stride(*features.shape[2:])) > 1:
            features = avg_pool2d(features, 1, stride)
        return channel_moments(features)


class LayerTiles(nn.Module):
    """Moments of some channels of a layer in each tile of its map; a large map is read on the grid of ``LayerMoments``.

    Args:
        channels: dimension of the layer's output that holds the channels.
        rows: of tiles.
        columns: of tiles.
    """

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        super().__init__()
        self.channels, self.rows, self.columns = channels, rows, columns

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, H, W)`` or ``(B, H, W, C)`` to ``(B, R * Q * 2 K)``, see ``tile_moments``."""
        features = features.movedim(self.channels, 1)
        if (stride := cell_stride(*features.shape[2:])) > 1:
            features = avg_pool2d(features, 1, stride)
        return tile_moments(features, self.rows, self.columns)


class LayerMap(nn.Module):
    """The map of a layer, channel by channel.

    Args:
        channels: dimension of the layer's output that holds the channels.
        rows: of cells that are kept, from the top: those that begin within the frame, not in its padding.
        columns: of cells that are kept, from the left.
    """

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        super().__init__()
        self.channels, self.rows, self.columns = channels, rows, columns

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, H, W)`` or ``(B, H, W, C)`` to ``(B, C * h * w)``."""
        return features.movedim(self.channels, 1)[:, :, : self.rows, : self.columns].flatten(1)


class ConcatLatents(nn.Module):
    """Concatenates the latents of several taps."""

    def forward(self, *latents: Tensor) -> Tensor:
        """Several ``(B, S, C_i)`` to ``(B, S, sum C_i)``."""
        return torch.cat(latents, dim=-1)
