# SPDX-License-Identifier: Apache-2.0
"""Frames of videos in the colours of their stream: matrix and range as stated, or as the rules state them."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime import FrameError
from lsood_runtime._media.pixel_rules import YUV_SPACES, PixelRules
from lsood_runtime._media.video_pixels import video_pixels
from tests.lsood_runtime.media.raw_images import RawImage, raw_image

NUMBERS = {"bt601": (6, 1), "bt601-full": (6, 2), "bt709": (1, 1), "bt709-full": (1, 2)}
"""FFmpeg's numbers of matrix and range."""
SCALER = 4.0
"""FFmpeg's scaler computes with fewer bits: it is off by up to as many levels."""


def frame_of(image: RawImage) -> av.VideoFrame:
    planes = np.frombuffer(image.data, np.uint8).reshape(-1, image.width)
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


@given(
    space=st.sampled_from(YUV_SPACES),
    other=st.sampled_from((None, *YUV_SPACES)),
    channels=st.sampled_from(["rgb", "bgr"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_video_pixels_of_a_stated_space_follow_its_matrix_whatever_the_rules(
    space: str, other: str | None, channels: str, seed: int
) -> None:
    image = raw_image("i420", np.random.default_rng(seed), (32, 48), space=space, legal=True)
    frame = frame_of(image)
    frame.colorspace, frame.color_range = NUMBERS[space]
    pixels = video_pixels(frame, channels, PixelRules(yuv=other))
    assert_close(pixels, image, channels)


@given(space=st.sampled_from(YUV_SPACES), channels=st.sampled_from(["rgb", "bgr"]), seed=st.integers(0, 2**32 - 1))
def test_video_pixels_of_no_stated_space_follow_the_rules(space: str, channels: str, seed: int) -> None:
    image = raw_image("i420", np.random.default_rng(seed), (32, 48), space=space, legal=True)
    assert_close(video_pixels(frame_of(image), channels, PixelRules(yuv=space)), image, channels)
    if space == "bt601":
        assert_close(video_pixels(frame_of(image), channels), image, channels)


@pytest.mark.parametrize("stated", ["range", "matrix"])
def test_video_pixels_of_a_space_stated_by_half_take_the_other_half_from_the_rules(stated: str) -> None:
    image = raw_image("i420", np.random.default_rng(3), (32, 48), space="bt709-full", legal=True)
    frame = frame_of(image)
    if stated == "range":
        frame.color_range = 2
        rules = PixelRules(yuv="bt709")
    else:
        frame.colorspace = 1
        rules = PixelRules(yuv="bt601-full")
    assert_close(video_pixels(frame, "rgb", rules), image, "rgb")


@pytest.mark.parametrize("form", ["gray", "gray16le", "ya8", "monow"])
def test_video_pixels_of_a_grey_frame_are_refused_unless_accepted(form: str) -> None:
    grey = np.random.default_rng(4).integers(16, 236, (32, 48, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), format="rgb24").reformat(format=form)
    with pytest.raises(FrameError, match=r"expected a colour image, got a grey one: .*PixelRules\(grey=True\)"):
        video_pixels(frame, "rgb", PixelRules(yuv="bt709"))
    pixels = video_pixels(frame, "rgb", PixelRules(grey=True, yuv="bt709"))
    assert pixels.shape == (32, 48, 3)
    assert (pixels == pixels[..., :1]).all()


def assert_close(pixels: NDArray[np.uint8], image: RawImage, channels: str) -> None:
    rgb = pixels if channels == "rgb" else pixels[..., ::-1]
    assert np.abs(rgb - image.exact).max() <= SCALER
