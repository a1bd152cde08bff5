# SPDX-License-Identifier: Apache-2.0
"""Classes of published data sets, and the numbers or colours of their label files."""

from export.datasets.label_encoding import VOID, LabelEncoding

CITYSCAPES_CLASSES = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)
CITYSCAPES_LEARNED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Id of each class in the ``labelIds`` files; the other ids, up to 33, are void."""


def cityscapes_ids(void: int = VOID) -> dict[int, int]:
    """Class of each id in Cityscapes' ``labelIds`` files, with the class of the ids that are not learned."""
    learned = {label_id: train_id for train_id, label_id in enumerate(CITYSCAPES_LEARNED_IDS)}
    return dict.fromkeys(range(34), void) | learned


CITYSCAPES_IDS = LabelEncoding(cityscapes_ids())
CITYSCAPES_TRAIN_IDS = LabelEncoding({train_id: train_id for train_id in range(19)} | {VOID: VOID})
"""Of files that hold Cityscapes' train ids themselves: those of BDD100K and ACDC."""

IDD_CLASSES = (
    "road",
    "parking or drivable fallback",
    "sidewalk",
    "rail track or non-drivable fallback",
    "person or animal",
    "rider",
    "motorcycle",
    "bicycle",
    "autorickshaw",
    "car",
    "truck",
    "bus",
    "other large vehicle",
    "curb",
    "wall",
    "fence",
    "guard rail",
    "billboard",
    "traffic sign",
    "traffic light",
    "pole",
    "other obstacle",
    "building",
    "bridge or tunnel",
    "vegetation",
    "sky or fallback background",
)
IDD_LEVEL3_IDS = LabelEncoding({level3: level3 for level3 in range(26)} | {VOID: VOID})

IDD_LITE_CLASSES = (
    "drivable",
    "non-drivable",
    "living things",
    "vehicles",
    "roadside objects",
    "far objects",
    "sky",
)
IDD_LEVEL1_IDS = LabelEncoding({level1: level1 for level1 in range(7)} | {VOID: VOID})

CAMVID_CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
CAMVID_IDS = LabelEncoding({label_id: label_id for label_id in range(11)} | {11: VOID})

WOODSCAPE_CLASSES = (
    "void",
    "road",
    "lanemarks",
    "curb",
    "person",
    "rider",
    "vehicles",
    "bicycle",
    "motorcycle",
    "traffic_sign",
)
WOODSCAPE_IDS = LabelEncoding({label_id: label_id for label_id in range(10)})
"""Void is class 0 and learned."""

_MUAD_LEARNED_IDS: dict[str, tuple[int, ...]] = {
    "road": (0, 3, 32, 33, 38, 42, 50, 87, 97, 109, 117, 132, 136, 143),
    "sidewalk": (58, 78, 85),
    "building": (12, 48, 64, 89),
    "wall": (53,),
    "fence": (23, 66, 151),
    "pole": (36, 51, 137, 153),
    "traffic light": (1, 5, 114, 135),
    "traffic sign": (81,),
    "vegetation": (10,),
    "terrain": (26, 139),
    "sky": (148,),
    "person": (70, 134),
    "rider": (4, 62),
    "car": (18, 57),
    "truck": (49, 101),
    "bus": (45,),
    "train": (88,),
    "motorcycle": (11,),
    "bicycle": (25, 69),
}
"""Fine ids of each class of Cityscapes in MUAD's ``leftLabel`` files; the other ids, up to 159, are void."""
MUAD_IDS = LabelEncoding(
    dict.fromkeys(range(160), VOID)
    | {label_id: CITYSCAPES_CLASSES.index(name) for name, ids in _MUAD_LEARNED_IDS.items() for label_id in ids},
    some_above=20,
)
MUAD_TRAIN_IDS = LabelEncoding({train_id: train_id for train_id in range(19)} | dict.fromkeys((19, 20, VOID), VOID))
"""Of files that hold train ids, as its own page describes; animals, stalls and litter, 19 and 20, are void."""

_RUGD_COLOURS = {
    "dirt": (108, 64, 20),
    "sand": (255, 229, 204),
    "grass": (0, 102, 0),
    "tree": (0, 255, 0),
    "pole": (0, 153, 153),
    "water": (0, 128, 255),
    "sky": (0, 0, 255),
    "vehicle": (255, 255, 0),
    "container": (255, 0, 127),
    "asphalt": (64, 64, 64),
    "gravel": (255, 128, 0),
    "building": (255, 0, 0),
    "mulch": (153, 76, 0),
    "rock bed": (102, 102, 0),
    "log": (102, 0, 0),
    "bicycle": (0, 255, 128),
    "person": (204, 153, 255),
    "fence": (102, 0, 204),
    "bush": (255, 153, 204),
    "sign": (0, 102, 102),
    "rock": (153, 204, 255),
    "bridge": (102, 255, 255),
    "concrete": (101, 101, 11),
    "picnic table": (114, 85, 47),
}
RUGD_CLASSES = tuple(_RUGD_COLOURS)
RUGD_COLOURS = LabelEncoding(
    {number: number for number in range(len(RUGD_CLASSES))} | {VOID: VOID},
    {(0, 0, 0): VOID} | {colour: number for number, colour in enumerate(_RUGD_COLOURS.values())},
)

UNKNOWN_MASK = LabelEncoding({0: 0, 1: 1, VOID: VOID})
"""Of masks: known, unknown, and what does not count."""
LOST_AND_FOUND_IDS = LabelEncoding({0: VOID, 1: 0} | dict.fromkeys(range(2, 44), 1))
"""Free space is known, each of the 42 kinds of obstacles unknown, all outside the free space void."""
