# SPDX-License-Identifier: Apache-2.0
"""Numbers of the picture's tiles in torch and in ONNX Runtime against OpenCV in float64."""

from fractions import Fraction

import cv2
import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.bundle.input_reference import InputReference
from export.bundle.picture_reference import reference_picture_tiles
from export.features.key import FeatureKey
from export.graphs.picture_tiles import TILE_SQUARES, PictureTiles, tile_rows, tile_spans
from export.graphs.segmentation import PIXELS, feature_graph
from lsood_runtime.offline import InputContract, session_options
from tests.export.graphs.test_picture_features import Doubles, Frame, preprocessing, random_frames

TOLERANCE = 5e-5
WIDTH = 104
NOTHING = (Fraction(0), Fraction(0))
GRIDS = st.tuples(st.integers(1, 5), st.integers(1, 8))
PADDING = st.tuples(*[st.fractions(0, 2, max_denominator=40)] * 2)


def in_torch(frame: Frame, rows: int, columns: int, added: tuple[Fraction, Fraction] = NOTHING) -> Doubles:
    """``(R, Q, D)``."""
    with torch.inference_mode():
        (row,) = PictureTiles(rows, columns, added)(preprocessing().pixels(torch.from_numpy(frame[None])))
    numbers: Doubles = row.double().numpy().reshape(rows, columns, WIDTH)
    return numbers


