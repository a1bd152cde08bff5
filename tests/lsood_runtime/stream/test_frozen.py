# SPDX-License-Identifier: Apache-2.0
"""Cameras that are frozen, in every way that a buffer or an overlay allows, and still scenes that are not."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime import KOfN, Stream
from tests.lsood_runtime.scripted_monitor import ScriptedMonitor

SECOND = 10**9
HEIGHT, WIDTH = 120, 160
MOST_BUFFERS = 16
Pixels = NDArray[np.uint8]
Scene = NDArray[np.float64]


def drawn_scene(kind: str, rng: np.random.Generator, height: int = HEIGHT, width: int = WIDTH) -> Scene:
    """Levels of a still scene, before noise: a street by day, lights by night, an evenly lit wall, a view into the sun."""
    y, x = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    if kind == "night":
        lights = [np.exp(-(((y - rng.random()) ** 2 + (x - rng.random()) ** 2) / 0.002)) for _ in range(8)]
        return np.asarray(-20 + 240 * sum(lights) + np.zeros(3))
    if kind == "wall":
        return np.asarray(128 + 3 * y + 0 * x + np.zeros(3))
    street = (
        90 + 60 * y + 40 * np.sin(9 * x + 5 * y) + cv2.GaussianBlur(rng.normal(0, 60, (height, width, 3)), (0, 0), 2)
    )
    if kind == "sun":
        street[: height // 2] = 400
    return np.asarray(street)


def sensor(scene: Scene, noise: float, rng: np.random.Generator) -> Pixels:
    """What a sensor with this noise, in levels of 8 bits, sees of a scene."""
    return np.clip(np.round(scene + rng.normal(0, noise, scene.shape)), 0, 255).astype(np.uint8)


def frozen_from(images: list[Pixels], frames_per_second: float, **options: float | None) -> list[int]:
    """Numbers of the images at which a camera that sends these is frozen."""
    stream = Stream(ScriptedMonitor(), KOfN(), **options)  # type: ignore[arg-type]
    step = round(SECOND / frames_per_second)
    results = [stream.assess(image, stamp_ns=i * step) for i, image in enumerate(images)]
    frozen = [i for i, result in enumerate(results) if "the camera is frozen" in result.verdict.reason]
    assert stream.summary().frozen == len(frozen)
    assert all(result.verdict.is_ood for i, result in enumerate(results) if i in frozen)
    return frozen


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["street", "night", "wall", "sun"]),
    noise=st.floats(0.05, 3),
    frames_per_second=st.sampled_from([5, 10, 25, 50]),
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(HEIGHT, WIDTH), (64, 200), (97, 131), (480, 640)]),
)
def test_stream_still_scene_with_sensor_noise_is_never_frozen(
    kind: str, noise: float, frames_per_second: int, seed: int, shape: tuple[int, int]
) -> None:
    """A parked car: nothing moves, and only the noise of the sensor differs."""
    rng = np.random.default_rng(seed)
    scene = drawn_scene(kind, rng, *shape)
    images = [sensor(scene, noise, rng) for _ in range(3 * frames_per_second if shape[0] < 480 else 12)]
    assert frozen_from(images, frames_per_second, frozen_after_s=0.2) == []


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(["street", "night"]),
    noise=st.floats(0.3, 2),
    quality=st.integers(50, 95),
    seed=st.integers(0, 2**32 - 1),
)
def test_stream_still_scene_through_jpeg_is_never_frozen(kind: str, noise: float, quality: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = drawn_scene(kind, rng)
    raw = [sensor(scene, noise, rng) for _ in range(30)]
    coded = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for image in raw]
    images = [np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8) for code in coded]
    assert frozen_from(images, 10, frozen_after_s=0.5) == []


@settings(max_examples=30, deadline=None)
@given(
    buffers=st.integers(1, MOST_BUFFERS),
    live=st.integers(0, 20),
    frames_per_second=st.sampled_from([5, 10, 25]),
    frozen_after=st.floats(0.3, 2.0),
    seed=st.integers(0, 2**32 - 1),
    shuffled=st.booleans(),
)
def test_stream_camera_that_replays_its_buffers_is_frozen_by_time(
    buffers: int, live: int, frames_per_second: int, frozen_after: float, seed: int, shuffled: bool
) -> None:
    rng = np.random.default_rng(seed)
    scene = drawn_scene("street", rng)
    images = [sensor(scene, 1.0, rng) for _ in range(live + buffers)]
    ring = images[-buffers:]
    replayed = 4 * frames_per_second
    order = rng.integers(buffers, size=replayed) if shuffled else np.arange(replayed) % buffers
    found = frozen_from([*images, *(ring[i] for i in order)], frames_per_second, frozen_after_s=frozen_after)
    last_new = live + buffers - 1
    first = last_new + max(2, math.ceil(round(frozen_after * SECOND) / round(SECOND / frames_per_second)))
    assert found[0] in (first, first + 1)  # the time may be rounded up or down
    assert found == list(range(found[0], last_new + 1 + replayed))
    assert frozen_from([*images, *(ring[i] for i in order)], frames_per_second, frozen_after_s=None) == []


def test_stream_more_buffers_than_are_remembered_are_new_images() -> None:
    rng = np.random.default_rng(0)
    ring = [sensor(drawn_scene("street", rng), 1.0, rng) for _ in range(MOST_BUFFERS + 1)]
    assert frozen_from([ring[i % len(ring)] for i in range(100)], 10) == []


@settings(max_examples=40, deadline=None)
@given(
    change=st.sampled_from(["pixel", "pixels", "clock", "row of the sensor"]),
    buffers=st.sampled_from([1, 1, 3]),
    shape=st.sampled_from([(HEIGHT, WIDTH), (97, 131), (240, 320)]),
    seed=st.integers(0, 2**32 - 1),
)
def test_stream_frozen_image_in_which_a_few_pixels_change_is_frozen(
    change: str, buffers: int, shape: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    height, width = shape
    ring = [sensor(drawn_scene("street", rng, *shape), 1.0, rng) for _ in range(buffers)]

    def changed(i: int) -> Pixels:
        image = ring[i % buffers].copy()
        if change == "pixel":
            image[height // 3, width // 3] = rng.integers(256, size=3)
        elif change == "pixels":
            for y, x in ((1, 1), (height // 2, width // 2), (height - 2, width - 2)):
                image[y, x] ^= np.uint8(rng.integers(1, 256))
        elif change == "clock":
            box = image[: height // 16, : width // 8]
            box[:] = 0
            cv2.putText(box, str(i), (0, len(box) - 1), cv2.FONT_HERSHEY_PLAIN, 0.5, (255, 255, 255))
            box[0, 0] = i % 256
        else:
            image[0, : width // 4] = rng.integers(256, size=(width // 4, 3))
        return image

    images = [changed(i) for i in range(60)]
    found = frozen_from(images, 10)
    assert found == list(range(found[0], 60))
    assert found[0] <= 2 * 10 + buffers, "seconds, twice as long as for an image whose bytes stay"
    identical = frozen_from(images, 10, frozen_tolerance=0)
    repeats = 60 - len({image.tobytes() for image in images})
    assert len(identical) <= repeats, "an image with new bytes is new"


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.01, 0.3), seed=st.integers(0, 2**32 - 1))
def test_stream_frozen_tolerance_is_the_share_of_tiles_that_may_change(share: float, seed: int) -> None:
    """Independent of the digest: a picture of 16 x 16 tiles, of which so many are drawn anew in each image."""
    rng = np.random.default_rng(seed)
    still = rng.integers(256, size=(128, 256, 3), dtype=np.uint8)
    count = int(rng.integers(1, 128))
    assume(abs(count - share * 256) > 1)
    places = rng.permutation(256)[:count]

    def image() -> Pixels:
        own = still.copy()
        for place in places:
            y, x = 8 * (place // 16), 16 * (place % 16)
            own[y : y + 8, x : x + 16] = rng.integers(256, size=(8, 16, 3))
        return own

    found = frozen_from([image() for _ in range(30)], 10, frozen_tolerance=share)
    assert bool(found) == (count < share * 256)


def test_stream_clipped_tiles_tell_nothing() -> None:
    """A dark garage with one window: all but the window is clipped, and only there the noise of the sensor is seen."""
    rng = np.random.default_rng(1)
    scene = np.full((HEIGHT, WIDTH, 3), -50.0)
    scene[30:50, 40:60] = 90
    assert frozen_from([sensor(scene, 1.0, rng) for _ in range(60)], 10) == []


def test_stream_slow_change_of_light_is_a_new_image() -> None:
    """Each image has fewer changed tiles than the tolerance against the one before, and more against the first."""
    rng = np.random.default_rng(2)
    image, images = sensor(drawn_scene("street", rng), 1.0, rng), []
    for i in range(128):
        image = image.copy()
        y, x = 7 * (2 * i // 16), 10 * (2 * i % 16)
        image[y : y + 7, x : x + 20] ^= np.uint8(1)
        images.append(image)
    assert frozen_from(images, 5) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (0, 5, 3), (2, 3, 3), (3, 2)])
def test_stream_tiny_picture_is_frozen_by_its_bytes(shape: tuple[int, ...]) -> None:
    assert frozen_from([np.ones(shape, np.uint8)] * 30, 10) == list(range(10, 30))


def test_stream_slow_camera_in_a_fast_container_is_not_frozen() -> None:
    """5 Hz in 25 Hz, and as slow as one image in nine tenths of a second."""
    rng = np.random.default_rng(3)
    scene = drawn_scene("street", rng)
    for repeats in (5, 22):
        shown = [sensor(scene, 1.0, rng) for _ in range(150 // repeats)]
        assert frozen_from([image for image in shown for _ in range(repeats)], 25) == []
