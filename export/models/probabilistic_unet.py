# SPDX-License-Identifier: Apache-2.0
"""The Probabilistic U-Net (Kohl et al. 2018, arXiv:1806.05034): a segmentation for each draw of a small latent vector.

A U-Net gives features of the frame, a prior net a Gaussian over latents from the frame alone, and in training a posterior net
one from frame and label. A latent is tiled over the features and 1 x 1 convolutions make logits of both.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn import functional as F

from export.layers.gaussian_dropout import LatentSample


def convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with a ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU()
    )


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) without a head: ``(B, C, H, W)`` to ``(B, filters[0], H, W)``, for any H and W.

    Args:
        inputs: C.
        filters: channels of each level, finest first; every level halves the resolution.
    """

    def __init__(self, inputs: int, filters: Sequence[int]) -> None:
        super().__init__()
        self.down = nn.ModuleList(convolutions(i, o) for i, o in zip([inputs, *filters], filters, strict=False))
        levels = list(reversed(filters))
        self.up = nn.ModuleList(convolutions(deep + skip, skip) for deep, skip in pairwise(levels))

    def forward(self, x: Tensor) -> Tensor:
        """Down with average pooling, up with bilinear interpolation to the size of the skip connection."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.avg_pool2d(x, 2, ceil_mode=True))
            skips.append(x)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = block(torch.cat([F.interpolate(x, size=skip.shape[-2:], mode="bilinear"), skip], dim=1))
        return x


class AxisAlignedGaussian(nn.Module):
    """A Gaussian with diagonal covariance over L latents, from an image.

    ``mean`` and ``latent`` give ``(B, L)`` and are taps for the latent space: under the masks of ``drop_block`` alone, or
    with a draw from the Gaussian as well.

    Args:
        inputs: channels of the image.
        filters: channels of each level.
        latent_dim: L.
        drop_block: on the deepest features, or None.
    """

    def __init__(
        self, inputs: int, filters: Sequence[int], latent_dim: int, drop_block: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(convolutions(i, o) for i, o in zip([inputs, *filters], filters, strict=False))
        self.drop_block = drop_block or nn.Identity()
        self.latent = LatentSample()
        self.mean, self.log_std = nn.Linear(filters[-1], latent_dim), nn.Linear(filters[-1], latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, inputs, H, W)`` to mean and log of the standard deviation, each ``(B, L)``."""
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else F.avg_pool2d(x, 2, ceil_mode=True))
        pooled = self.drop_block(x).mean(dim=(2, 3))
        return self.mean(pooled), self.log_std(pooled)


class ProbabilisticUnet(nn.Module):
    """U-Net, prior net, posterior net and combiner; used step by step, as the guide's code does.

    Args:
        n_class: K.
        filters: channels of each level of the three encoders.
        latent_dim: L.
        prior_drop_block: sampled layer of the prior net, or None.

    Attributes:
        prior_latent_space: ``Independent`` ``Normal`` over ``(B, L)``, of the last call.
        posterior_latent_space: the same; None where that call did not train.
        unet_features: ``(B, filters[0], H, W)`` of the last call.
        z_prior_sample: ``(B, L)``, the last latent that :meth:`sample` drew.
    """

    prior_latent_space: "Independent[Normal]"
    posterior_latent_space: "Independent[Normal] | None"
    unet_features: Tensor
    z_prior_sample: Tensor

    def __init__(
        self, n_class: int, filters: Sequence[int], latent_dim: int, prior_drop_block: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.n_class = n_class
        self.unet = UNet(3, filters)
        self.prior = AxisAlignedGaussian(3, filters, latent_dim, prior_drop_block)
        self.posterior = AxisAlignedGaussian(3 + n_class, filters, latent_dim)
        width = filters[0]
        self.combiner = nn.Sequential(
            nn.Conv2d(width + latent_dim, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, n_class, 1),
        )

    def forward(self, frames: Tensor, labels: Tensor | None = None, training: bool = True) -> None:
        """Set the latent spaces and the features.

        Args:
            frames: ``(B, 3, H, W)`` float.
            labels: ``(B, H, W)`` int64; what is no class, such as void, tells the posterior net nothing.
            training: set the posterior too, which needs labels.

        Raises:
            ValueError: training without labels.
        """
        self.prior_latent_space = _gaussian(*self.prior(frames))
        self.posterior_latent_space = None
        if training:
            if labels is None:
                raise ValueError("expected labels for the posterior net, got none: pass them, or training=False")
            self.posterior_latent_space = _gaussian(*self.posterior(torch.cat([frames, self._planes(labels)], dim=1)))
        self.unet_features = self.unet(frames)

    def sample(self, testing: bool = False) -> Tensor:
        """Logits ``(B, K, H, W)`` for one draw of the prior; with ``testing`` no gradient goes through the draw."""
        prior = self.prior_latent_space
        self.z_prior_sample = prior.sample() if testing else prior.rsample()
        return self.combine(self.unet_features, self.z_prior_sample)

    def combine(self, features: Tensor, latent: Tensor) -> Tensor:
        """``(B, filters[0], H, W)`` features and ``(B, L)`` latent to logits ``(B, K, H, W)``."""
        tiled = latent[:, :, None, None].expand(-1, -1, features.shape[-2], features.shape[-1])
        logits: Tensor = self.combiner(torch.cat([features, tiled], dim=1))
        return logits

    def elbo(self, labels: Tensor, beta: float, ignore_index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Negative evidence lower bound of the last call, per frame.

        ``sum over pixels of -log p(label | z) + beta KL(posterior || prior)``, z drawn from the posterior; void pixels out.

        Returns:
            The bound, the cross-entropy, the divergence (nats), each a scalar averaged over the batch.

        Raises:
            ValueError: the last call did not train.
        """
        if self.posterior_latent_space is None:
            raise ValueError("expected a posterior, got none: call forward with labels and training=True first")
        logits = self.combine(self.unet_features, self.posterior_latent_space.rsample())
        cross_entropy = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum") / len(labels)
        divergence = kl_divergence(self.posterior_latent_space, self.prior_latent_space).mean()
        return cross_entropy + beta * divergence, cross_entropy, divergence

    def _planes(self, labels: Tensor) -> Tensor:
        """``(B, H, W)`` labels to ``(B, K, H, W)`` with a 1 in the plane of each pixel's class."""
        planes = torch.arange(self.n_class, device=labels.device)[:, None, None]
        return (labels[:, None] == planes).float()


def _gaussian(mean: Tensor, log_std: Tensor) -> "Independent[Normal]":
    return Independent(Normal(mean, log_std.exp()), 1)
