# SPDX-License-Identifier: Apache-2.0
"""Train DeepLabV3+ with DropBlock on a folder of frames and a folder of label images.

    python examples/train_labelled_folder.py --frames data/frames --labels data/labels --classes 7 --out runs/mine

A label is a PNG file with one id a pixel, of the size and the name of its frame: `labels/a/1.png` belongs to
`frames/a/1.jpg`. Seven classes are the ids 0 to 6; the id of pixels without a class is `--ignore-label`.

Whole drives are held out to validate with (`--val-share`), since frames of one drive resemble each other;
`--group-by` tells drives apart: `prefix`, by the file name up to its first underscore; `folder`; or a CSV table with the
columns frame and drive. Frames without drives need `--val-frames` and `--val-labels`. `--drives FILE` trains on the drives
that the file names, one a line, and keeps the others unseen: the monitor's detector and thresholds need such drives.

The best checkpoint by validation mIoU lands in `<out>/best.ckpt`, the last one in `<out>/last.ckpt`; a run that was cut off
goes on with `--resume` and the same options. Then:

    python -m export --ckpt runs/mine/best.ckpt --frames path/to/unseen/drives --out monitor
"""

import argparse
from pathlib import Path

import numpy as np
from training import add_training_options, fit, training_options

from export.data import LabelledFolder, LabelledFolderDataModule
from export.errors import UsageError
from export.frames.drives import read_drive_names


def read_data(options: argparse.Namespace) -> LabelledFolderDataModule:
    """Read the folders that the command line names, and say what is in them."""
    if (options.val_frames is None) != (options.val_labels is None):
        raise UsageError("expected --val-frames and --val-labels together, got one of them: pass both, or none")
    drives = None if options.drives is None else read_drive_names(options.drives)
    train = LabelledFolder(
        options.frames, options.labels, options.classes, options.ignore_label, options.group_by, drives
    )
    if options.val_frames is None:
        train, val = train.hold_out(options.val_share, options.seed)
    else:
        val = LabelledFolder(options.val_frames, options.val_labels, options.classes, options.ignore_label)
    counts = train.class_counts()
    print(
        f"{len(train)} frames of {len(set(train.drives))} drives to train on, {len(val)} to validate with", flush=True
    )
    shares = ", ".join(f"{index}: {share:.2%}" for index, share in enumerate(counts / max(1, counts.sum())))
    print(f"share of each class in the training labels: {shares}", flush=True)
    absent = np.flatnonzero(counts == 0)
    if len(absent):
        print(
            f"no training label holds class {', '.join(map(str, absent))}: check --classes and --ignore-label",
            flush=True,
        )
    return LabelledFolderDataModule(
        train,
        val,
        tuple(options.input_size),
        tuple(options.crop),
        options.batch_size,
        seed=options.seed,
        num_workers=options.workers,
    )


def main() -> None:
    """Read the folders, train and say where the best checkpoint is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=Path, required=True, help="folder of images, in sub-folders or not")
    parser.add_argument("--labels", type=Path, required=True, help="folder of PNG labels by the frames' names")
    parser.add_argument("--classes", type=int, required=True, help="number of classes, pixels to ignore not counted")
    parser.add_argument(
        "--ignore-label", type=int, default=255, help="id of pixels without a class (default: %(default)s)"
    )
    parser.add_argument(
        "--group-by", default="prefix", help="tell drives apart: prefix, folder, none, or a CSV table (default: prefix)"
    )
    parser.add_argument("--drives", type=Path, help="text file with the drives to use, one a line (default: all)")
    parser.add_argument(
        "--val-share", type=float, default=0.1, help="share of the frames held out, by whole drives (default: 0.1)"
    )
    parser.add_argument("--val-frames", type=Path, help="frames to validate with, in place of held-out drives")
    parser.add_argument("--val-labels", type=Path, help="their labels")
    add_training_options(parser, Path("runs/labelled_folder"))
    options = parser.parse_args()
    try:
        fit(read_data(options), str(options.frames.name), training_options(options))
    except (UsageError, FileNotFoundError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