def own_squares(squares: int, tiles: int, tile: int, added: Fraction) -> list[int]:
    """Squares along one side between the edges of a tile of the padded picture, rounded down, or else the nearest one."""
    edges = [Fraction(each, tiles) * squares * (1 + added) // 1 for each in (tile, tile + 1)]
    own = [square for square in range(squares) if edges[0] <= square < edges[1]]
    return own or [min(int(edges[0]), squares - 1)]


def expected(tile: Frame) -> Doubles:
    """The numbers of one tile, of the pixels of whole squares, by OpenCV."""
    thousandths = tile.astype(np.int64) @ np.array([299, 587, 114])
    height, width = thousandths.shape
    bands, beside, below = [], [], []
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            square = np.ascontiguousarray(thousandths[top : top + 8, left : left + 8])
            logs = np.log(cv2.dct(square / 1000.0) ** 2 + 1 / 12)
            both = [[logs[i, j] for i in range(1, 8) for j in range(1, 8) if max(i, j) == k] for k in range(1, 8)]
            bands.append([*logs[0, 1:], *logs[1:, 0], *map(np.mean, both)])
            beside.append(np.abs(np.diff(square, axis=1)))
            below.append(np.abs(np.diff(square, axis=0)))
    power = np.exp(bands)
    detail = [np.mean(bands, axis=0), np.std(bands, axis=0), -np.log(np.mean(1 / power, axis=0)), np.log(power.mean(0))]
    means, deviations = cv2.meanStdDev(tile.astype(np.float64))
    logs = np.log(np.maximum(deviations.ravel(), 1e-5))
    ends = [tile.min(axis=(0, 1)), tile.max(axis=(0, 1))]
    alike = [np.mean(np.array(steps) < limit) for limit in (1, 1000) for steps in (beside, below)]
    lines = []
    for means_of_lines in (thousandths.mean(axis=1), thousandths.mean(axis=0)):
        inner = [i for i in range(len(means_of_lines)) if i % 8 not in (0, 7)]
        steps = [abs(means_of_lines[i] - means_of_lines[[i - 1, i + 1]].mean()) / 1000 for i in inner]
        lines += [np.log(0.1 + np.max(steps)), np.log(0.1 + np.mean(steps))]
    return np.concatenate([*detail, means.ravel(), logs, *ends, alike, lines])


@given(random_frames(), GRIDS, PADDING)
def test_picture_tiles_of_any_frame_are_those_of_opencv(
    frame: Frame, grid: tuple[int, int], added: tuple[Fraction, Fraction]
) -> None:
    (rows, columns), (down, across) = grid, (size // 8 for size in frame.shape[:2])
    got = in_torch(frame, rows, columns, added)
    reference = reference_picture_tiles(frame.astype(np.float64), rows, columns, added).reshape(got.shape)
    squares = frame[: 8 * down, : 8 * across].reshape(down, 8, across, 8, 3)
    for i in range(rows):
        for j in range(columns):
            own = squares[own_squares(down, rows, i, added[0])][:, :, own_squares(across, columns, j, added[1])]
            wanted = expected(own.reshape(8 * own.shape[0], -1, 3))
            np.testing.assert_allclose(got[i, j], wanted, rtol=0, atol=TOLERANCE)
            np.testing.assert_allclose(reference[i, j], wanted, rtol=1e-9, atol=1e-6)


@given(random_frames(least=1), GRIDS)
def test_picture_tiles_of_a_small_frame_are_finite_and_those_of_the_reference(
    frame: Frame, grid: tuple[int, int]
) -> None:
    got = in_torch(frame, *grid).ravel()
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, reference_picture_tiles(frame.astype(np.float64), *grid), rtol=0, atol=TOLERANCE)


@given(st.integers(1, 400), st.integers(1, 600), st.integers(1, 16), st.fractions(0, 2, max_denominator=40))
def test_rows_of_squares_that_are_read_are_spread_over_each_row_of_tiles(
    down: int, across: int, tiles: int, added: Fraction
) -> None:
    spans, rows = tile_spans(down, tiles, added), tile_rows(down, across, tiles, added)
    assert len(spans) == len(rows) == tiles
    most = max(1, TILE_SQUARES // (across * tiles))
    for tile, ((start, stop), chosen) in enumerate(zip(spans, rows, strict=True)):
        assert list(range(start, stop)) == own_squares(down, tiles, tile, added)
        assert 1 <= len(chosen) <= most
        assert set(np.diff(chosen)) <= {-(-(stop - start) // most)}
        assert start == chosen[0] <= chosen[-1] < stop


@pytest.mark.parametrize(
    ("height", "width"),
    [(37, 61), *(pytest.param(*size, marks=pytest.mark.slow) for size in ((1, 1), (227, 320), (264, 1048)))],
)
def test_picture_tiles_in_onnx_runtime_are_those_of_the_reference_with_the_same_bits_in_a_batch(
    height: int, width: int
) -> None:
    key, added = FeatureKey.picture_tiles(3, 5), (Fraction(1, 7), Fraction(0))
    options = session_options()
    options.intra_op_num_threads = 1  # several divide a tensor of logarithms, whose last bits change at the seams
    model = feature_graph(PIXELS, (3, height, width), (key,), classes=False, added=added)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    frames = np.random.default_rng(0).integers(0, 256, (3, 3, height, width)).astype(np.float32)
    frames[1] //= 40
    rows = session.run([str(key)], {PIXELS: frames})[0]
    assert (rows.shape, rows.dtype) == ((3, 15 * WIDTH), np.float32)
    for frame, row in zip(frames, rows, strict=True):
        np.testing.assert_array_equal(session.run(None, {PIXELS: frame[None]})[0][0], row)
        wanted = reference_picture_tiles(frame.transpose(1, 2, 0).astype(np.float64), 3, 5, added)
        np.testing.assert_allclose(row, wanted, rtol=0, atol=TOLERANCE)


@given(st.integers(0, 2**32 - 1))
def test_picture_tiles_change_where_the_picture_does_and_nowhere_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.integers(100, 140, (32, 64, 3), np.uint8)
    row, column = rng.integers(2), rng.integers(4)
    faulty = whole.copy()
    faulty[16 * row + 3, 16 * column : 16 * column + 16] = 255
    clean, found = in_torch(whole, 2, 4), in_torch(faulty, 2, 4)
    changed = (clean != found).any(axis=2)
    assert changed[row, column]
    assert changed.sum() == 1
    assert (found[row, column, -4:-2] > clean[row, column, -4:-2]).all()


@given(st.integers(0, 255), st.integers(8, 90), st.integers(8, 200), GRIDS)
def test_picture_tiles_of_one_colour_have_no_deviation(
    level: int, height: int, width: int, grid: tuple[int, int]
) -> None:
    numbers = in_torch(np.full((height, width, 3), level, np.uint8), *grid)
    assert (numbers[..., 84:87] == level).all()
    np.testing.assert_array_equal(numbers[..., 87:90], np.float32(np.log(1e-5)))


@pytest.mark.parametrize("pad", [(0, 0), (3, 5)])
def test_share_of_padding_is_that_of_the_contract(pad: tuple[int, int]) -> None:
    contract = InputContract("rgb", 24, 40, 6, 10, None, "bilinear-antialias", (0.5,) * 3, (0.2,) * 3, "rgb", pad)
    shares = Fraction(pad[0], 6), Fraction(pad[1], 10)
    assert preprocessing(pad=pad).added == InputReference(contract).added == shares
    edges, down = contract.tile_edges(4, 8), tile_spans(3 * 8, 4, shares[0])
    assert [start for start, _ in down[:3]] == [int(edge) for edge in edges.down[:3]]
