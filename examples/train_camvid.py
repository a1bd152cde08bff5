# SPDX-License-Identifier: Apache-2.0
"""Train DeepLabV3+ on CamVid's day frames; the drive at dusk (0001TP) stays unseen, to be the monitor's natural shift.

    python examples/train_camvid.py --data path/to/camvid --out runs/camvid

The best checkpoint by validation mIoU lands in `<out>/best.ckpt`, the last one in `<out>/last.ckpt`; a run that was
cut off goes on with `--resume`. `train_labelled_folder.py` trains the same way on other data.
"""

import argparse
from pathlib import Path

from training import add_training_options, fit, training_options

from export.data.camvid import CamVidDataModule
from export.errors import UsageError

DUSK = "0001TP"


def main() -> None:
    """Train and say where the best checkpoint is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/, trainannot/, val/, valannot/")
    add_training_options(parser, Path("runs/camvid"))
    options = parser.parse_args()
    try:
        data = CamVidDataModule(
            options.data,
            tuple(options.input_size),
            tuple(options.crop),
            options.batch_size,
            exclude=(DUSK,),
            seed=options.seed,
            num_workers=options.workers,
        )
        fit(data, "camvid", training_options(options))
    except (UsageError, FileNotFoundError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
