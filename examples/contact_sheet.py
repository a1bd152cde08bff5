# SPDX-License-Identifier: Apache-2.0
"""A picture of the procedural road scenes and their labels."""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from export.anomalies import Bytes
from export.data.synthetic import CLASSES, PALETTE, VOID, SyntheticRoads

_GAP = 6
_INK = (40, 40, 40)


def main() -> None:
    """Write ``synthetic_roads.png``."""
    parser = argparse.ArgumentParser(
        description="Draw procedural road scenes with their labels.",
        epilog="Example: python examples/contact_sheet.py --out docs/ --seed 7",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder to write the PNG file to")
    parser.add_argument("--seed", type=int, default=0, help="seed of the scenes")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sheet, path = scenes(options.seed), options.out / "synthetic_roads.png"
    save(sheet, path)
    print(f"{path}: {sheet.shape[1]} x {sheet.shape[0]}, {path.stat().st_size // 1024} KiB")


def scenes(seed: int, columns: int = 3, rows: int = 4) -> Bytes:
    """Scenes in a grid, then one row with the labels of the first ones laid over them, then the legend."""
    roads = SyntheticRoads(columns * rows, height=144, width=288, seed=seed)
    items = [roads[index] for index in range(len(roads))]
    table = [[frame for frame, _ in items[row * columns : (row + 1) * columns]] for row in range(rows)]
    table.append([overlay(*item) for item in items[:columns]])
    sheet = grid(table)
    return np.concatenate([sheet, legend(sheet.shape[1])])


def overlay(frame: Bytes, label: Bytes) -> Bytes:
    """Frame under the half-transparent colours of its label; void is black."""
    colours = np.zeros((VOID + 1, 3), dtype=np.uint8)
    colours[: len(PALETTE)] = PALETTE
    mixed: Bytes = cv2.addWeighted(frame, 0.35, colours[label], 0.65, 0)
    return mixed


def grid(table: list[list[Bytes]]) -> Bytes:
    """Join pictures of one size, row by row, with white gaps."""
    padded = [[cv2.copyMakeBorder(cell, 0, _GAP, 0, _GAP, cv2.BORDER_CONSTANT, value=(255,) * 3) for cell in row]
              for row in table]  # fmt: skip
    joined: Bytes = np.concatenate([np.concatenate(row, axis=1) for row in padded])
    return joined


def legend(width: int) -> Bytes:
    """One line of colour patches with the names of the classes."""
    strip: Bytes = np.full((30, width, 3), 255, dtype=np.uint8)
    names = [*CLASSES, "void"]
    for index, (name, colour) in enumerate(zip(names, [*PALETTE, (0, 0, 0)], strict=True)):
        left = index * width // len(names)
        cv2.rectangle(strip, (left + 3, 7), (left + 17, 23), colour, -1)
        cv2.putText(strip, name, (left + 21, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return strip


def save(sheet: Bytes, path: Path) -> None:
    """Write a PNG without the two lowest bits of each channel, which hold little but noise and half of the size."""
    Image.fromarray((sheet & 0xFC) | 0x02).save(path, optimize=True)


if __name__ == "__main__":
    main()
