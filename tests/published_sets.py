# SPDX-License-Identifier: Apache-2.0
"""Small trees in the folder and file names of published data sets: noise for frames, labels of every number they may hold."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

RUGD_COLOURMAP = """\
0 void 0 0 0
1 dirt 108 64 20
2 sand 255 229 204
3 grass 0 102 0
4 tree 0 255 0
5 pole 0 153 153
6 water 0 128 255
7 sky 0 0 255
8 vehicle 255 255 0
9 container/generic-object 255 0 127
10 asphalt 64 64 64
11 gravel 255 128 0
12 building 255 0 0
13 mulch 153 76 0
14 rock-bed 102 102 0
15 log 102 0 0
16 bicycle 0 255 128
17 person 204 153 255
18 fence 102 0 204
19 bush 255 153 204
20 sign 0 102 102
21 rock 153 204 255
22 bridge 102 255 255
23 concrete 101 101 11
24 picnic-table 114 85 47
"""
"""Text of RUGD's own file of this name."""


class Tree:
    """Writes frames and labels below a root.

    Args:
        root: of the tree.
        size: rows and columns of every frame.
        seed: of the noise.
    """

    def __init__(self, root: Path, size: tuple[int, int] = (12, 16), seed: int = 0) -> None:
        self.root, self.size = root, size
        self._random = np.random.default_rng(seed)

    def frame(self, path: str) -> None:
        self._save(path, self._random.integers(0, 256, (*self.size, 3), np.uint8))

    def label(self, path: str, numbers: Sequence[int]) -> np.ndarray:
        """A label of the numbers in turn."""
        label = np.resize(np.array(numbers, np.uint8), self.size)
        self._save(path, label)
        return label

    def colours(self, path: str, colours: Sequence[tuple[int, ...]]) -> np.ndarray:
        """A label of the colours in turn."""
        label = np.resize(np.array(colours, np.uint8), (*self.size, 3))
        self._save(path, label)
        return label

    def _save(self, path: str, pixels: np.ndarray) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)


def write_cityscapes_tree(tree: Tree) -> None:
    for split, cities in (("train", ("aachen", "ulm")), ("val", ("frankfurt", "lindau")), ("test", ("bonn",))):
        for city in cities:
            for number in range(2):
                name = f"{split}/{city}/{city}_{number:06d}_000019"
                tree.frame(f"leftImg8bit/{name}_leftImg8bit.png")
                tree.label(f"gtFine/{name}_gtFine_labelIds.png", range(34))
                tree.label(f"gtFine/{name}_gtFine_instanceIds.png", range(34))


def write_bdd100k(tree: Tree) -> None:
    names = ("0004a4c0-d4dff0ad", "00a7ef03-00000000", "00a7ef03-6257be58")
    for split in ("train", "val", "test"):
        for name in names:
            tree.frame(f"images/10k/{split}/{name}.jpg")
            tree.frame(f"images/100k/{split}/{name}.jpg")
            if split != "test":
                tree.label(f"labels/sem_seg/masks/{split}/{name}.png", [*range(19), 255])
                tree.frame(f"labels/sem_seg/colormaps/{split}/{name}.png")


def write_idd(tree: Tree) -> None:
    for split, drives in (("train", (0, 1)), ("val", (119, 120)), ("test", (7,))):
        for drive in drives:
            for number, suffix in ((24541, "png"), (900, "jpg")):
                name = f"{split}/{drive}/{number:06d}"
                tree.frame(f"leftImg8bit/{name}_leftImg8bit.{suffix}")
                if split != "test":
                    tree.label(f"gtFine/{name}_gtFine_labellevel3Ids.png", [*range(26), 255])
                    tree.label(f"gtFine/{name}_gtFine_instancelevel3Ids.png", [0])


def write_idd_lite(tree: Tree) -> None:
    for split, drives in (("train", (0, 1)), ("val", (119, 132)), ("test", (7,))):
        for drive in drives:
            for frame in ("024541", "frame0029"):
                name = f"{split}/{drive}/{frame}"
                tree.frame(f"leftImg8bit/{name}_image.jpg")
                if split != "test":
                    tree.label(f"gtFine/{name}_label.png", [*range(7), 255])
                    tree.label(f"gtFine/{name}_inst_label.png", [*range(7), 255])


def write_camvid(tree: Tree) -> None:
    for split, drives in (
        ("train", ("0006R0", "0016E5")),
        ("val", ("0016E5", "0006R0")),
        ("test", ("0001TP", "Seq05VD")),
    ):
        for drive in drives:
            tree.frame(f"{split}/{drive}_f00930.png")
            tree.label(f"{split}annot/{drive}_f00930.png", range(12))


