# SPDX-License-Identifier: Apache-2.0
"""How far the resizer in the graph is from Pillow's and OpenCV's, in grey levels, on one's own frames or drawn scenes."""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from export.data import SyntheticRoads, read_frame
from export.layers.preprocessing import Preprocessing

Resizer = Callable[[NDArray[np.uint8], int, int], NDArray[np.floating]]


def graph(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.floating]:
    """The resizer of training, calibration and runtime."""
    resize = Preprocessing(height, width, mean=(0, 0, 0), std=(1 / 255,) * 3)
    resized: NDArray[np.float32] = resize(torch.from_numpy(frame)[None])[0].permute(1, 2, 0).numpy()
    return resized


def opencv(interpolation: int) -> Resizer:
    """OpenCV's resizer of one kind."""

    def resize(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.floating]:
        return np.asarray(cv2.resize(frame, (width, height), interpolation=interpolation), np.float32)

    return resize


def pillow(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.floating]:
    """Pillow's bilinear resizer, which filters against aliasing."""
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR), np.float32)


RESIZERS: dict[str, Resizer] = {
    "Pillow, BILINEAR": pillow,
    "OpenCV, INTER_LINEAR": opencv(cv2.INTER_LINEAR),
    "OpenCV, INTER_AREA": opencv(cv2.INTER_AREA),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", nargs="*", type=Path, help="images (default: eight drawn scenes of 720x960)")
    parser.add_argument("--input-size", type=int, nargs=2, default=(256, 512), metavar=("H", "W"))
    options = parser.parse_args()
    scenes = SyntheticRoads(8, 720, 960, seed=0)
    frames = [np.array(read_frame(path)) for path in options.frames] or [scenes[i][0] for i in range(8)]
    (height, width), (rows, columns) = frames[0].shape[:2], options.input_size
    print(f"{len(frames)} frames of {width}x{height} to {columns}x{rows}")
    print("| against | mean | 99th percentile | largest |\n|---|---|---|---|")
    for name, resizer in RESIZERS.items():
        difference = np.concatenate(
            [np.abs(resizer(f, *options.input_size) - graph(f, *options.input_size)).ravel() for f in frames]
        )
        print(f"| {name} | {difference.mean():.2f} | {np.quantile(difference, 0.99):.1f} | {difference.max():.1f} |")


if __name__ == "__main__":
    main()
