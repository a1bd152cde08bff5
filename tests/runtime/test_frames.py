# SPDX-License-Identifier: Apache-2.0
"""What is let through to the graphs, and what the others are told."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from lsood_runtime import FrameError, Manifest
from lsood_runtime._frames import check_frame
from tests.runtime.conftest import HEIGHT, WIDTH
from tests.runtime.test_manifest import text_with

CONTRACT = Manifest.from_json(text_with()).input
SHAPE = (HEIGHT, WIDTH, 3)


def test_frame_passes_without_a_copy_and_a_view_with_one() -> None:
    frame = np.zeros(SHAPE, np.uint8)
    assert check_frame(frame, CONTRACT) is frame
    for view in (np.zeros((*SHAPE[:2], 4), np.uint8)[..., :3], frame[::-1], np.zeros(SHAPE, np.uint8, order="F")):
        checked = check_frame(view, CONTRACT)
        assert checked.flags.c_contiguous
        assert not np.shares_memory(checked, view)


@pytest.mark.parametrize(
    ("frame", "got", "hint"),
    [
        (np.zeros((3, *SHAPE[:2]), np.float32), "(3, 6, 8) float32", "channels-first tensor in [0, 1]"),
        (np.full((3, *SHAPE[:2]), -2.0), "(3, 6, 8) float64", "channels-first tensor that was scaled or normalised"),
        (np.full(SHAPE, 0.5), "(6, 8, 3) float64", "a frame in [0, 1]: pass the camera's own uint8 image"),
        (np.zeros((3, *SHAPE[:2]), np.uint8), "(3, 6, 8) uint8", "pass frame.transpose(1, 2, 0)"),
        (np.zeros(SHAPE, np.uint16), "(6, 8, 3) uint16", "8-bit"),
        (np.zeros(SHAPE[:2], np.uint8), "(6, 8) uint8", "grey image"),
        (np.zeros((*SHAPE[:2], 1), np.uint8), "(6, 8, 1) uint8", "grey image"),
        (np.zeros((*SHAPE[:2], 4), np.uint8), "(6, 8, 4) uint8", "pass frame[..., :3]"),
        (np.zeros((1, *SHAPE), np.uint8), "(1, 6, 8, 3) uint8", "pass one frame at a time"),
        (np.zeros((WIDTH, HEIGHT, 3), np.uint8), "(8, 6, 3) uint8", "look swapped"),
        (np.zeros((12, 16, 3), np.uint8), "(12, 16, 3) uint8", "8 wide and 6 high"),
        (np.zeros((), np.uint8), "() uint8", "rows, columns and channels"),
        (np.zeros((0, 0, 0)), "(0, 0, 0) float64", "uint8"),
        (torch.zeros(SHAPE, dtype=torch.uint8), "type Tensor", "tensor.cpu().numpy()"),
        ([[[0, 0, 0]]], "type list", "numpy.asarray(image)"),
        ("frame.png", "type str", "Read the file first"),
        (None, "type NoneType", "numpy array"),
    ],
)
def test_usual_mistakes_are_told_apart(frame: Any, got: str, hint: str) -> None:
    with pytest.raises(FrameError) as caught:
        check_frame(frame, CONTRACT)
    message = str(caught.value)
    assert message.startswith("expected a (6, 8, 3) uint8 frame in RGB, got ")
    assert got in message
    assert hint in message
    assert "\n" not in message


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        hnp.scalar_dtypes() | hnp.array_dtypes(), hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
    )
)
def test_any_other_array_is_a_frame_error(array: Any) -> None:
    with pytest.raises(FrameError):
        check_frame(array, CONTRACT)
