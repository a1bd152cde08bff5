# SPDX-License-Identifier: Apache-2.0
"""Features of the picture in torch and in ONNX Runtime against OpenCV's cosine transform in float64."""

import cv2
import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from export.bundle.picture_reference import picture_difference, reference_picture
from export.features.key import PICTURE
from export.graphs.monitor_forms import cpu_session
from export.graphs.picture_features import GRID_SQUARES, PictureFeatures, square_rows
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.preprocessing import Preprocessing

Frame = NDArray[np.uint8]
Doubles = NDArray[np.float64]

TOLERANCE = 2e-5

GREY = np.log(1 / 12)
COLOURS = slice(0, 6)
GRIDS = (slice(6, 27), slice(27, 48))


def preprocessing(**options: object) -> Preprocessing:
    return Preprocessing(6, 10, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), **options)  # type: ignore[arg-type]


def in_torch(*frames: Frame) -> Doubles:
    with torch.inference_mode():
        rows: Doubles = PictureFeatures()(preprocessing().pixels(torch.from_numpy(np.stack(frames)))).double().numpy()
    return rows


class Nothing(nn.Module):
    """A network of which no layer is read."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG002  as a sampled network
        return ()


def session(height: int, width: int) -> ort.InferenceSession:
    network = MonitoredNetwork(preprocessing(), Nothing(), "none", (PICTURE,))
    return cpu_session(segmentation_graph(network, height, width))


def expected(frame: Frame) -> Doubles:
    """One frame of 12 x 12 pixels or more, every square of which is read, by OpenCV."""
    used = frame[: frame.shape[0] // 8 * 8, : frame.shape[1] // 8 * 8].astype(np.float64)
    means, deviations = cv2.meanStdDev(used)
    numbers = [means.ravel(), np.log(np.maximum(deviations.ravel(), 1e-5))]
    luma = cv2.transform(frame.astype(np.float64), np.array([[0.299, 0.587, 0.114]]))
    for offset in (0, 4):
        across, down, both = (np.zeros(7) for _ in range(3))
        tops, lefts = (range(offset, size - 7, 8) for size in luma.shape[:2])
        for top in tops:
            for left in lefts:
                logs = np.log(cv2.dct(np.ascontiguousarray(luma[top : top + 8, left : left + 8])) ** 2 + 1 / 12)
                across += logs[0, 1:]
                down += logs[1:, 0]
                for row in range(1, 8):
                    for column in range(1, 8):
                        both[max(row, column) - 1] += logs[row, column] / (2 * max(row, column) - 1)
        numbers.append(np.concatenate([across, down, both]) / (len(tops) * len(lefts)))
    return np.concatenate(numbers)


@st.composite
def random_frames(draw: st.DrawFn, least: int = 12) -> Frame:
    height, width = draw(st.integers(least, 40)), draw(st.integers(least, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.integers(0, 256, (2, 3, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    noise = draw(st.sampled_from([0.0, 1.0, 60.0])) * rng.standard_normal((height, width, 3))
    frame: Frame = np.clip(smooth * draw(st.sampled_from([0.0, 0.1, 1.0])) + noise, 0, 255).astype(np.uint8)
    return frame


@given(random_frames())
def test_picture_features_of_any_frame_are_those_of_opencv(frame: Frame) -> None:
    (got,) = in_torch(frame)
    wanted = expected(frame)
    assert picture_difference(got, wanted) < TOLERANCE
    np.testing.assert_allclose(reference_picture(frame.astype(np.float64)), wanted, rtol=1e-9, atol=1e-9)


@given(random_frames(least=1))
def test_picture_features_of_small_frames_are_finite_and_those_of_the_reference(frame: Frame) -> None:
    (got,) = in_torch(frame)
    assert np.isfinite(got).all()
    assert picture_difference(got, reference_picture(frame.astype(np.float64))) < TOLERANCE


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 255))
def test_picture_features_of_one_grey_level_have_no_detail(height: int, width: int, level: int) -> None:
    (got,) = in_torch(np.full((height, width, 3), level, np.uint8))
    np.testing.assert_allclose(got[:3], level, rtol=1e-6)
    np.testing.assert_allclose(got[3:6], np.log(1e-5), rtol=1e-5)
    np.testing.assert_allclose(got[6:], GREY, atol=1e-5)


@given(random_frames())
def test_picture_features_of_a_batch_are_those_of_each_frame(frame: Frame) -> None:
    other = np.full_like(frame, 7)
    alone = np.concatenate([in_torch(frame), in_torch(other)])
    np.testing.assert_allclose(in_torch(frame, other), alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (11, 33), (12, 12), (37, 61), (216, 270)])
def test_picture_features_in_onnx_runtime_are_those_of_the_reference(height: int, width: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    (rows,) = session(height, width).run([str(PICTURE)], {"frame": frames})
    assert rows.shape == (2, 48)
    assert rows.dtype == np.float32
    for frame, row in zip(frames, rows, strict=True):
        assert picture_difference(row.astype(np.float64), reference_picture(frame.astype(np.float64))) < TOLERANCE


def test_picture_features_read_the_part_of_the_frame_that_the_network_sees() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (1, 40, 50, 3), np.uint8)
    seen = preprocessing(channels="bgr", crop=(3, 5, 24, 32)).pixels(torch.from_numpy(frame))
    (got,) = PictureFeatures()(seen).double().numpy()
    cut = np.ascontiguousarray(frame[0, 3:27, 5:37, ::-1])
    assert picture_difference(got, expected(cut)) < TOLERANCE


def test_picture_features_of_a_large_frame_read_evenly_spaced_rows_of_squares() -> None:
    height, width = 1080, 1920
    for offset in (0, 4):
        rows = square_rows(height, width, offset)
        assert len(set(np.diff(rows))) == 1
        assert (rows[0], rows[-1] <= height - 8) == (offset, True)
        assert GRID_SQUARES / 2 < len(rows) * ((width - offset) // 8) <= GRID_SQUARES
    striped = np.full((height, width, 3), 90, np.uint8)
    shown = {row + i for offset in (0, 4) for row in square_rows(height, width, offset) for i in range(8)}
    hidden = sorted(set(range(height)) - shown)
    striped[hidden] = np.random.default_rng(2).integers(0, 256, (len(hidden), width, 3))
    assert in_torch(striped)[0, 6:] == pytest.approx(GREY, abs=1e-4)


def test_compression_shows_in_the_grid_of_the_coder() -> None:
    rng = np.random.default_rng(3)
    noisy = np.clip(rng.normal(120, 25, (96, 160, 3)), 0, 255).astype(np.uint8)
    coded = cv2.imdecode(cv2.imencode(".jpg", noisy, (cv2.IMWRITE_JPEG_QUALITY, 20))[1], cv2.IMREAD_COLOR)
    assert coded is not None
    before, after = in_torch(noisy, coded)
    fine = [(grid.start + 6, grid.start + 13) for grid in GRIDS]
    assert all(abs(before[fine[0][i]] - before[fine[1][i]]) < 0.5 for i in range(2))
    assert all(after[fine[0][i]] < after[fine[1][i]] - 1 for i in range(2)), (
        "emptied where the squares lie, less between them"
    )
    assert all(after[number] < before[number] for grid in fine for number in grid)
