# SPDX-License-Identifier: Apache-2.0
"""A U-Net with dropout in its deepest blocks, as a user brings one: `--model dropout_unet:DropoutUNet` in this folder."""

from collections.abc import Sequence
from itertools import pairwise

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Batch = tuple[Tensor, Tensor]


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with batch normalisation and a ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class DropoutUNet(pl.LightningModule):
    """U-Net (Ronneberger et al. 2015) with dropout as in Bayesian SegNet (Kendall et al. 2017).

    Dropout follows the two deepest blocks of the way down and the deepest one of the way up, so that layers lie between
    the masks and the taps ``up.0`` to ``up.2``: only these layers can turn masks into something that moments do not hold.

    Args:
        n_class: number of classes, void not counted.
        filters: channels of each level, finest first; every level halves the resolution.
        drop_prob: p of the dropout.
        optimizer_lr: peak learning rate of AdamW under a one-cycle schedule.
        class_weights: of the cross-entropy; None for 1 each.
        ignore_index: label of void pixels.
        input_size: ``(height, width)`` that the network was trained at.
        mean: per-channel RGB mean of the frames in [0, 1].
        std: per-channel RGB standard deviation.
    """

    def __init__(
        self,
        n_class: int,
        filters: Sequence[int] = (16, 32, 64, 128),
        drop_prob: float = 0.5,
        optimizer_lr: float = 2e-3,
        class_weights: Sequence[float] | None = None,
        ignore_index: int = 255,
        input_size: tuple[int, int] | None = None,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        del input_size, mean, std  # for the exporter, which reads the hyper-parameters
        self.lr = optimizer_lr
        self.down = nn.ModuleList(block(i, o) for i, o in zip([3, *filters], filters, strict=False))
        self.up = nn.ModuleList(block(deep + skip, skip) for deep, skip in pairwise(reversed(filters)))
        self.drop = nn.ModuleList(nn.Dropout(drop_prob) for _ in range(3))
        self.head = nn.Conv2d(filters[0], n_class, 1)
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.criterion = nn.CrossEntropyLoss(weights, ignore_index=ignore_index)

    def forward(self, x: Tensor) -> Tensor:
        """Segment ``(B, 3, H, W)`` normalised frames into logits ``(B, n_class, H, W)``."""
        skips: list[Tensor] = []
        for level, layers in enumerate(self.down):
            x = layers(x if level == 0 else F.max_pool2d(x, 2))
            deep = level - (len(self.down) - 2)
            if deep >= 0:
                x = self.drop[deep](x)
            skips.append(x)
        for level, (layers, skip) in enumerate(zip(self.up, reversed(skips[:-1]), strict=True)):
            x = layers(torch.cat([F.interpolate(x, size=skip.shape[-2:], mode="bilinear"), skip], dim=1))
            if level == 0:
                x = self.drop[2](x)
        logits: Tensor = self.head(x)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch: ``(B, 3, H, W)`` frames, ``(B, H, W)`` int64 labels."""
        del batch_idx
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch, logged as ``validation_loss`` beside the share of right pixels."""
        del batch_idx
        return self._step(batch, "validation")

    def _step(self, batch: Batch, stage: str) -> Tensor:
        frames, labels = batch
        logits = self(frames)
        loss: Tensor = self.criterion(logits, labels)
        known = labels != self.criterion.ignore_index
        right = (logits.argmax(dim=1) == labels)[known].float().mean()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_accuracy": right}, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW under one cycle."""
        optimizer = torch.optim.AdamW(self.parameters(), self.lr, weight_decay=1e-2)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
