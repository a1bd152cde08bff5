# SPDX-License-Identifier: Apache-2.0
"""The training of DeepLabV3+ that `train_labelled_folder.py` and `train_camvid.py` share: AdamW, one cycle, class weights."""

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger

from export.data import LabelledFolderDataModule
from export.errors import UsageError
from export.models import DeepLabV3PlusModule


@dataclass(frozen=True)
class Training:
    """Options of a training, whatever the data set.

    Attributes:
        out: folder of checkpoints and logs.
        backbone: ``resnet18``, ``resnet34``, ``resnet50`` or ``resnet101``.
        weights: torchvision weights file of the backbone; None trains from scratch.
        drop_prob: DropBlock's p.
        block_size: DropBlock's b, in cells of a sixteenth of the input.
        epochs: passes over the training frames.
        lr: peak learning rate of the one-cycle schedule.
        val_every: most epochs between two validations; the last epoch is validated.
        seed: of weights, order and augmentation.
        precision: ``32-true`` or ``bf16-mixed``.
        resume: go on from ``<out>/last.ckpt``.
    """

    out: Path
    backbone: str
    weights: Path | None
    drop_prob: float
    block_size: int
    epochs: int
    lr: float
    val_every: int
    seed: int
    precision: str
    resume: bool


def add_training_options(parser: argparse.ArgumentParser, out: Path) -> None:
    """Add the options of :class:`Training`, and of the frames' sizes and batches."""
    parser.add_argument("--out", type=Path, default=out, help="folder of checkpoints and logs (default: %(default)s)")
    parser.add_argument("--backbone", default="resnet18", help="resnet18, resnet34, resnet50 or resnet101")
    parser.add_argument(
        "--weights",
        type=Path,
        help="file of the backbone's ImageNet weights, a state dict under torchvision's names such as "
        "resnet18-f37072fd.pth; nothing is downloaded (default: from scratch)",
    )
    parser.add_argument("--drop-prob", type=float, default=0.5, help="DropBlock's p (default: %(default)s)")
    parser.add_argument(
        "--block-size", type=int, default=8, help="DropBlock's b, in cells of a sixteenth of the input (default: 8)"
    )
    parser.add_argument("--epochs", type=int, default=40, help="passes over the training frames (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="frames a batch (default: %(default)s)")
    parser.add_argument(
        "--input-size",
        type=int,
        nargs=2,
        default=(240, 320),
        metavar=("H", "W"),
        help="the network's input in pixels; every frame is resized to it (default: 240 320)",
    )
    parser.add_argument(
        "--crop",
        type=int,
        nargs=2,
        default=(192, 256),
        metavar=("H", "W"),
        help="training crops of the resized frames, in pixels (default: 192 256)",
    )
    parser.add_argument(
        "--lr", type=float, default=2e-3, help="peak learning rate of the one-cycle schedule (default: %(default)s)"
    )
    parser.add_argument(
        "--val-every",
        type=int,
        default=4,
        help="most epochs between two validations; fewer where the last epoch would go without one (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights, order, augmentation and held-out drives")
    parser.add_argument("--workers", type=int, default=0, help="processes that read frames (default: 0, the main one)")
    parser.add_argument(
        "--precision",
        choices=("32-true", "bf16-mixed"),
        default="32-true",
        help="bf16-mixed: less than half the time on processors with AMX, 0.6 of it with AVX-512 BF16 (default: %(default)s)",
    )
    parser.add_argument("--resume", action="store_true", help="go on from <out>/last.ckpt")


def training_options(options: argparse.Namespace) -> Training:
    """Pick the options of :class:`Training` out of a command line."""
    return Training(**{name: getattr(options, name) for name in Training.__dataclass_fields__})


_PLANNED = {
    "max_nro_epochs": "--epochs",
    "n_class": "--classes",
    "backbone_name": "--backbone",
    "input_size": "--input-size",
    "drop_prob": "--drop-prob",
    "block_size": "--block-size",
    "optimizer_lr": "--lr",
}
"""Flag of each hyper-parameter that a resumed training must have in common with its start."""


def _check_plan(last: Path, hyper_parameters: dict[str, object]) -> None:
    """Refuse to resume a run that was started with other options."""
    planned = torch.load(last, map_location="cpu", weights_only=True)["hyper_parameters"]
    for name, flag in _PLANNED.items():
        if planned[name] != hyper_parameters[name]:
            raise UsageError(
                f"expected {flag} {planned[name]}, as the run at {last.parent} was planned, got {hyper_parameters[name]}: "
                "resume with the options of the start"
            )


def fit(data: LabelledFolderDataModule, dataset: str, options: Training) -> None:
    """Train and say where the best checkpoint is.

    Args:
        data: frames and labels.
        dataset: a note that the checkpoint carries.
        options: of the training.

    Raises:
        UsageError: no epoch, nothing to resume from, or a run that was started with other options.
    """
    if min(options.epochs, options.val_every) < 1:
        raise UsageError(
            f"expected --epochs and --val-every of 1 or more, got {options.epochs} and {options.val_every}: raise them"
        )
    last = options.out / "last.ckpt"
    if options.resume and not last.is_file():
        raise UsageError(f"expected {last} to resume from, found none: start without --resume")
    pl.seed_everything(options.seed)
    torch.set_float32_matmul_precision("high")
    model = DeepLabV3PlusModule(
        backbone_name=options.backbone,
        dataset=dataset,
        n_class=data.train_frames.num_classes,
        optimizer="adamw",
        optimizer_lr=options.lr,
        optimizer_weight_decay=1e-2,
        class_weights=data.train_frames.class_weights(),
        max_nro_epochs=options.epochs,
        drop_prob=options.drop_prob,
        block_size=options.block_size,
        input_size=data.options.img_size,
        mean=data.options.norm_mean,
        std=data.options.norm_std,
    )
    if options.resume:
        _check_plan(last, dict(model.hparams))
    if options.weights is not None:
        model.deeplab_v3plus_model.backbone.load_torchvision_weights(options.weights)
    model = model.to(memory_format=torch.channels_last)  # a quarter faster on CPUs
    best = ModelCheckpoint(options.out, "best", monitor="validation_IoU", mode="max", enable_version_counter=False)
    # A callback of its own: `save_last` saves only when the best one does, and a resumed run would lose the epochs since.
    every_epoch = ModelCheckpoint(options.out, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = pl.Trainer(
        max_epochs=options.epochs,
        default_root_dir=options.out,
        logger=CSVLogger(options.out, name="logs"),
        callbacks=[best, every_epoch, LearningRateMonitor("step"), TQDMProgressBar(refresh_rate=5)],
        check_val_every_n_epoch=max(n for n in range(1, options.val_every + 1) if options.epochs % n == 0),
        log_every_n_steps=10,
        gradient_clip_val=1.0,
        precision=options.precision,
    )
    warnings.filterwarnings("ignore", "Checkpoint directory .* is not empty")  # the logs are in there
    trainer.fit(model, data, ckpt_path=last if options.resume else None)
    print(f"best validation mIoU {best.best_model_score:.4f}: {best.best_model_path}")
