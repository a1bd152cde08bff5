# SPDX-License-Identifier: Apache-2.0
"""Samples of a Probabilistic U-Net's prior latent space (Kohl et al. 2018, "A Probabilistic U-Net"), as the guide takes them.

The network is at ``prob_unet_model``. Its ``forward(frames, labels, training=False)`` sets ``prior_latent_space``, a
distribution with ``mean`` and ``variance``; then ``sample(testing=True)`` sets ``z_prior_sample``.
"""

from collections.abc import Callable
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from export.guide.mc_samples import Batches, HasProbabilisticUnet, sampled_batches


def get_ls_samples_priornet(
    prob_module: HasProbabilisticUnet, dataloader: Batches, *, seed: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw the prior once for every frame.

    Args:
        prob_module: with the network at ``prob_unet_model``, in evaluation mode except its stochastic layers.
        dataloader: gives frames and labels.
        seed: of all draws; None draws from torch's global generator.

    Returns:
        z, mean and variance, each ``(N, L)`` float on the CPU.

    Raises:
        UsageError: no frames, or the network in training mode.
    """
    network = prob_module.prob_unet_model
    batches = [prior for prior, _ in sampled_batches(network, _draw(network), dataloader, 1, seed)]
    z, mean, variance = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return z, mean, variance


def get_ls_mc_samples_priornet(
    prob_module: HasProbabilisticUnet, dataloader: Batches, mc_samples_nro: int = 32, *, seed: int | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pass every frame S times and draw the prior once in each pass: the masks and the latent vary.

    Args:
        prob_module: with the network at ``prob_unet_model``, in evaluation mode except its stochastic layers. With none
            of these switched on, only the latent varies.
        dataloader: gives frames and labels.
        mc_samples_nro: S, at least 1.
        seed: of all draws; None draws from torch's global generator.

    Returns:
        z, means and variances, each ``(N * S, L)`` float with row ``i * S + s`` for sample s of frame i; and the labels,
        ``(N, ...)``, once for each frame. All on the CPU.

    Raises:
        UsageError: S below 1, no frames, or the network in training mode.
    """
    network = prob_module.prob_unet_model
    batches = [
        (*prior, labels) for prior, labels in sampled_batches(network, _draw(network), dataloader, mc_samples_nro, seed)
    ]
    z, means, variances, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return z, means, variances, labels


class _PriorNetwork(Protocol):
    prior_latent_space: Distribution
    z_prior_sample: Tensor

    def forward(self, frames: Tensor, labels: Tensor, training: bool) -> object: ...

    def sample(self, testing: bool) -> object: ...


def _draw(network: nn.Module) -> Callable[[Tensor, Tensor], tuple[Tensor, ...]]:
    prior_network = cast(_PriorNetwork, network)

    def run(frames: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        prior_network.forward(frames, labels, training=False)
        prior = prior_network.prior_latent_space
        prior_network.sample(testing=True)
        return prior_network.z_prior_sample, prior.mean, prior.variance

    return run
