# SPDX-License-Identifier: Apache-2.0
"""One picture of the objects that an anomaly map learns from and is judged by: two rows of each family.

With --objects half of those to learn from are cut-outs of a user's own, as in an export with that flag.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from frame_width import at_width
from PIL import Image

from export.anomalies import Bytes
from export.anomalies.cutouts import FAMILIES, LEARN, paste_objects
from export.anomalies.own_cutouts import read_cutouts
from export.data.synthetic import SyntheticRoads
from export.frames.files import read_frame

_ROWS, _COLUMNS, _GAP = 2, 4, 4
_LOWER = 0.55
"""Part of a frame below which the road is taken to lie."""


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(
        description="Draw the objects that an anomaly map is fitted on and judged by.",
        epilog="Example: python examples/cutout_sheet.py --frames street_1.png street_2.png --out sheet.jpg",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("docs/cutouts.jpg"), help="picture to write, JPEG or PNG")
    parser.add_argument(
        "--frames", type=Path, nargs="+", default=[], help="camera frames; synthetic streets where none are given"
    )
    parser.add_argument(
        "--objects", type=Path, nargs="+", default=[], help="folders of cut-outs with alpha, to learn from as well"
    )
    parser.add_argument("--width", type=int, default=224, help="columns of one cell, pixels")
    parser.add_argument("--seed", type=int, default=0, help="seed of the scenes and of the objects")
    options = parser.parse_args()
    if options.frames:
        frames = [at_width(read_frame(file), options.width) for file in options.frames]
    else:
        roads = SyntheticRoads(_ROWS * _COLUMNS, height=options.width // 2, width=options.width, seed=options.seed)
        frames = [roads[index][0] for index in range(len(roads))]
    picture = Image.fromarray(sheet(frames, options.seed, read_cutouts(options.objects)))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture.save(options.out, quality=82, optimize=True)
    print(f"{options.out}: {picture.width} x {picture.height}, {options.out.stat().st_size // 1024} KiB")


def sheet(frames: list[Bytes], seed: int, own: Sequence[Bytes] = ()) -> Bytes:
    """Rows of the family to learn from, then as many of the one to judge by, with white gaps."""
    height, width = frames[0].shape[:2]
    table = np.full((len(FAMILIES) * _ROWS * (height + _GAP), _COLUMNS * (width + _GAP), 3), 255, np.uint8)
    lower = np.argwhere(np.arange(height)[:, None] * np.ones(width) > _LOWER * height).astype(np.float64)
    for place in range(len(FAMILIES) * _ROWS * _COLUMNS):
        row, column = divmod(place, _COLUMNS)
        rng, family = np.random.default_rng((seed, place)), FAMILIES[row // _ROWS]
        frame, other = (frames[number % len(frames)] for number in (place, place + 1))
        top, left = row * (height + _GAP), column * (width + _GAP)
        shown = paste_objects(frame[:height, :width], other, family, lower, rng, own if family == LEARN else ()).frame
        table[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return table


if __name__ == "__main__":
    main()
