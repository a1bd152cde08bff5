# SPDX-License-Identifier: Apache-2.0
"""Numbers and colours of labels, against tables that are written out here as the data sets publish them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.datasets import LAYOUTS, VOID, LabelEncoding
from export.errors import UsageError
from tests.published_sets import RUGD_COLOURMAP

CITYSCAPES = """\
7 road, 8 sidewalk, 11 building, 12 wall, 13 fence, 17 pole, 19 traffic light, 20 traffic sign, 21 vegetation, 22 terrain,
23 sky, 24 person, 25 rider, 26 car, 27 truck, 28 bus, 31 train, 32 motorcycle, 33 bicycle"""
IDD = """\
road 0, parking 1, drivable fallback 1, sidewalk 2, rail track 3, non-drivable fallback 3, person 4, animal 4, rider 5,
motorcycle 6, bicycle 7, autorickshaw 8, car 9, truck 10, bus 11, curb 13, wall 14, fence 15, guard rail 16, billboard 17,
traffic sign 18, traffic light 19, pole 20, building 22, bridge 23, tunnel 23, vegetation 24, sky 25,
fallback background 25"""
MUAD_FINE_TO_TRAIN = """\
  0   6 255   0  12   6 255 255 255 255   8  17   2 255 255 255 255 255  13 255
255 255 255   4  20  18   9 255 255 255 255 255   0   0 255 255   5 255   0 255
255 255   0 255 255  15 255 255   2  14   0   5 255   3 255 255 255  13   1 255
255 255  12 255   2 255   4 255 255  18  11 255 255 255 255 255 255 255   1 255
255   7 255 255 255   1 255   0  16   2 255 255 255 255 255 255 255   0 255 255
255  14 255 255 255 255 255 255 255   0 255 255 255 255   6 255 255   0 255 255
255 255 255 255 255 255 255 255 255 255 255 255   0 255  11   6   0   5 255   9
255 255 255   0 255 255 255 255  10  20 255   4 255   5 255  19  19  19  19  19"""
"""Train id of each fine id; 19 and 20 are animals, stalls and litter, which the 19 classes do not have."""


def mapped(encoding: LabelEncoding, path: Path, pixels: np.ndarray) -> np.ndarray:
    Image.fromarray(pixels).save(path)
    return encoding.read(path)


def every_number(encoding: LabelEncoding, path: Path) -> Mapping[int, int]:
    """The class of each number that a file may hold, as it is read from one."""
    numbers = np.array([sorted(encoding.ids)], np.uint8)
    return dict(zip(numbers[0].tolist(), mapped(encoding, path, numbers)[0].tolist(), strict=True))


def test_cityscapes_ids_become_its_train_ids(tmp_path: Path) -> None:
    layout = LAYOUTS["cityscapes"]
    pairs = [entry.strip().split(" ", 1) for entry in CITYSCAPES.replace("\n", " ").split(",")]
    names = {int(number): name for number, name in pairs}
    read = every_number(layout.encoding, tmp_path / "x.png")
    assert sorted(read) == list(range(34))
    assert {number: layout.classes[train] for number, train in read.items() if train != VOID} == names


@pytest.mark.parametrize("name", ["bdd100k", "acdc"])
def test_files_of_train_ids_are_read_as_they_are(name: str, tmp_path: Path) -> None:
    read = every_number(LAYOUTS[name].encoding, tmp_path / "x.png")
    assert read == {number: number for number in (*range(19), 255)}
    assert LAYOUTS[name].classes == LAYOUTS["cityscapes"].classes


def test_idd_level_3_has_the_names_of_its_labels(tmp_path: Path) -> None:
    layout = LAYOUTS["idd"]
    for entry in IDD.replace("\n", " ").split(","):
        name, _, number = entry.strip().rpartition(" ")
        assert name.removeprefix("drivable ") in layout.classes[int(number)], entry
    assert every_number(layout.encoding, tmp_path / "x.png") == {number: number for number in (*range(26), 255)}


def test_muad_ids_become_the_train_ids_that_its_authors_give(tmp_path: Path) -> None:
    expected = [int(word) if int(word) < 19 else VOID for word in MUAD_FINE_TO_TRAIN.split()]
    assert len(expected) == 160
    assert list(every_number(LAYOUTS["muad"].encoding, tmp_path / "x.png").values()) == expected


@pytest.mark.parametrize("seed", range(3))
def test_muad_labels_of_both_kinds_are_told_apart_and_a_mixture_is_refused(seed: int, tmp_path: Path) -> None:
    """Scenes of some classes each, as fine ids and as the train ids that MUAD's authors give to these."""
    layout, rng = LAYOUTS["muad"], np.random.default_rng(seed)
    train_of = np.array([int(word) for word in MUAD_FINE_TO_TRAIN.split()], np.uint8)
    scenes = [rng.choice(160, 30)[rng.integers(0, 30, (12, 16))].astype(np.uint8) for _ in range(3)]
    paths: dict[str, list[Path]] = {"fine": [], "train": []}
    for number, fine in enumerate(scenes):
        for kind, label in (("fine", fine), ("train", train_of[fine])):
            paths[kind].append(tmp_path / f"{kind}{number}.png")
            Image.fromarray(label).save(paths[kind][-1])
    for kind, labels in paths.items():
        encoding = layout.encoding_of(labels)
        for fine, path in zip(scenes, labels, strict=True):
            expected = np.where(train_of[fine] < 19, train_of[fine], VOID)
            np.testing.assert_array_equal(encoding.read(path), expected, kind)
    low = tmp_path / "low.png"
    Image.fromarray(rng.integers(0, 21, (4, 4), np.uint8)).save(low)
    Image.fromarray(np.array([[3, 30], [30, 200]], np.uint8)).save(tmp_path / "neither.png")
    of_fine, of_train = layout.encoding_of(paths["fine"]), layout.encoding_of([low])
    for encoding, path, words in (
        (of_fine, low, r"of which some are above 20 in .*low\.png, got .*, which may be train ids: pass label files"),
        (of_fine, paths["train"][0], r"from 0 to 159 in .*train0\.png, got 255"),
        (of_train, paths["fine"][0], r"from 0 to 20, 255 in .*fine0\.png, got "),
    ):
        with pytest.raises(UsageError, match=f"expected ids {words}"):
            encoding.read(path)
    for kind, labels in paths.items():
        encoding = layout.encoding_of([low, *labels])
        assert encoding is layout.encoding_of(labels), (
            f"the kind of {kind} ids is not told by a file that may be of both"
        )
    neither = (
        r"ids from 0 to 159 \(got 200\) or from 0 to 20, 255 \(got 30, 200\) in .*neither\.png: pass the data set's own"
    )
    for labels in ([tmp_path / "neither.png"], [low, tmp_path / "neither.png", *paths["fine"]]):
        with pytest.raises(UsageError, match=f"expected {neither}"):
            layout.encoding_of(labels)


