# SPDX-License-Identifier: Apache-2.0
"""Train a U-Net with dropout, or a Probabilistic U-Net with DropBlock in its prior net, on a folder of frames and labels.

    python examples/train_unet.py --frames data/frames --labels data/labels --classes 7 --out runs/unet
    python examples/train_unet.py --network probabilistic --frames data/frames --labels data/labels --classes 7

Networks for `sampling_study.py`, small enough for a processor. Frames and labels are those of `train_labelled_folder.py`;
nothing is validated, and the last epoch's weights land in `<out>/last.ckpt`.
"""

import argparse
from pathlib import Path

import pytorch_lightning as pl
import torch
from dropout_unet import DropoutUNet

from export.data import LabelledFolder, LabelledFolderDataModule
from export.errors import UsageError
from export.frames.drives import read_drive_names
from export.models import ProbabilisticUnetPriorMcdModule

FILTERS = (16, 32, 64, 128)


def build(network: str, data: LabelledFolderDataModule, lr: float) -> pl.LightningModule:
    """A network for the data's classes and normalisation, with weights of chance."""
    classes = data.train_frames.num_classes
    size, mean, std = data.options.img_size, data.options.norm_mean, data.options.norm_std
    if network == "probabilistic":
        return ProbabilisticUnetPriorMcdModule(
            n_class=classes, num_filters=FILTERS, optimizer_lr=lr, input_size=size, mean=mean, std=std
        )
    weights = data.train_frames.class_weights()
    return DropoutUNet(classes, FILTERS, optimizer_lr=lr, class_weights=weights, input_size=size, mean=mean, std=std)


def main() -> None:
    """Read the folders, train and say where the checkpoint is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=("dropout", "probabilistic"), default="dropout")
    parser.add_argument("--frames", type=Path, required=True, help="folder of images, in sub-folders or not")
    parser.add_argument("--labels", type=Path, required=True, help="folder of PNG labels by the frames' names")
    parser.add_argument("--classes", type=int, required=True, help="number of classes, pixels to ignore not counted")
    parser.add_argument("--ignore-label", type=int, default=255, help="id of pixels without a class (default: 255)")
    parser.add_argument("--drives", type=Path, help="text file with the drives to use, one a line (default: all)")
    parser.add_argument("--out", type=Path, default=Path("runs/unet"), help="folder of the checkpoint and logs")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the frames (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, help="frames a batch (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=2e-3, help="peak learning rate (default: %(default)s)")
    parser.add_argument("--input-size", type=int, nargs=2, default=(112, 160), metavar=("H", "W"))
    parser.add_argument("--crop", type=int, nargs=2, default=(96, 128), metavar=("H", "W"))
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed"), default="32-true")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")
    options = parser.parse_args()
    try:
        drives = None if options.drives is None else read_drive_names(options.drives)
        rule = "none" if drives is None else "prefix"
        frames = LabelledFolder(options.frames, options.labels, options.classes, options.ignore_label, rule, drives)
        data = LabelledFolderDataModule(
            frames, frames, tuple(options.input_size), tuple(options.crop), options.batch_size, seed=options.seed
        )
        pl.seed_everything(options.seed)
        model = build(options.network, data, options.lr).to(memory_format=torch.channels_last)
    except (UsageError, FileNotFoundError) as error:
        parser.error(str(error))
    trainer = pl.Trainer(
        max_epochs=options.epochs,
        default_root_dir=options.out,
        logger=False,
        enable_checkpointing=False,
        limit_val_batches=0,
        gradient_clip_val=1.0,
        precision=options.precision,
    )
    trainer.fit(model, data)
    trainer.save_checkpoint(options.out / "last.ckpt", weights_only=True)
    print(f"last epoch: {options.out / 'last.ckpt'}")


if __name__ == "__main__":
    main()
