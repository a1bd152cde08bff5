# SPDX-License-Identifier: Apache-2.0
"""Train DeepLabV3+ on CamVid's day frames; the drive at dusk (0001TP) stays unseen, to be the monitor's natural shift.

    python examples/train_camvid.py --data path/to/camvid --out runs/camvid

The best checkpoint by validation mIoU lands in `<out>/best.ckpt`, the last one in `<out>/last.ckpt`; a run that was
cut off goes on with `--resume`.
"""

import argparse
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger

from export.data.camvid import CLASSES, CamVidDataModule
from export.models import DeepLabV3PlusModule

DUSK = "0001TP"


def main() -> None:
    """Train and say where the best checkpoint is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, trainannot/, val/, valannot/")
    parser.add_argument("--out", type=Path, default=Path("runs/camvid"), help="folder of checkpoints and logs")
    parser.add_argument("--backbone", default="resnet18", help="resnet18, resnet34, resnet50 or resnet101")
    parser.add_argument("--weights", help="torchvision weights file of the backbone; none: from scratch")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--input-size", type=int, nargs=2, default=(240, 320), metavar=("H", "W"))
    parser.add_argument("--crop", type=int, nargs=2, default=(192, 256), metavar=("H", "W"))
    parser.add_argument("--lr", type=float, default=2e-3, help="peak learning rate of the one-cycle schedule")
    parser.add_argument("--val-every", type=int, default=4, help="epochs between two validations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--precision",
        choices=("32-true", "bf16-mixed"),
        default="32-true",
        help="bf16-mixed: less than half the time on processors with AMX (default: %(default)s)",
    )
    parser.add_argument("--resume", action="store_true", help="go on from <out>/last.ckpt")
    options = parser.parse_args()

    last = options.out / "last.ckpt"
    if options.resume:
        if not last.is_file():
            parser.error(f"expected {last} to resume from, found none: start without --resume")
        planned = torch.load(last, map_location="cpu", weights_only=True)["hyper_parameters"]["max_nro_epochs"]
        if planned != options.epochs:
            parser.error(f"expected --epochs {planned}, as the run at {options.out} was planned, got {options.epochs}")

    pl.seed_everything(options.seed)
    torch.set_float32_matmul_precision("high")
    data = CamVidDataModule(
        options.data,
        tuple(options.input_size),
        tuple(options.crop),
        options.batch_size,
        exclude=(DUSK,),
        seed=options.seed,
    )
    model = DeepLabV3PlusModule(
        backbone_name=options.backbone,
        dataset="camvid",
        n_class=len(CLASSES),
        pretrained_backbone=options.weights or False,
        optimizer="adamw",
        optimizer_lr=options.lr,
        optimizer_weight_decay=1e-2,
        class_weights=data.train_frames.class_weights(),
        max_nro_epochs=options.epochs,
        input_size=tuple(options.input_size),
    ).to(memory_format=torch.channels_last)  # a quarter faster on CPUs
    best = ModelCheckpoint(options.out, "best", monitor="validation_IoU", mode="max", enable_version_counter=False)
    # A callback of its own: `save_last` saves only when the best one does, and a resumed run would lose the epochs since.
    every_epoch = ModelCheckpoint(options.out, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = pl.Trainer(
        max_epochs=options.epochs,
        default_root_dir=options.out,
        logger=CSVLogger(options.out, name="logs"),
        callbacks=[best, every_epoch, LearningRateMonitor("step"), TQDMProgressBar(refresh_rate=5)],
        check_val_every_n_epoch=options.val_every,
        log_every_n_steps=10,
        gradient_clip_val=1.0,
        precision=options.precision,
    )
    trainer.fit(model, data, ckpt_path=last if options.resume else None)
    print(f"best validation mIoU {best.best_model_score:.4f}: {best.best_model_path}")


if __name__ == "__main__":
    main()
