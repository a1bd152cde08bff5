# SPDX-License-Identifier: Apache-2.0
"""The picture of the highest scores: tiles, their texts and their class maps, by matplotlib's own objects."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from numpy.typing import NDArray

from lsood_runtime import Assessment, State
from lsood_runtime._cli.shorten import shorten
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._media.class_colours import colour_classes
from lsood_runtime._media.source_frame import SourceFrame

TENTH = 10**8


def add(
    thumbnails: Thumbnails,
    image: NDArray[np.uint8],
    *,
    name: str = "drive/a.png",
    camera: str = "front",
    stamp_ns: int = 0,
    score: float = 1.0,
    state: State = State.OK,
    segmentation: NDArray[np.uint8] | NDArray[np.float32] | None = None,
) -> None:
    verdict = Assessment(score, 0.5, False, 2.0, segmentation, state, "", "cpu", 1.0, stamp_ns)
    thumbnails.add(SourceFrame(name, camera, stamp_ns, image), image, verdict)


def tiles(thumbnails: Thumbnails) -> list[Axes]:
    return [axis for axis in thumbnails.figure().axes if axis.images]


def pixels(axis: Axes) -> NDArray[np.uint8]:
    return np.asarray(axis.images[0].get_array())


def grey(value: int = 0, shape: tuple[int, int] = (8, 16)) -> NDArray[np.uint8]:
    return np.full((*shape, 3), value, np.uint8)


@pytest.mark.parametrize("rate", [1, 10, 30])
def test_thumbnails_of_a_folder_of_twelve_are_twelve_at_any_rate(rate: int) -> None:
    thumbnails = Thumbnails(12)
    for i in range(12):
        add(thumbnails, grey(i), name=f"drive/{i}.png", stamp_ns=i * 10**9 // rate, score=float(i))
    assert [int(pixels(axis)[0, 0, 0]) for axis in tiles(thumbnails)] == list(range(11, -1, -1))


def test_thumbnails_of_a_rising_score_show_many_moments() -> None:
    thumbnails = Thumbnails(4)
    for i in range(100):
        add(thumbnails, grey(i), stamp_ns=i * TENTH, score=float(i))
    assert [int(pixels(axis)[0, 0, 0]) for axis in tiles(thumbnails)] == [99, 89, 79, 69]


def test_thumbnail_says_name_camera_time_score_and_state() -> None:
    thumbnails = Thumbnails(2, heading="bundle monitor")
    start = 1_700_000_000 * 10**9
    add(thumbnails, grey(), name="bag#000001", stamp_ns=start, score=0.5)
    add(
        thumbnails, grey(), name="bag#000002", camera="/rear/image", stamp_ns=start + 3_725_250 * 10**6, score=3.25,
        state=State.OUT_OF_DISTRIBUTION,
    )  # fmt: skip
    add(thumbnails, grey(), name="bag#000003", stamp_ns=start, score=0.25)
    add(thumbnails, grey(), name="bag#000004", stamp_ns=start, score=math.inf, state=State.INVALID)
    assert [axis.get_title() for axis in tiles(thumbnails)] == [
        "bag#000002\n/rear/image at 1:02:05.250\nscore 3.25, out of distribution",
        "bag#000001\nfront at 0:00.000\nscore 0.5, ok",
    ]
    title = thumbnails.figure().get_suptitle()
    assert title == "The 2 highest scores of 4 frames; those of a camera are at least 1 s apart\nbundle monitor"


def test_thumbnail_of_a_frame_without_a_score_says_so() -> None:
    thumbnails = Thumbnails(2)
    add(thumbnails, grey(), score=math.inf, state=State.INVALID)
    assert [axis.get_title() for axis in tiles(thumbnails)] == ["a.png\nfront at 0:00.000\nno score, invalid"]


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32))
def test_thumbnail_with_a_class_map_has_it_beside_the_frame(
    height: int, width: int, rows: int, columns: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    classes = rng.integers(0, 30, (rows, columns), dtype=np.uint8)
    logits = rng.permuted(np.eye(30, dtype=np.float32)[classes], axis=2)
    for segmentation, expected in ((classes, classes), (logits.transpose(2, 0, 1), logits.argmax(axis=2))):
        thumbnails = Thumbnails(1)
        add(thumbnails, image, segmentation=segmentation)
        (tile,) = tiles(thumbnails)
        drawn = pixels(tile)
        assert drawn.shape == (height, 2 * width, 3)
        assert np.array_equal(drawn[:, :width], image)
        for y, x in [(0, 0), (height - 1, width - 1), (height // 2, width // 3)]:
            cell = expected[int((y + 0.5) * rows / height), int((x + 0.5) * columns / width)]
            assert np.array_equal(drawn[y, width + x], colour_classes(np.array([[cell]]))[0, 0])
        (legend,) = thumbnails.figure().legends
        centres = [[int((i + 0.5) * n / m) for i in range(m)] for n, m in ((rows, height), (columns, width))]
        shown = sorted(set(expected[np.ix_(*centres)].ravel().tolist()))
        assert [text.get_text() for text in legend.get_texts()] == [f"class {number}" for number in shown]


def test_thumbnail_with_a_crop_has_its_class_map_where_the_network_looked() -> None:
    thumbnails = Thumbnails(1, crop=(2, 4, 4, 8))
    classes = np.arange(8, dtype=np.uint8).reshape(2, 4)
    add(thumbnails, grey(7, (10, 20)), segmentation=classes)
    (tile,) = tiles(thumbnails)
    right = pixels(tile)[:, 20:]
    inside = np.repeat(np.repeat(classes, 2, axis=0), 2, axis=1)
    assert np.array_equal(right[2:6, 4:12], colour_classes(inside))
    outside = np.ones((10, 20), bool)
    outside[2:6, 4:12] = False
    assert (right[outside] == 235).all()
    (legend,) = thumbnails.figure().legends
    assert [text.get_text() for text in legend.get_texts()] == [f"class {number}" for number in range(8)]


def test_thumbnails_of_large_frames_are_kept_small() -> None:
    thumbnails = Thumbnails(1)
    image = np.zeros((1000, 2000, 3), np.uint8)
    image[:, 1000:] = 200
    add(thumbnails, image, segmentation=np.zeros((500, 1000), np.uint8))
    (tile,) = tiles(thumbnails)
    drawn = pixels(tile)
    assert drawn.shape == (220, 880, 3)
    assert (drawn[:, :220] == 0).all()
    assert (drawn[:, 220:440] == 200).all()


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "jpg"])
@pytest.mark.parametrize("name", ["$", "$x_{1$", "a\\b", "^_%", "new\nline", "\udce9", "x" * 300])
def test_thumbnails_of_any_name_are_drawn_literally(tmp_path: Path, name: str, suffix: str) -> None:
    thumbnails = Thumbnails(2, heading=name.encode("utf-8", "replace").decode())
    add(thumbnails, grey(), name=name, camera=name)
    thumbnails.draw(tmp_path / f"picture.{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"picture.{suffix}"]
    (tile,) = tiles(thumbnails)
    assert not tile.title.get_parse_math()


def test_thumbnails_of_nothing_are_an_empty_picture(tmp_path: Path) -> None:
    Thumbnails(3).draw(tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size


@given(st.text(max_size=60), st.integers(3, 50))
def test_shorten_any_text_keeps_its_ends(text: str, letters: int) -> None:
    short = shorten(text, letters)
    assert len(short) <= letters
    assert len(short.splitlines()) <= 1
    whole = " ".join(text.splitlines())
    if len(whole) <= letters:
        assert short == whole
    else:
        head, _, tail = (
            short.partition("\N{HORIZONTAL ELLIPSIS}") if "\N{HORIZONTAL ELLIPSIS}" not in whole else ("", "", "")
        )
        assert whole.startswith(head)
        assert whole.endswith(tail)
