# SPDX-License-Identifier: Apache-2.0
"""One picture of every degradation: a row for each kind, a column for each severity, the clean frame first."""

import argparse
from pathlib import Path

import numpy as np
from frame_width import at_width
from PIL import Image, ImageDraw, ImageFont

from export.anomalies import ANOMALIES, SEVERITIES, Bytes, Degradation, degrade, overlays
from export.data.synthetic import SyntheticRoads
from export.frames.files import read_frame

_GAP = 4
_HEADING = 20
_SCENE = 6
"""Scene of the default seed that has cars, people, houses and trees near and far."""


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(
        description="Draw every kind of degradation at every severity.",
        epilog="Example: python examples/anomaly_sheet.py --frame street.png --overlays dirt/ --out sheet.jpg",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("docs/anomalies.jpg"), help="picture to write, JPEG or PNG")
    parser.add_argument("--frame", type=Path, help="camera frame to degrade; a synthetic street where none is given")
    parser.add_argument("--overlays", type=Path, help="folder of PNG files with alpha; adds a row for them")
    parser.add_argument("--width", type=int, default=224, help="columns of one cell, pixels")
    parser.add_argument("--seed", type=int, default=0, help="seed of the scene and of the degradations")
    options = parser.parse_args()
    if options.frame:
        frame = at_width(read_frame(options.frame), options.width)
    else:
        frame, _ = SyntheticRoads(_SCENE + 2, height=options.width // 2, width=options.width, seed=options.seed)[_SCENE]
    kinds = dict(ANOMALIES)
    if options.overlays:
        kinds["overlays"] = overlays(options.overlays)
    picture = sheet(frame, kinds, options.seed)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture.save(options.out, quality=82, optimize=True)
    print(f"{options.out}: {picture.width} x {picture.height}, {options.out.stat().st_size // 1024} KiB")


def sheet(frame: Bytes, kinds: dict[str, Degradation], seed: int) -> Image.Image:
    """Rows of one kind each, under its name: the clean frame, then severities 1 to 5."""
    height, width = frame.shape[:2]
    step = _HEADING + height + _GAP
    picture = Image.new("RGB", ((1 + len(SEVERITIES)) * (width + _GAP), len(kinds) * step), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for row, (name, kind) in enumerate(kinds.items()):
        for column, severity in enumerate((0, *SEVERITIES)):
            left, top = column * (width + _GAP), row * step
            cell = degrade(frame, kind, severity, seed) if severity else np.array(frame)
            pen.text((left + 2, top + 2), f"{name} {severity}" if severity else "clean", "black", font)
            picture.paste(Image.fromarray(cell), (left, top + _HEADING))
    return picture


if __name__ == "__main__":
    main()
