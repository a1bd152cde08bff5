# SPDX-License-Identifier: Apache-2.0
"""Sequences in which a part of the picture dies or freezes, with the state of every frame, and scenes in which none does."""

import re
import threading
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime import KOfN, LatestFrameWorker, State, Stream, StreamAssessment, TileCheck
from tests.lsood_runtime.scripted_monitor import ScriptedMonitor
from tests.lsood_runtime.stream.test_frozen import drawn_scene, sensor

SECOND = 10**9
HEIGHT, WIDTH, RATE = 128, 256, 10
ROWS, COLUMNS = 4, 8
FRAMES_IN_A_ROW = 3
Pixels = NDArray[np.uint8]
Part = tuple[slice, ...] | slice
HALVES: dict[str, Part] = {
    "left": np.s_[:, : WIDTH // 2],
    "right": np.s_[:, WIDTH // 2 :],
    "upper": np.s_[: HEIGHT // 2],
    "lower": np.s_[HEIGHT // 2 :],
}


def road(count: int, seed: int, *, moving: bool = True, noise: float = 1.0) -> list[Pixels]:
    """A street with the noise of a sensor, seen from a car that drives, or that stands."""
    rng = np.random.default_rng(seed)
    scene = np.clip(drawn_scene("street", rng, HEIGHT, 4 * WIDTH), 15, 240)
    steps = [3 * i % (3 * WIDTH) if moving else 0 for i in range(count)]
    return [np.clip(sensor(scene[:, step : step + WIDTH], noise, rng), 9, 246) for step in steps]


def with_part(images: Sequence[Pixels], part: Part, first: int, level: int | None) -> list[Pixels]:
    """The images with a part that from one of them on has one level, or what it showed in that image."""
    shown = [image.copy() for image in images]
    for image in shown[first:]:
        image[part] = shown[first][part] if level is None else level
    return shown


def follow(
    images: Sequence[Pixels], check: TileCheck | None = None, rate: float = RATE, **options: float | None
) -> list[StreamAssessment]:
    """The results on images of a camera."""
    stream = Stream(ScriptedMonitor(tile_check=check or TileCheck()), KOfN(), **options)  # type: ignore[arg-type]
    return [stream.assess(image, stamp_ns=round(i * SECOND / rate)) for i, image in enumerate(images)]


def invalid(results: Sequence[StreamAssessment]) -> list[int]:
    return [i for i, result in enumerate(results) if result.verdict.state is State.INVALID]


def expected_mask(part: Part) -> NDArray[np.bool_]:
    """The tiles that lie in a part of the picture, by their pixels."""
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[part] = True
    return np.asarray(pixels.reshape(ROWS, HEIGHT // ROWS, COLUMNS, WIDTH // COLUMNS).all(axis=(1, 3)))


@pytest.mark.parametrize("level", [0, 77, 255])
@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("moving", [True, False])
def test_stream_dead_half_is_invalid_from_the_third_frame(half: str, level: int, moving: bool) -> None:
    first, count = 7, 15
    images = with_part(road(count, 1, moving=moving), HALVES[half], first, level)
    results = follow(images)
    assert invalid(results) == list(range(first + FRAMES_IN_A_ROW - 1, count))
    kind = {0: "black", 77: "of one colour", 255: "saturated"}[level]
    for i, result in enumerate(results):
        verdict = result.verdict
        assert verdict.faulty_tiles is not None
        np.testing.assert_array_equal(verdict.faulty_tiles, expected_mask(HALVES[half]) & (i >= first))
        assert not verdict.faulty_tiles.flags.writeable
        assert verdict.tile_faults == (f"{kind}: {half} half (16 of 32 tiles)" if i >= first else "")
        assert verdict.is_ood == (verdict.state is State.INVALID)
    assert f"got {kind}: {half} half (16 of 32 tiles), for 8 frames: " in results[-1].verdict.reason
    assert ("too much light falls on it, or a part of the camera" in results[-1].verdict.reason) == (level == 255)
    assert [result.alarm for result in results].index(True) == first + FRAMES_IN_A_ROW - 1 + 2, "3 of 5"


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    ("moving", "quality"), [(True, None), (True, 50), (True, 90), (False, None), (False, 90)]
)  # a still scene through a strong coder repeats itself in the other half as well
def test_stream_half_that_freezes_is_invalid_by_time_and_frames(half: str, moving: bool, quality: int | None) -> None:
    first, count = 5, 40
    images = with_part(road(count, 2, moving=moving), HALVES[half], first, None)
    if quality is not None:
        codes = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for image in images]
        images = [np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8) for code in codes]
    results = follow(images)
    since = first + 2 * RATE  # twice a second without anything new
    assert invalid(results) == list(range(since + FRAMES_IN_A_ROW - 1, count))
    assert results[since - 1].verdict.tile_faults == ""
    assert results[since].verdict.tile_faults == f"frozen: {half} half (16 of 32 tiles)"
    np.testing.assert_array_equal(results[-1].verdict.faulty_tiles, expected_mask(HALVES[half]))
    for i in range(since + FRAMES_IN_A_ROW - 1, count):
        told = re.search(
            r"frozen: .* half \(16 of 32 tiles\), still for (\d+\.\d) s: a part", results[i].verdict.reason
        )
        assert told is not None, results[i].verdict.reason
        least = (
            2.0 if quality is not None else (i - first) / RATE
        )  # a coder changes parts beside the border for a while
        assert least - 0.051 <= float(told[1]) <= (i - first) / RATE + 0.051
    assert not invalid(follow(images, frozen_after_s=None))
    assert invalid(follow(images, frozen_after_s=0.5))[0] == first + RATE + FRAMES_IN_A_ROW - 1


def test_stream_black_area_that_grows_is_invalid_from_a_quarter_of_the_tiles_on() -> None:
    """A cover slides from the right over the picture, eight pixels a frame, or from the lower right corner."""
    images = road(40, 3)
    for corner in (False, True):
        shown, shares = [], []
        for i, image in enumerate(images):
            black = image.copy()
            part = np.s_[HEIGHT - 4 * i :, WIDTH - 8 * i :] if corner else np.s_[:, WIDTH - 8 * i :]
            if i:
                black[part] = 0
                shares.append(expected_mask(part).mean())
            else:
                shares.append(0.0)
            shown.append(black)
        results = follow(shown[:30])
        reached = int(np.argmax(np.array(shares) >= 0.25))
        assert invalid(results) == list(range(reached + FRAMES_IN_A_ROW - 1, 30))
        counts = [int(result.verdict.faulty_tiles.sum()) for result in results]  # type: ignore[union-attr]
        assert counts == [round(share * 32) for share in shares[:30]]
        assert results[-1].verdict.tile_faults.startswith("black: ")


def test_stream_one_dead_column_of_tiles_is_shown_and_invalid_where_so_few_are_asked_for() -> None:
    column = np.s_[:, 2 * WIDTH // COLUMNS : 3 * WIDTH // COLUMNS]
    images = with_part(road(12, 4), column, 4, 0)
    results = follow(images)
    assert invalid(results) == []
    assert [bool(result.verdict.tile_faults) for result in results] == [False] * 4 + [True] * 8
    assert results[-1].verdict.tile_faults == "black: column 3 of 8 (4 of 32 tiles)"
    assert results[-1].verdict.reason == ""
    strict = follow(images, TileCheck(share=4 / 32, frames=1))
    assert invalid(strict) == list(range(4, 12))
    frozen = with_part(road(40, 4), column, 4, None)
    assert invalid(follow(frozen)) == []
    assert invalid(follow(frozen, TileCheck(share=4 / 32))) == list(range(4 + 2 * RATE + 2, 40))


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(1, 6),
    share=st.floats(0.05, 1.0),
    columns=st.integers(1, 8),
    first=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_stream_share_and_frames_are_those_of_the_check(
    frames: int, share: float, columns: int, first: int, seed: int
) -> None:
    images = with_part(road(14, seed % 3), np.s_[:, : columns * WIDTH // 8], first, 77)
    results = follow(images, TileCheck(share=share, frames=frames))
    whole = columns == 8  # of one colour as a whole, which is INVALID at once
    reached = columns / 8 >= share
    assert invalid(results) == (list(range(first if whole else first + frames - 1, 14)) if reached or whole else [])


def test_stream_row_of_faulty_frames_ends_with_a_sound_one_and_not_with_an_unreadable_one() -> None:
    sound, dead = road(1, 5)[0], with_part(road(1, 5), HALVES["left"], 0, 0)[0]
    stream = Stream(ScriptedMonitor(tile_check=TileCheck()), KOfN())
    states = []
    for i, image in enumerate([dead, dead, sound, dead, dead, None, dead, dead]):
        noise = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        noise[i, 200] = 1  # another image each time
        stamp = i * SECOND // RATE
        result = (
            stream.report_invalid("cannot decode", stamp_ns=stamp)
            if image is None
            else stream.assess(image ^ noise, stamp_ns=stamp)
        )
        states.append(result.verdict.state is State.INVALID)
    assert states == [False] * 5 + [True] * 3
    assert stream.summary().faulty_tiles == 2


def test_stream_frame_that_comes_twice_counts_once() -> None:
    images = [image for image in with_part(road(4, 6), HALVES["left"], 0, 0) for _ in range(2)]
    stream = Stream(ScriptedMonitor(tile_check=TileCheck()), KOfN())
    results = [stream.assess(image, stamp_ns=i // 2 * SECOND // RATE) for i, image in enumerate(images)]
    assert invalid(results) == [4, 5, 6, 7]


def test_stream_history_of_tiles_begins_anew_after_a_gap() -> None:
    dead = with_part(road(10, 7), HALVES["left"], 0, 0)
    stream = Stream(ScriptedMonitor(tile_check=TileCheck()), KOfN())
    results = [stream.assess(image, stamp_ns=(i + 1000 * (i >= 5)) * SECOND // RATE) for i, image in enumerate(dead)]
    assert results[5].restarted
    assert invalid(results) == [2, 3, 4, 7, 8, 9]
    half = with_part(road(60, 7), HALVES["left"], 0, None)
    again = [
        stream.assess(image, stamp_ns=(i + 9000 * (i >= 15)) * SECOND // RATE, camera="b")
        for i, image in enumerate(half)
    ]
    assert invalid(again)[0] == 15 + 2 * RATE + FRAMES_IN_A_ROW - 1


def test_stream_cameras_have_tiles_of_their_own_in_any_order_of_arrival() -> None:
    """Two cameras in turn, and each by itself: the same results, from one thread and from four."""
    drives = {
        "sound": road(30, 8),
        "dead": with_part(road(30, 9), HALVES["lower"], 10, 0),
        "frozen": with_part(road(30, 10), HALVES["right"], 0, None),
        "night": [np.clip(image // 8 - 4, 0, 255).astype(np.uint8) for image in road(30, 11)],
    }

    def outcome(result: StreamAssessment) -> tuple[str, str, str]:
        return result.verdict.state.value, result.verdict.reason, result.verdict.tile_faults

    alone = {name: [outcome(result) for result in follow(images)] for name, images in drives.items()}
    assert {name: len([each for each in own if each[0] == "invalid"]) for name, own in alone.items()} == {
        "sound": 0,
        "dead": 18,
        "frozen": 8,
        "night": 0,
    }
    stream = Stream(ScriptedMonitor(tile_check=TileCheck()), KOfN())
    for i in range(30):
        for name, images in drives.items():
            assert outcome(stream.assess(images[i], stamp_ns=i * SECOND // RATE, camera=name)) == alone[name][i]
    shared = Stream(ScriptedMonitor(tile_check=TileCheck()), KOfN())
    found: dict[str, list[tuple[str, str, str]]] = {name: [] for name in drives}

    def drive(name: str) -> None:
        for i, image in enumerate(drives[name]):
            found[name].append(outcome(shared.assess(image, stamp_ns=i * SECOND // RATE, camera=name)))

    threads = [threading.Thread(target=drive, args=(name,)) for name in drives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


def test_latest_frame_worker_hands_faulty_tiles_on() -> None:
    results: list[StreamAssessment] = []
    stream = Stream(ScriptedMonitor(tile_check=TileCheck(frames=1)), KOfN(), on_result=results.append)
    with LatestFrameWorker(stream) as worker:
        worker.submit(with_part(road(1, 12), HALVES["upper"], 0, 77)[0], stamp_ns=1)
    assert [result.verdict.tile_faults for result in results] == ["of one colour: upper half (16 of 32 tiles)"]
    assert results[0].verdict.state is State.INVALID


def test_stream_without_a_check_of_tiles_reports_none() -> None:
    images = with_part(road(30, 13), HALVES["left"], 0, None)
    stream = Stream(ScriptedMonitor(), KOfN())
    results = [stream.assess(image, stamp_ns=i * SECOND // RATE) for i, image in enumerate(images)]
    assert invalid(results) == []
    assert all(result.verdict.faulty_tiles is None and not result.verdict.tile_faults for result in results)


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(["street", "night", "wall", "sun"]),
    noise=st.floats(0.3, 2.0),
    quality=st.sampled_from([None, 30, 50, 75, 90]),
    seed=st.integers(0, 2**32 - 1),
)
def test_stream_standing_car_has_no_frozen_tile(kind: str, noise: float, quality: int | None, seed: int) -> None:
    """The noise of a sensor, through JPEG as well, of which many blocks of a flat region are the same again."""
    rng = np.random.default_rng(seed)
    scene = drawn_scene(kind, rng, HEIGHT, WIDTH)
    images = [sensor(scene, noise, rng) for _ in range(40)]
    if quality is not None:
        codes = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for image in images]
        images = [np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8) for code in codes]
    results = follow(images, frozen_after_s=0.5)
    assert not [result.verdict.tile_faults for result in results if "frozen" in result.verdict.tile_faults]


def bonnet(images: list[Pixels]) -> list[Pixels]:
    """A bonnet without any noise, over the lower quarter."""
    return with_part(images, np.s_[3 * HEIGHT // 4 :], 0, None)


def letters(images: list[Pixels]) -> list[Pixels]:
    """A logo and a text that stand still."""
    return with_part(with_part(images, np.s_[:20, :60], 0, None), np.s_[110:, 150:], 0, None)


def nothing_moves_but_one_lane(images: list[Pixels]) -> list[Pixels]:
    """Parts of a still scene that a coder of video copies, while cars pass in one row of tiles."""
    still = [images[0].copy() for _ in images]
    for copy, image in zip(still, images, strict=True):
        copy[64:96] = image[64:96]
    return still


def half_refreshed_now_and_then(images: list[Pixels]) -> list[Pixels]:
    """A coder copies the upper half, and refreshes a third of the columns of the rest in each frame."""
    still, shown = images[0].copy(), []
    for i, image in enumerate(images):
        for column in range(i % 3, COLUMNS, 3):
            part = np.s_[HEIGHT // 2 :, column * WIDTH // COLUMNS : (column + 1) * WIDTH // COLUMNS]
            still[part] = image[part]
        shown.append(still.copy())
    return shown


@pytest.mark.parametrize("change", [bonnet, letters, nothing_moves_but_one_lane, half_refreshed_now_and_then])
def test_stream_what_may_stand_still_is_no_frozen_part(change: Callable[[list[Pixels]], list[Pixels]]) -> None:
    results = follow(change(road(50, 14)))
    assert invalid(results) == []
    assert {result.verdict.tile_faults for result in results} == {""}


def test_stream_frozen_part_is_seen_in_a_slow_camera_in_a_fast_container() -> None:
    images = with_part(road(40, 15), HALVES["left"], 5, None)
    results = follow([image for image in images for _ in range(4)], rate=4 * RATE)
    assert invalid(results)[0] in range(4 * (5 + 2 * RATE) + 2, 4 * (5 + 2 * RATE) + 8)


def test_stream_half_that_replays_a_few_buffers_is_frozen() -> None:
    """Sixteen contents in turn, while the other half goes on."""
    images = road(70, 16)
    for i in range(20, 70):
        images[i][HALVES["lower"]] = images[20 - 4 + i % 4][HALVES["lower"]] if i >= 20 else images[i][HALVES["lower"]]
    found = invalid(follow(images))
    assert found == list(range(found[0], 70))
    assert found[0] in range(19 + 2 * RATE, 20 + 2 * RATE + FRAMES_IN_A_ROW + 1)
