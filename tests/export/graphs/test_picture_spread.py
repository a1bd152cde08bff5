# SPDX-License-Identifier: Apache-2.0
"""Spread of detail and light over the picture in torch and in ONNX Runtime against OpenCV in float64."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.bundle.picture_reference import reference_picture_spread
from export.features.key import PICTURE, PICTURE_SPREAD
from export.graphs.monitor_forms import cpu_session
from export.graphs.picture_spread import PictureSpread
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from tests.export.graphs.test_picture_features import Doubles, Frame, Nothing, preprocessing, random_frames

TOLERANCE = 5e-5
DEVIATION, FLATTEST, BUSIEST = slice(0, 21), slice(21, 42), slice(42, 63)
LEAST, LARGEST, ALIKE, ROWS, COLUMNS = slice(63, 66), slice(66, 69), slice(69, 73), slice(73, 75), slice(75, 77)


def in_torch(*frames: Frame) -> Doubles:
    with torch.inference_mode():
        rows: Doubles = PictureSpread()(preprocessing().pixels(torch.from_numpy(np.stack(frames)))).double().numpy()
    return rows


def expected(frame: Frame) -> Doubles:
    """One frame of 12 x 12 pixels or more, every square of which is read, by OpenCV."""
    used = frame[: frame.shape[0] // 8 * 8, : frame.shape[1] // 8 * 8].astype(np.int64)
    thousandths = used @ np.array([299, 587, 114])
    bands = []
    for top in range(0, used.shape[0], 8):
        for left in range(0, used.shape[1], 8):
            square = np.ascontiguousarray(thousandths[top : top + 8, left : left + 8] / 1000.0)
            logs = np.log(cv2.dct(square) ** 2 + 1 / 12)
            both = [[logs[i, j] for i in range(1, 8) for j in range(1, 8) if max(i, j) == k] for k in range(1, 8)]
            bands.append([*logs[0, 1:], *logs[1:, 0], *map(np.mean, both)])
    power = np.exp(bands)
    numbers = [np.std(bands, axis=0), -np.log(np.mean(1 / power, axis=0)), np.log(np.mean(power, axis=0))]
    rows = [thousandths[top : top + 8] for top in range(0, used.shape[0], 8)]
    beside = np.concatenate([np.diff(row, axis=1).ravel() for row in rows])
    below = np.concatenate([np.diff(row, axis=0).ravel() for row in rows])
    alike = [np.mean(np.abs(steps) < limit) for limit in (1, 1000) for steps in (beside, below)]
    second = np.array([[-0.5, 1, -0.5]])
    means = [cv2.filter2D(row.mean(axis=1)[None] / 1000, -1, second)[0, 1:-1] for row in rows]
    lines = [np.abs(means), np.abs(cv2.filter2D(thousandths.mean(axis=0)[None] / 1000, -1, second)[0, 1:-1])]
    logs = [np.log(0.1 + number) for line in lines for number in (line.max(), line.mean())]
    return np.concatenate([*numbers, used.min(axis=(0, 1)), used.max(axis=(0, 1)), alike, logs])


@given(random_frames())
def test_picture_spread_of_any_frame_is_that_of_opencv(frame: Frame) -> None:
    wanted = expected(frame)
    np.testing.assert_allclose(in_torch(frame)[0], wanted, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(reference_picture_spread(frame.astype(np.float64)), wanted, rtol=1e-9, atol=1e-9)


@given(random_frames(least=1))
def test_picture_spread_of_a_small_frame_is_finite_and_that_of_the_reference(frame: Frame) -> None:
    (got,) = in_torch(frame)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, reference_picture_spread(frame.astype(np.float64)), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (12, 12), (37, 61), (216, 270)])
def test_picture_spread_in_onnx_runtime_is_that_of_the_reference_with_the_same_bits_in_a_batch(
    height: int, width: int
) -> None:
    network = MonitoredNetwork(preprocessing(), Nothing(), "none", (PICTURE, PICTURE_SPREAD))
    session = cpu_session(segmentation_graph(network, height, width))
    frames = np.random.default_rng(0).integers(0, 256, (3, height, width, 3), np.uint8)
    frames[1] //= 40
    rows = session.run([str(PICTURE_SPREAD)], {"frame": frames})[0]
    assert (rows.shape, rows.dtype) == ((3, 77), np.float32)
    for frame, row in zip(frames, rows, strict=True):
        alone = session.run([str(PICTURE_SPREAD)], {"frame": frame[None]})[0][0]
        np.testing.assert_array_equal(alone, row)
        np.testing.assert_allclose(row, reference_picture_spread(frame.astype(np.float64)), rtol=0, atol=TOLERANCE)


@given(st.integers(0, 2**32 - 1), st.integers(20, 60), st.integers(20, 60))
def test_picture_spread_of_a_dead_row_a_dead_column_and_a_covered_part_shows_each(
    seed: int, height: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.integers(100, 140, (height, width, 3), np.uint8)
    row, column, covered = whole.copy(), whole.copy(), whole.copy()
    row[8 + rng.integers(1, 7)] = 255
    column[:, rng.integers(1, 8)] = 0
    covered[:8, :8] = 30
    clean, of_row, of_column, of_covered = in_torch(whole, row, column, covered)
    assert (of_row[ROWS] > clean[ROWS]).all()
    assert (of_column[COLUMNS] > clean[COLUMNS]).all()
    assert (of_covered[FLATTEST] < clean[FLATTEST]).all()
    assert (of_covered[LEAST] < clean[LEAST]).all()
    assert (of_row[LARGEST] == 255).all()
    assert (of_covered[ALIKE] > clean[ALIKE]).any()
    assert of_covered[DEVIATION].mean() > clean[DEVIATION].mean()
    assert np.isfinite(of_covered[BUSIEST]).all()
