# SPDX-License-Identifier: Apache-2.0
"""Train the embedded demo checkpoint: a narrow DeepLabV3+ on the project's own synthetic roads.

    python examples/train_demo.py --out examples/demo/synthetic_roads.ckpt

Needs no data: every scene is drawn by `export.data.synthetic`.
"""

import argparse
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from pytorch_lightning.callbacks import TQDMProgressBar
from torch.utils.data import DataLoader
from tqdm import tqdm

from export.data.dataset import Augmentation, SegmentationDataset
from export.data.synthetic import CLASSES, SyntheticRoads
from export.models import DeepLabV3PlusModule

FRAME_SIZE = (192, 384)
INPUT_SIZE = (128, 256)
TRAIN_SEED, VALIDATION_SEED = 100, 101


def render(scenes: int, seed: int, what: str) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Draw scenes once, so that every epoch need not."""
    source = SyntheticRoads(scenes, *FRAME_SIZE, seed=seed)
    return [source[i] for i in tqdm(range(scenes), desc=f"drawing {what} scenes", unit="scene")]


def main() -> None:
    """Train and save weights and hyper-parameters, without the optimizer's state."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("examples/demo/synthetic_roads.ckpt"))
    parser.add_argument("--scenes", type=int, default=800, help="training scenes")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    pl.seed_everything(options.seed)
    model = DeepLabV3PlusModule(
        backbone_name="resnet18",
        dataset="synthetic roads",
        n_class=len(CLASSES),
        optimizer="adamw",
        optimizer_lr=4e-3,
        optimizer_weight_decay=1e-2,
        width_multiplier=0.25,
        drop_prob=0.5,
        block_size=4,
        input_size=INPUT_SIZE,
    )
    normalisation = {"mean": model.hparams["mean"], "std": model.hparams["std"]}
    train = SegmentationDataset(
        render(options.scenes, TRAIN_SEED, "training"),
        INPUT_SIZE,
        augmentation=Augmentation(INPUT_SIZE, (0.8, 1.4)),
        seed=options.seed,
        **normalisation,
    )
    validation = SegmentationDataset(render(100, VALIDATION_SEED, "validation"), INPUT_SIZE, **normalisation)
    trainer = pl.Trainer(
        max_epochs=options.epochs,
        logger=False,
        enable_checkpointing=False,
        callbacks=[TQDMProgressBar(refresh_rate=10)],
        check_val_every_n_epoch=4,
        gradient_clip_val=1.0,
    )
    trainer.fit(model, DataLoader(train, 16, shuffle=True, drop_last=True), DataLoader(validation, 16))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(options.out, weights_only=True)
    iou = float(trainer.callback_metrics["validation_IoU"])
    print(f"validation mIoU {iou:.3f}; {options.out.stat().st_size / 1e6:.1f} MB in {options.out}")


if __name__ == "__main__":
    main()
