# SPDX-License-Identifier: Apache-2.0
"""Small trees in the folder and file names of Cityscapes and WoodScape: rendered streets, labels in the sets' ids."""

from pathlib import Path

import numpy as np
from PIL import Image

from export.data.synthetic import CLASSES, SyntheticRoads

MINIATURE_SIZE = (48, 96)
"""Rows and columns of every frame."""

_CITYSCAPES_IDS = {
    "sky": 23,
    "building": 11,
    "tree": 21,
    "road": 7,
    "lane mark": 7,
    "pavement": 8,
    "car": 26,
    "person": 24,
}
_WOODSCAPE_IDS = {"road": 1, "lane mark": 2, "pavement": 3, "car": 6, "person": 4}


def write_cityscapes(root: Path, frames: int = 12, splits: tuple[str, ...] = ("train", "val", "test")) -> Path:
    """``leftImg8bit`` and ``gtFine`` with ``frames`` frames a split, in two cities; row 0 of a label holds all 34 ids."""
    for number, split in enumerate(splits):
        scenes = SyntheticRoads(frames, *MINIATURE_SIZE, seed=10 + number)
        for i in range(frames):
            frame, scene = scenes[i]
            city = ("aachen", "ulm")[i % 2]
            name = f"{city}_{i:06d}_000019"
            label = _ids(scene, _CITYSCAPES_IDS, void=4, count=34)
            write_image(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", frame)
            labels = root / "gtFine" / split / city
            write_image(labels / f"{name}_gtFine_labelIds.png", label)
            write_image(labels / f"{name}_gtFine_color.png", frame)  # as in the archive; nothing reads it
    return root


def write_woodscape(root: Path, frames: int = 20) -> Path:
    """``rgb_images`` and ``semantic_annotations`` of four cameras; row 0 of a label holds all 10 ids."""
    scenes = SyntheticRoads(frames, *MINIATURE_SIZE, seed=20)
    for i in range(frames):
        frame, scene = scenes[i]
        name = f"{i:05d}_{('FV', 'MVL', 'MVR', 'RV')[i % 4]}.png"
        write_image(root / "rgb_images" / name, frame)
        write_image(root / "semantic_annotations" / "gtLabels" / name, _ids(scene, _WOODSCAPE_IDS, void=0, count=10))
        write_image(root / "semantic_annotations" / "rgbLabels" / name, frame)
    return root


def write_soiling(root: Path, frames: int = 12) -> Path:
    """``train`` and ``test`` with ``rgbImages`` and ``gtLabels``; labels are quarters of the four ids."""
    quarters = np.repeat(np.arange(4, dtype=np.uint8), MINIATURE_SIZE[1] // 4)
    label = np.broadcast_to(quarters, MINIATURE_SIZE).copy()
    for number, part in enumerate(("train", "test")):
        scenes = SyntheticRoads(frames, *MINIATURE_SIZE, seed=30 + number)
        for i in range(frames):
            name = f"{i:04d}_{('FV', 'MVL', 'MVR', 'RV')[i % 4]}.png"
            write_image(root / part / "rgbImages" / name, scenes[i][0])
            write_image(root / part / "gtLabels" / name, label)
    return root


def write_image(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def _ids(scene: np.ndarray, ids: dict[str, int], void: int, count: int) -> np.ndarray:
    table = np.full(256, void, np.uint8)
    table[[CLASSES.index(name) for name in ids]] = list(ids.values())
    label: np.ndarray = table[scene]
    label[0, :count] = np.arange(count)
    return label