def write_woodscape_tree(tree: Tree) -> None:
    for number, camera in enumerate(("FV", "MVL", "MVR", "RV", "FV")):
        tree.frame(f"rgb_images/{number:05d}_{camera}.png")
        tree.label(f"semantic_annotations/gtLabels/{number:05d}_{camera}.png", range(10))
        tree.frame(f"semantic_annotations/rgbLabels/{number:05d}_{camera}.png")


def write_acdc(tree: Tree) -> None:
    for condition, drive in (("fog", "GOPR0475"), ("night", "GOPR0351"), ("rain", "GP010400"), ("snow", "GOPR0122")):
        for split in ("train", "val", "test"):
            for number in (41, 260):
                name = f"{drive}/{drive}_frame_{number:06d}"
                tree.frame(f"rgb_anon/{condition}/{split}/{name}_rgb_anon.png")
                tree.frame(f"rgb_anon/{condition}/{split}_ref/{name}_rgb_ref_anon.png")
                if split != "test":
                    tree.label(f"gt/{condition}/{split}/{name}_gt_labelTrainIds.png", [*range(19), 255])
                    tree.label(f"gt/{condition}/{split}/{name}_gt_labelIds.png", range(34))
                    tree.label(f"gt/{condition}/{split}/{name}_gt_invIds.png", [0, 255])


def write_muad(tree: Tree) -> None:
    for split in ("train", "val"):
        for number in (3506, 1108):
            tree.frame(f"{split}/leftImg8bit/{number:06d}_leftImg8bit.png")
            tree.label(f"{split}/leftLabel/{number:06d}_leftLabel.png", range(160))


def write_road_anomaly(tree: Tree) -> None:
    for number in range(2):
        tree.frame(f"images/validation{number:04d}.jpg")
        tree.label(f"labels_masks/validation{number:04d}_labels_semantic.png", [0, 1, 255])
        tree.frame(f"labels_masks/validation{number:04d}_labels_semantic_color.png")
    tree.frame("images/airplane0000.jpg")


def write_road_obstacle(tree: Tree) -> None:
    for number in (1, 2, 10):
        tree.frame(f"images/validation_{number}.webp")
        tree.label(f"labels_masks/validation_{number}_labels_semantic.png", [0, 1, 255])
        tree.frame(f"labels_masks/validation_{number}_labels_semantic_color.png")
    tree.frame("images/curvy-street_axe_1.webp")


def write_lost_and_found(tree: Tree) -> None:
    for split, street in (("train", "01_Hanns_Klemm_Str_45"), ("test", "04_Maurener_Weg_8"), ("test", "02_Lau_1")):
        for number in (80, 140):
            name = f"{split}/{street}/{street}_000000_{number:06d}"
            tree.frame(f"leftImg8bit/{name}_leftImg8bit.png")
            tree.label(f"gtCoarse/{name}_gtCoarse_labelIds.png", range(44))
            tree.label(f"gtCoarse/{name}_gtCoarse_labelTrainIds.png", [0, 1, 2, 255])


def write_fishyscapes(tree: Tree) -> None:
    write_lost_and_found(tree)
    for number, name in enumerate(("01_Hanns_Klemm_Str_45_000000_000140", "04_Maurener_Weg_8_000000_000080")):
        tree.label(f"fishyscapes_lostandfound/{number:04d}_{name}_labels.png", [0, 1, 255])


def write_rugd(tree: Tree) -> None:
    colours = [tuple(map(int, line.split()[-3:])) for line in RUGD_COLOURMAP.splitlines()]
    for drive in ("creek", "park-2", "park-8", "trail", "trail-5"):
        for number in (1, 6):
            tree.frame(f"RUGD_frames-with-annotations/{drive}/{drive}_{number:05d}.png")
            tree.colours(f"RUGD_annotations/{drive}/{drive}_{number:05d}.png", colours)
    (tree.root / "RUGD_annotations" / "RUGD_annotation-colormap.txt").write_text(RUGD_COLOURMAP)


WRITERS: dict[str, Callable[[Tree], None]] = {
    "cityscapes": write_cityscapes_tree,
    "bdd100k": write_bdd100k,
    "idd": write_idd,
    "idd_lite": write_idd_lite,
    "camvid": write_camvid,
    "woodscape": write_woodscape_tree,
    "acdc": write_acdc,
    "muad": write_muad,
    "road_anomaly": write_road_anomaly,
    "road_obstacle": write_road_obstacle,
    "lost_and_found": write_lost_and_found,
    "fishyscapes": write_fishyscapes,
    "rugd": write_rugd,
}
"""Writes a small tree of each data set."""
