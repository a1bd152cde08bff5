# SPDX-License-Identifier: Apache-2.0
"""The demo's picture: its colours for every reader, a border for each abnormal tile, and a missed object called so."""

import dataclasses
import itertools
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime import Assessment, State, UnknownObject
from lsood_runtime.offline import MapPictures, TileEdges
from tests.examples.loading import load_example

HEIGHT, WIDTH = 192, 384
PLACED = (178, 121, 222, 165)
LIMIT = 6.0
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""What is left of linear RGB to readers without one kind of cone: Machado, Oliveira and Fernandes (2009), severity 1."""


@pytest.fixture(scope="module")
def picture() -> Any:
    module = load_example("demo_picture")
    yield module
    for name in ("demo_picture", "demo_answers"):
        sys.modules.pop(name, None)


def lab(rgb: tuple[int, int, int], vision: str) -> NDArray[np.float64]:
    """CIELAB of an sRGB colour under D65, as readers of a colour vision see it."""
    share = np.array(rgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISIONS[vision]) @ linear, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = np.array(to_xyz) @ seen / [0.95047, 1, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISIONS)
def test_classes_of_the_demo_are_told_apart_by_readers_of_every_colour_vision(picture: Any, vision: str) -> None:
    colours = [lab(colour, vision) for colour in picture.CLASS_COLOURS]
    assert len(colours) == len(picture.CLASSES)
    assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(colours, 2)) > 20


def unknown(x: float, y: float, width: float, height: float) -> UnknownObject:
    return UnknownObject(x, y, width, height, 0.01, 9.0, None, None, "centre")


def verdict(**changes: Any) -> Assessment:
    told = Assessment(
        1.0, 0.2, False, 2.0, np.zeros((48, 96), np.uint8), State.OK, "", "cpu", 1.0, 0,
        quality_measure="miou", expected_quality=0.7, quality_low=0.5, quality_high=0.8,
        cause="none", cause_probability=0.9, severity=0.0,
        tiles=np.zeros((4, 8), bool), tile_values=np.zeros((4, 8)),
        anomaly_map=np.zeros((24, 48), np.float32), object_count=0, object_words="none",
    )  # fmt: skip
    return dataclasses.replace(told, **changes)


def scene(picture: Any, placed: tuple[int, int, int, int] | None = None, **changes: Any) -> Any:
    frame = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    return picture.Scene("objects", "boulder", frame, 0.6, placed, verdict(**changes))


def maps() -> MapPictures:
    return MapPictures(TileEdges(np.linspace(0, HEIGHT, 25), np.linspace(0, WIDTH, 49), HEIGHT, WIDTH), LIMIT)


boxes = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 12)] * 2)


@given(placed=boxes, found=st.lists(boxes, max_size=3))
def test_object_is_missed_where_no_unknown_one_shares_a_pixel_with_it(
    picture: Any, placed: tuple[int, int, int, int], found: list[tuple[int, int, int, int]]
) -> None:
    def pixels(box: tuple[int, int, int, int]) -> set[tuple[int, int]]:
        x, y, width, height = box
        return set(itertools.product(range(x, x + width), range(y, y + height)))

    x, y, width, height = placed
    objects = tuple(unknown(*box) for box in found)
    made = scene(picture, (x, y, x + width, y + height), objects=objects, object_count=len(objects))
    assert made.is_missed == (not any(pixels(placed) & pixels(box) for box in found))
    assert not scene(picture, None, objects=objects).is_missed


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_each_abnormal_tile_has_a_border_of_its_own_and_no_other_is_touched(picture: Any, share: float) -> None:
    tiles = np.random.default_rng(3).random((4, 8)) < share
    plain, marked = (np.asarray(picture._marks(scene(picture, tiles=mask), maps())) for mask in (tiles & False, tiles))
    changed = (plain != marked).any(axis=-1).reshape(4, 34, 8, 34).transpose(0, 2, 1, 3)
    assert np.array_equal(changed.any(axis=(2, 3)), tiles)
    edges = np.zeros((34, 34), bool)
    edges[[0, 1, -2, -1]] = edges[:, [0, 1, -2, -1]] = True
    assert not changed[:, :, edges].any(), "borders of neighbours are apart"


def test_words_of_a_missed_object_say_so_and_of_one_that_is_found_too(picture: Any) -> None:
    words = sys.modules["demo_answers"].object_words
    assert words(verdict(), "boulder", None) == "unknown: none"
    assert words(verdict(), "boulder", False) == "unknown: none; boulder: MISSED"
    assert words(verdict(object_count=2), "crates", True) == "unknown: 2; crates: found"
    assert words(verdict(object_count=None), "crates", False) == "unknown: not known; crates: MISSED"


def test_sheet_has_a_row_for_each_scene_and_nothing_is_cut_off_at_its_right(picture: Any) -> None:
    longest: dict[str, Any] = {
        "score": -88.88,
        "state": State.OUT_OF_DISTRIBUTION,
        "cause": "windscreen_water",
        "severity": 4.8,
        "tile_words": "most of the lower right quarter (28 of 32 tiles)",
        "object_count": 88,
    }
    nothing: dict[str, Any] = {
        "score": np.inf,
        "p_value": np.nan,
        "expected_quality": np.nan,
        "cause_probability": np.nan,
    }
    scenes = [
        scene(picture),
        scene(picture, PLACED, **longest),
        scene(picture, PLACED, objects=(unknown(170, 120, 60, 50),), object_count=1),
        scene(picture, **nothing, state=State.INVALID, cause="unknown", object_count=None),
    ]
    two, four = (picture.draw_scenes(scenes[:count], maps()) for count in (2, 4))
    assert four.height - two.height == 2 * picture._ROW
    assert (np.asarray(four.convert("RGB"))[:, -8:] == 255).all()
    found, missed = (np.asarray(picture._marks(each, maps())) for each in (scenes[2], scenes[1]))
    assert (found == (0, 229, 255)).all(axis=-1).any()
    assert not (missed == (0, 229, 255)).all(axis=-1).any()
    alarm = tuple(bytes.fromhex(picture.ALARM[1:]))
    assert (missed == alarm).all(axis=-1).any()
    assert not (found == alarm).all(axis=-1).any()
