# SPDX-License-Identifier: Apache-2.0
"""The Probabilistic U-Net as LightningModules under the guide's names."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from export.layers.dropblock import DropBlock2D
from export.models.probabilistic_unet import ProbabilisticUnet

Batch = tuple[Tensor, Tensor]


class ProbabilisticUnetModule(pl.LightningModule):
    """Trains a :class:`~export.models.probabilistic_unet.ProbabilisticUnet` by its evidence lower bound.

    The guide's own source is not public; the interface is what its callers rely on: ``prob_unet_model`` with ``forward``,
    ``sample``, ``prior_latent_space`` and ``z_prior_sample``. Called on frames alone the module in evaluation segments with
    the mean of the prior, so that the same frame gives the same logits; ``prob_unet_model.prior.latent`` is a tap that
    draws.

    Args:
        n_class: number of classes, void not counted.
        num_filters: channels of each level, finest first.
        latent_dim: number of latents, L.
        beta: weight of the divergence in the loss.
        optimizer_lr: learning rate of Adam.
        optimizer_weight_decay: weight decay.
        ignore_index: label of void pixels.
        input_size: ``(height, width)`` that the network was trained at.
        mean: per-channel RGB mean of the frames in [0, 1].
        std: per-channel RGB standard deviation.
    """

    def __init__(
        self,
        n_class: int = 10,
        num_filters: Sequence[int] = (32, 64, 128, 192),
        latent_dim: int = 6,
        beta: float = 10.0,
        optimizer_lr: float = 1e-4,
        optimizer_weight_decay: float = 1e-5,
        ignore_index: int = 255,
        input_size: tuple[int, int] | None = None,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self._build(None)

    def _build(self, drop_block: nn.Module | None) -> None:
        options = self.hparams
        self.prob_unet_model = ProbabilisticUnet(
            options["n_class"], options["num_filters"], options["latent_dim"], drop_block
        )

    def forward(self, x: Tensor) -> Tensor:
        """Segment ``(B, 3, H, W)`` normalised frames into logits ``(B, n_class, H, W)``, at the mean of the prior."""
        network = self.prob_unet_model
        latent = network.prior.latent(*network.prior(x))
        return network.combine(network.unet(x), latent)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch: ``(B, 3, H, W)`` frames, ``(B, H, W)`` or ``(B, 1, H, W)`` int64 labels."""
        del batch_idx
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch, logged as ``validation_*``."""
        del batch_idx
        return self._step(batch, "validation")

    def _step(self, batch: Batch, stage: str) -> Tensor:
        frames, labels = batch
        labels = labels.squeeze(1) if labels.ndim == 4 else labels
        self.prob_unet_model(frames, labels, training=True)
        loss, cross_entropy, divergence = self.prob_unet_model.elbo(
            labels, self.hparams["beta"], self.hparams["ignore_index"]
        )
        for name, value in (("loss", loss), ("cross_entropy", cross_entropy), ("kl", divergence)):
            self.log(f"{stage}_{name}", value, on_step=False, on_epoch=True, batch_size=len(frames))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        options = self.hparams
        return torch.optim.Adam(
            self.parameters(), options["optimizer_lr"], weight_decay=options["optimizer_weight_decay"]
        )


class ProbabilisticUnetPriorMcdModule(ProbabilisticUnetModule):
    """The same with DropBlock on the deepest features of the prior net, ``prob_unet_model.prior.drop_block``.

    Args:
        drop_prob: DropBlock's p.
        block_size: DropBlock's b, in cells of the deepest features.
        options: as for :class:`ProbabilisticUnetModule`.
    """

    def __init__(self, *, drop_prob: float = 0.5, block_size: int = 4, **options: Any) -> None:
        super().__init__(**options)
        self.save_hyperparameters({"drop_prob": drop_prob, "block_size": block_size})
        self._build(DropBlock2D(drop_prob, block_size))
