# SPDX-License-Identifier: Apache-2.0
"""The guide's segmentation network as a trainable LightningModule."""

from collections.abc import Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from export.layers.dropblock import DropBlock2D
from export.models.deeplab import DeepLabV3Plus
from export.models.losses import FocalLoss

Batch = tuple[Tensor, Tensor]


class DeepLabV3PlusModule(pl.LightningModule):
    """DeepLabV3+ with a DropBlock layer at ``deeplab_v3plus_model.drop_block1``.

    The first group of arguments are the guide's hyper-parameters under its names, so that
    ``load_from_checkpoint`` reads a checkpoint trained with the guide's code. The second group is ours, and a
    checkpoint of ours carries it; a guide's checkpoint cannot tell ``drop_prob`` and ``block_size`` (they stood in its
    source code: 0.5 and 8 in 2024, 0.2 and 12 in 2023), nor the normalisation of its frames.

    Args:
        backbone_name: ``resnet18``, ``resnet34``, ``resnet50`` or ``resnet101``.
        deeplabv3plus_type: ``backbone_dropblock2d``, or ``normal`` for no DropBlock.
        dataset: a note; changes nothing.
        n_class: number of classes, void not counted.
        output_stride: 8 or 16.
        pretrained_backbone: path of a torchvision ResNet weights file, or False. True, as in the guide's checkpoints,
            means that the weights come with the checkpoint; training from scratch with True is refused.
        optimizer_lr: learning rate; the peak of the schedule for ``adamw``.
        optimizer_momentum: for ``sgd``.
        optimizer_weight_decay: weight decay.
        pred_loss_type: ``cross_entropy`` or ``focal_loss``.
        max_nro_epochs: length of the cosine schedule for ``sgd``.
        drop_prob: DropBlock's p.
        block_size: DropBlock's b, in cells of the ``layer4`` output.
        width_multiplier: scales every channel count of the network.
        optimizer: ``sgd`` (cosine schedule, as in the guide) or ``adamw`` (one-cycle schedule).
        class_weights: weight of each class in the loss.
        ignore_index: label of void pixels.
        input_size: ``(height, width)`` that the network was trained at.
        mean: per-channel RGB mean of the frames in [0, 1].
        std: per-channel RGB standard deviation.
        guide_options: the guide's remaining hyper-parameters (``img_pred_weight``, ``label_colours``, ...), which this
            module does not need.
    """

    def __init__(
        self,
        backbone_name: str = "resnet101",
        deeplabv3plus_type: str = "backbone_dropblock2d",
        dataset: str = "",
        n_class: int = 10,
        output_stride: int = 16,
        pretrained_backbone: bool | str = False,
        optimizer_lr: float = 0.01,
        optimizer_momentum: float = 0.9,
        optimizer_weight_decay: float = 5e-4,
        pred_loss_type: str = "cross_entropy",
        max_nro_epochs: int = 100,
        *,
        drop_prob: float = 0.5,
        block_size: int = 8,
        width_multiplier: float = 1.0,
        optimizer: str = "sgd",
        class_weights: Sequence[float] | None = None,
        ignore_index: int = 255,
        input_size: tuple[int, int] | None = None,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        **guide_options: Any,
    ) -> None:
        super().__init__()
        unknown = set(guide_options) - _GUIDE_OPTIONS
        if unknown:
            raise TypeError(
                f"expected hyper-parameters of the guide or of this module, got {', '.join(sorted(unknown))}: remove them"
            )
        if deeplabv3plus_type not in ("backbone_dropblock2d", "normal"):
            raise ValueError(
                f"expected deeplabv3plus_type 'backbone_dropblock2d' or 'normal', got {deeplabv3plus_type!r}: "
                "the guide's variational layer is no part of its monitor"
            )
        if optimizer not in ("sgd", "adamw"):
            raise ValueError(f"expected optimizer 'sgd' or 'adamw', got {optimizer!r}: choose one")
        self.save_hyperparameters()
        drop_block = DropBlock2D(drop_prob, block_size) if deeplabv3plus_type == "backbone_dropblock2d" else None
        self.deeplab_v3plus_model = DeepLabV3Plus(backbone_name, n_class, output_stride, drop_block, width_multiplier)
        if isinstance(pretrained_backbone, str):
            self.deeplab_v3plus_model.backbone.load_torchvision_weights(pretrained_backbone)
        self._weights_expected = pretrained_backbone is True
        weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.criterion = _criterion(pred_loss_type, ignore_index, weight)
        self.metrics = nn.ModuleDict(
            {
                f"{stage}_{name}": metric
                for stage in ("train", "validation")
                for name, metric in {
                    "accuracy": MulticlassAccuracy(n_class, average="micro", ignore_index=ignore_index),
                    "IoU": MulticlassJaccardIndex(n_class, average="macro", ignore_index=ignore_index),
                }.items()
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """Segment ``(N, 3, H, W)`` normalised frames into logits ``(N, n_class, H, W)``."""
        logits: Tensor = self.deeplab_v3plus_model(x)
        return logits

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember that the checkpoint holds the weights."""
        del checkpoint
        self._weights_expected = False

    def on_fit_start(self) -> None:
        """Refuse to train a network that was promised pretrained weights and got none."""
        if self._weights_expected:
            raise ValueError(
                "expected pretrained_backbone to be the path of a torchvision weights file, got True: "
                "nothing is downloaded; pass the path, or False to train from scratch"
            )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch: ``(N, 3, H, W)`` frames, ``(N, H, W)`` or ``(N, 1, H, W)`` int64 labels."""
        del batch_idx
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss, accuracy and IoU of one batch, logged as ``validation_*``."""
        del batch_idx
        return self._step(batch, "validation")

    def _step(self, batch: Batch, stage: str) -> Tensor:
        frames, labels = batch
        labels = labels.squeeze(1) if labels.ndim == 4 else labels
        logits = self(frames)
        loss: Tensor = self.criterion(logits, labels)
        self.log(f"{stage}_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(frames))
        for name in ("accuracy", "IoU"):
            metric = cast(Metric, self.metrics[f"{stage}_{name}"])
            metric.update(logits.detach(), labels)
            self.log(f"{stage}_{name}", metric, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(frames))
        return loss

    def configure_optimizers(self) -> Any:
        """SGD with a cosine schedule by epochs, or AdamW with a one-cycle schedule by steps."""
        options = self.hparams
        parameters = self.deeplab_v3plus_model.parameters()
        schedule: torch.optim.lr_scheduler.LRScheduler
        if options["optimizer"] == "adamw":
            adamw = torch.optim.AdamW(
                parameters, options["optimizer_lr"], weight_decay=options["optimizer_weight_decay"]
            )
            steps = int(self.trainer.estimated_stepping_batches)
            schedule = torch.optim.lr_scheduler.OneCycleLR(adamw, options["optimizer_lr"], total_steps=steps)
            return [adamw], [{"scheduler": schedule, "interval": "step"}]
        sgd = torch.optim.SGD(
            parameters,
            options["optimizer_lr"],
            momentum=options["optimizer_momentum"],
            weight_decay=options["optimizer_weight_decay"],
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, options["max_nro_epochs"], eta_min=1e-3)
        return [sgd], [schedule]


_GUIDE_OPTIONS = {
    "img_pred_weight",
    "len_train_loader_beta",
    "len_val_loader_beta",
    "test_images_path",
    "label_colours",
}


def _criterion(name: str, ignore_index: int, weight: Tensor | None) -> nn.Module:
    if name == "cross_entropy":
        return nn.CrossEntropyLoss(weight, ignore_index=ignore_index)
    if name == "focal_loss":
        return FocalLoss(ignore_index=ignore_index, weight=weight)
    raise ValueError(f"expected pred_loss_type 'cross_entropy' or 'focal_loss', got {name!r}: choose one")
