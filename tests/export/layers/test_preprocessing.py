# SPDX-License-Identifier: Apache-2.0
"""The one resizer against Pillow, and the normalisation against arithmetic."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from export.layers.preprocessing import Preprocessing

sizes = st.tuples(st.integers(4, 80), st.integers(4, 80))


@settings(max_examples=30, deadline=None)
@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_resize_of_an_image_equals_pillows_bilinear(
    source: tuple[int, int], target: tuple[int, int], seed: int
) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (*source, 3), np.uint8)
    resized = Preprocessing(*target, mean=(0, 0, 0), std=(1 / 255,) * 3)(torch.from_numpy(frame)[None])[0]
    pillow = np.asarray(Image.fromarray(frame).resize(target[::-1], Image.Resampling.BILINEAR), np.float32)
    assert (
        np.abs(resized.numpy().transpose(1, 2, 0) - pillow).max() <= 1.01
    )  # Pillow rounds to integers after each axis


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_preprocessing_of_either_channel_order_normalises_rgb(channels: str) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), np.uint8)
    mean, std = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
    rgb = frame[..., ::-1] if channels == "bgr" else frame
    expected = ((rgb / 255 - mean) / std).transpose(0, 3, 1, 2)
    got = Preprocessing(6, 8, mean.tolist(), std.tolist(), channels)(torch.from_numpy(frame))
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-5)


def test_preprocessing_with_a_crop_takes_the_slice() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), np.uint8)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    cropped = Preprocessing(6, 8, mean, std, "bgr", crop=(3, 5, 12, 16))(torch.from_numpy(frame))
    by_hand = Preprocessing(6, 8, mean, std)(torch.from_numpy(frame[:, 3:15, 5:21, ::-1].copy()))
    torch.testing.assert_close(cropped, by_hand)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": (-1, 0, 2, 2)}, "starts inside"),
        ({"crop": (0, 0, 0, 2)}, "at least 1 x 1"),
        ({"mean": (0.5,)}, "three means"),
        ({"mean": (0.5, math.nan, 0.5)}, "all finite"),
        ({"std": (0.2, math.inf, 0.2)}, "all finite"),
        ({"std": (0.2, 0.2, 0)}, "above zero"),
        ({"channels": "gbr"}, "'gbr'"),
    ],
)
def test_preprocessing_with_wrong_constants_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(4, 4, **({"mean": (0, 0, 0), "std": (1, 1, 1)} | options))  # type: ignore[arg-type]