def test_lost_and_found_counts_every_obstacle_as_unknown_and_the_free_road_as_known(tmp_path: Path) -> None:
    read = every_number(LAYOUTS["lost_and_found"].encoding, tmp_path / "x.png")
    assert read == {number: 255 if number == 0 else int(number >= 2) for number in range(44)}


@pytest.mark.parametrize("seed", range(3))
def test_rugd_colours_become_the_classes_of_its_own_table(seed: int, tmp_path: Path) -> None:
    layout = LAYOUTS["rugd"]
    rows = [line.split() for line in RUGD_COLOURMAP.splitlines()]
    colours = np.array([row[-3:] for row in rows]).astype(np.uint8)
    numbers = np.random.default_rng(seed).integers(0, len(rows), (9, 13))
    read = mapped(layout.encoding, tmp_path / "x.png", colours[numbers])
    np.testing.assert_array_equal(read, np.where(numbers == 0, 255, numbers - 1))
    names = [row[1].partition("/")[0].replace("-", " ") for row in rows[1:]]
    assert list(layout.classes) == names


def test_colour_of_no_class_is_refused_with_the_colour(tmp_path: Path) -> None:
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[2, 3] = (108, 64, 21)
    with pytest.raises(UsageError, match=r"expected the 25 colours .*x\.png, got \(108, 64, 21\): pass its own"):
        mapped(LAYOUTS["rugd"].encoding, tmp_path / "x.png", pixels)


def test_number_of_no_class_is_refused_with_the_number(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"expected ids from 0 to 18, 255 in .*x\.png, got 19, 33: pass the data set's"
    ):
        mapped(LAYOUTS["acdc"].encoding, tmp_path / "x.png", np.array([[0, 19, 33, 255]], np.uint8))


def test_label_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no image")
    for name in ("rugd", "acdc"):
        with pytest.raises(UsageError, match=r"could not read .*x\.png"):
            LAYOUTS[name].encoding.read(tmp_path / "x.png")


def test_every_class_of_a_data_set_has_a_number_in_its_label_files() -> None:
    for layout in LAYOUTS.values():
        assert set(layout.encoding.ids.values()) - {VOID} == set(range(len(layout.classes))), layout.name
