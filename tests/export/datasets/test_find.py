# SPDX-License-Identifier: Apache-2.0
"""Published folder layouts: which frames, labels, parts and drives are found in small trees of them."""

from pathlib import Path

import pytest

from export.datasets import LAYOUTS, find_frames, layout_named
from export.errors import UsageError
from tests.published_sets import WRITERS, Tree

FOUND = {
    "cityscapes": {
        "train": (4, {"aachen", "ulm"}, {""}),
        "val": (4, {"frankfurt", "lindau"}, {""}),
        "test": (2, {"bonn"}, {""}),
    },
    "bdd100k": dict.fromkeys(("train", "val", "test"), (3, {"0004a4c0", "00a7ef03"}, {""})),
    "idd": {"train": (4, {"0", "1"}, {""}), "val": (4, {"119", "120"}, {""}), "test": (2, {"7"}, {""})},
    "idd_lite": {"train": (4, {"0", "1"}, {""}), "val": (4, {"119", "132"}, {""}), "test": (2, {"7"}, {""})},
    "camvid": {
        "train": (2, {"0006R0", "0016E5"}, {""}),
        "val": (2, {"0016E5", "0006R0"}, {""}),
        "test": (2, {"0001TP", "Seq05VD"}, {""}),
    },
    "woodscape": {"all": (5, {"woodscape"}, {"FV", "MVL", "MVR", "RV"})},
    "acdc": dict.fromkeys(
        ("train", "val", "test", "train_ref", "val_ref", "test_ref"),
        (8, {"GOPR0475", "GOPR0351", "GP010400", "GOPR0122"}, {"fog", "night", "rain", "snow"}),
    ),
    "muad": dict.fromkeys(("train", "val"), (2, {"muad"}, {""})),
    "road_anomaly": {"val": (2, {"road_anomaly"}, {""})},
    "road_obstacle": {"val": (3, {"road_obstacle"}, {""})},
    "lost_and_found": {
        "train": (2, {"01_Hanns_Klemm_Str_45"}, {""}),
        "test": (4, {"04_Maurener_Weg_8", "02_Lau_1"}, {""}),
    },
    "fishyscapes": {"val": (2, {"01_Hanns_Klemm_Str_45", "04_Maurener_Weg_8"}, {""})},
    "rugd": {
        "train": (4, {"park-2", "trail"}, {""}),
        "val": (4, {"park-8", "trail-5"}, {""}),
        "test": (2, {"creek"}, {""}),
    },
}
"""Number of frames, drives and parts of each split of the small trees."""
UNLABELLED = {
    *((name, "test") for name in ("cityscapes", "bdd100k", "idd", "idd_lite", "acdc")),
    *(("acdc", f"{split}_ref") for split in ("train", "val", "test")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_small_tree_of_a_data_set_has_its_frames_labels_parts_and_drives(name: str, tmp_path: Path) -> None:
    WRITERS[name](Tree(tmp_path))
    assert set(LAYOUTS) == set(WRITERS) == set(FOUND)
    assert set(LAYOUTS[name].splits) == set(FOUND[name])
    for split, (count, drives, parts) in FOUND[name].items():
        found = find_frames(LAYOUTS[name], tmp_path, split)
        assert len(found) == len({frame.path for frame in found}) == count, split
        assert ({frame.drive for frame in found}, {frame.part for frame in found}) == (drives, parts), split
        for frame in found:
            assert frame.path.is_file()
            assert (frame.label is None) == ((name, split) in UNLABELLED)
            if frame.label is not None:
                assert frame.label.is_file()
                assert name_of(frame.label) == name_of(frame.path)


def name_of(path: Path) -> str:
    """What frame and label have in common, by hand: the stem without the endings that data sets add."""
    stem = path.stem.removesuffix("_gt_labelTrainIds").removesuffix("_rgb_anon").removesuffix("_labels_semantic")
    for ending in ("_leftImg8bit", "_leftLabel", "_gtFine_labelIds", "_gtFine_labellevel3Ids", "_gtCoarse_labelIds"):
        stem = stem.removesuffix(ending)
    for ending in ("_image", "_label", "_labels"):
        stem = stem.removesuffix(ending)
    return stem[5:] if path.parent.name == "fishyscapes_lostandfound" else stem


def test_usual_split_is_found_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    WRITERS["road_obstacle"](Tree(tmp_path))
    found = find_frames(LAYOUTS["road_obstacle"], tmp_path)
    assert [frame.path.stem for frame in found] == ["validation_1", "validation_2", "validation_10"]


def test_parts_of_a_data_set_can_be_chosen(tmp_path: Path) -> None:
    WRITERS["acdc"](Tree(tmp_path))
    found = find_frames(LAYOUTS["acdc"], tmp_path, "val", ("snow", "fog"))
    assert [frame.part for frame in found] == ["fog", "fog", "snow", "snow"]


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    WRITERS["bdd100k"](tree)
    (tmp_path / "images/10k/val/._0004a4c0-d4dff0ad.jpg").write_text("of another system")
    assert len(find_frames(LAYOUTS["bdd100k"], tmp_path, "val")) == 3


def refused(name: str, root: Path, split: str | None = None, parts: tuple[str, ...] = ()) -> str:
    with pytest.raises(UsageError) as error:
        find_frames(layout_named(name), root, split, parts)
    return str(error.value)


def test_root_without_the_folders_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    assert refused("acdc", tmp_path / "none").startswith("expected a folder that holds ACDC")
    assert "rgb_anon is missing; found nothing:" in refused("acdc", tmp_path)
    for number in range(10):
        (tmp_path / f"{number}").mkdir()
    assert refused("acdc", tmp_path) == (
        f"expected the folders rgb_anon and gt of {LAYOUTS['acdc'].title} in {tmp_path}, rgb_anon is missing; found 0, 1, 2, "
        "3, 4, 5, 6, 7, 2 more: pass the folder that its archives were unpacked in"
    )


@pytest.mark.parametrize("name", WRITERS)
def test_folder_above_the_right_one_is_refused(name: str, tmp_path: Path) -> None:
    WRITERS[name](Tree(tmp_path / "unpacked"))
    assert "is missing; found unpacked: pass the folder" in refused(name, tmp_path)


def test_name_split_and_part_that_do_not_exist_are_refused_with_those_that_do(tmp_path: Path) -> None:
    WRITERS["acdc"](Tree(tmp_path))
    assert refused("kitti", tmp_path).startswith("expected a data set among cityscapes, bdd100k, idd,")
    assert "from train, val, test, train_ref, val_ref, test_ref, got 'fog'" in refused("acdc", tmp_path, "fog")
    assert "fog, night, rain, snow; got mist" in refused("acdc", tmp_path, "val", ("fog", "mist"))
    WRITERS["muad"](Tree(tmp_path))
    assert "none: it has no parts; got fog" in refused("muad", tmp_path, "val", ("fog",))


@pytest.mark.parametrize("name", WRITERS)
def test_frame_without_its_label_and_label_without_its_frame_are_refused(name: str, tmp_path: Path) -> None:
    layout, tree = LAYOUTS[name], Tree(tmp_path)
    WRITERS[name](tree)
    frame = find_frames(layout, tmp_path)[0]
    assert frame.label is not None
    label = frame.label.rename(tmp_path / "kept")
    if name == "fishyscapes":  # its masks choose among the frames of Lost and Found
        assert len(find_frames(layout, tmp_path)) == 1
    else:
        assert f"have none, first {frame.path}: add what is missing" in refused(name, tmp_path)
    label.rename(frame.label)
    frame.path.unlink()
    assert f"have none, first {frame.label}: add what is missing" in refused(name, tmp_path)


def test_folder_without_a_frame_is_refused(tmp_path: Path) -> None:
    for folder in ("images/10k/val", "labels/sem_seg/masks/val"):
        (tmp_path / folder).mkdir(parents=True)
    assert "expected frames images/10k/val/*-*.jpg of BDD100K" in refused("bdd100k", tmp_path)


def test_two_files_of_one_frame_are_refused(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    WRITERS["idd"](tree)
    tree.frame("leftImg8bit/val/119/024541_leftImg8bit.jpg")
    assert "expected one file for each name in IDD" in refused("idd", tmp_path)


def test_image_among_the_frames_with_another_name_is_refused_and_not_left_out(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    WRITERS["idd_lite"](tree)
    tree.frame("leftImg8bit/val/119/024541_left_image.jpg")
    assert "expected frames named as leftImg8bit/val/{drive}/{word}_image.jpg, got " in refused("idd_lite", tmp_path)
