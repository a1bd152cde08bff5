# SPDX-License-Identifier: Apache-2.0
"""Features of the output in torch and in ONNX Runtime against NumPy in float64."""

from functools import cache

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax
from scipy.stats import entropy as shannon
from torch import nn

from export.features.key import OUTPUT_FEATURES, OUTPUT_SCORES, Aggregate, FeatureKey, FeatureKind
from export.graphs.evaluation_outputs import map_features
from export.graphs.monitor_forms import cpu_session
from export.graphs.output_features import GRID_PIXELS, OutputFeatures, grid_stride
from export.graphs.segmentation import feature_graph
from export.layers.channel_moments import MIN_DEVIATION

Arrays = dict[FeatureKey, NDArray[np.float32]]
CLASSES = 5


@cache
def session(height: int, width: int) -> ort.InferenceSession:
    return cpu_session(feature_graph("logits", (CLASSES, height, width), OUTPUT_FEATURES, classes=False))


def in_onnx_runtime(logits: NDArray[np.float32]) -> Arrays:
    results = session(*logits.shape[2:]).run(list(map(str, OUTPUT_FEATURES)), {"logits": logits})
    return dict(zip(OUTPUT_FEATURES, results, strict=True))


def in_torch(logits: NDArray[np.float32]) -> Arrays:
    features = OutputFeatures(torch.from_numpy(logits))
    return {key: features[key].numpy() for key in OUTPUT_FEATURES}


def expected(logits: NDArray[np.float32], stride: int) -> dict[FeatureKey, NDArray[np.float64]]:
    """Features of one frame's logits ``(K, h, w)``."""
    values = logits.astype(np.float64)
    classes = values.argmax(axis=0)
    edge = np.zeros(classes.shape, bool)
    beside, below = classes[:, 1:] != classes[:, :-1], classes[1:] != classes[:-1]
    edge[:, 1:] |= beside
    edge[:, :-1] |= beside
    edge[1:] |= below
    edge[:-1] |= below
    grid, edge, shown = values[:, ::stride, ::stride], edge[::stride, ::stride].ravel(), classes[::stride, ::stride]
    pixels = grid.reshape(len(grid), -1)
    scores = {
        FeatureKind.PREDICTIVE_ENTROPY: shannon(softmax(pixels, axis=0), axis=0),
        FeatureKind.MAXIMUM_SOFTMAX: -softmax(pixels, axis=0).max(axis=0),
        FeatureKind.MAXIMUM_LOGIT: -pixels.max(axis=0),
        FeatureKind.ENERGY: -logsumexp(pixels, axis=0),
    }
    found = {
        FeatureKey(FeatureKind.LOGIT_MOMENTS): np.r_[pixels.mean(1), np.log(np.maximum(pixels.std(1), MIN_DEVIATION))],
        FeatureKey(FeatureKind.CLASS_SHARE): np.array([(shown == number).mean() for number in range(len(grid))]),
        FeatureKey(FeatureKind.EXPECTED_IOU): expected_iou(softmax(pixels, axis=0), shown.ravel()),
    }
    for kind, score in scores.items():
        worst = np.sort(score)[::-1][: int(np.ceil(0.05 * score.size))]
        aggregates = {
            Aggregate.MEAN: score.mean(),
            Aggregate.Q90: np.quantile(score, 0.9),
            Aggregate.Q95: np.quantile(score, 0.95),
            Aggregate.WORST5: worst.mean(),
            Aggregate.BOUNDARY: score[edge].mean() if edge.any() else score.mean(),
            Aggregate.INTERIOR: score[~edge].mean() if not edge.all() else score.mean(),
        }
        found |= {FeatureKey.output_score(kind, aggregate): np.array([one]) for aggregate, one in aggregates.items()}
    return found


def expected_iou(probabilities: NDArray[np.float64], shown: NDArray[np.int64]) -> NDArray[np.float64]:
    """Overlap of the class map ``(n,)`` with fuzzy labels ``(K, n)``, by the row and the column sums of their confusion."""
    confusion = np.stack([probabilities[:, shown == number].sum(axis=1) for number in range(len(probabilities))])
    unions = confusion.sum(axis=0) + confusion.sum(axis=1) - confusion.diagonal()
    return np.where(unions > 0, confusion.diagonal() / np.maximum(unions, 1e-300), 0)


def smooth_logits(rng: np.random.Generator, height: int, width: int, coarse: int = 4) -> NDArray[np.float32]:
    """Logits of two frames with regions of one class."""
    small = torch.from_numpy(5 * rng.normal(size=(2, CLASSES, coarse, coarse)).astype(np.float32))
    large = nn.functional.interpolate(small, size=(height, width), mode="bilinear").numpy()
    return (large + 0.01 * rng.normal(size=large.shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("height", "width", "stride"), [(1, 1, 1), (7, 9, 1), (24, 32, 1), (65, 127, 2), (130, 254, 4), (257, 511, 8)]
)
def test_output_features_of_any_size_equal_those_of_numpy(height: int, width: int, stride: int) -> None:
    assert grid_stride(height, width) == stride
    logits = smooth_logits(np.random.default_rng(height), height, width)
    both = in_torch(logits), in_onnx_runtime(logits)
    for frame in range(2):
        for key, values in expected(logits[frame], stride).items():
            for got in both:
                np.testing.assert_allclose(got[key][frame], values, rtol=1e-4, atol=1e-5, err_msg=str(key))
                assert got[key].dtype == np.float32


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.one_of(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.just((65, 127))),
    st.floats(-1e4, 1e4),
    st.floats(0, 1e4),
)
def test_output_features_of_logits_far_from_zero_equal_those_of_numpy(
    seed: int, size: tuple[int, int], offset: float, apart: float
) -> None:
    """All logits are far from 0, and one class is so far below the others that it never occurs."""
    rng = np.random.default_rng(seed)
    logits = smooth_logits(rng, *size) + np.float32(offset)
    logits[:, rng.integers(CLASSES)] -= np.float32(apart)
    results = [in_torch(logits), *([in_onnx_runtime(logits)] if size == (65, 127) else [])]
    for got in results:
        for frame in range(2):
            for key, values in expected(logits[frame], grid_stride(*size)).items():
                np.testing.assert_allclose(got[key][frame], values, rtol=1e-4, atol=1e-5, err_msg=str(key))


def test_grid_of_a_large_output_keeps_its_pixels_and_takes_every_eighth_at_most() -> None:
    sizes = [(62, 127), (64, 128), (124, 255), (128, 256), (256, 512), (1024, 2048)]
    assert [grid_stride(*size) for size in sizes] == [1, 2, 2, 4, 8, 8]
    assert GRID_PIXELS == 32 * 64


def test_output_features_of_a_sure_and_an_unsure_network_are_the_extremes() -> None:
    logits = np.zeros((2, CLASSES, 7, 9), np.float32)
    logits[0, 1] = 200
    for got in (in_torch(logits), in_onnx_runtime(logits)):
        for aggregate in Aggregate:  # of one class everywhere: no pixel is on a boundary
            scores = np.array([got[FeatureKey.output_score(kind, aggregate)][:, 0] for kind in OUTPUT_SCORES]).T
            np.testing.assert_allclose(scores[0], [0, -1, -200, -200], atol=1e-4)
            np.testing.assert_allclose(scores[1], [np.log(CLASSES), -1 / CLASSES, 0, -np.log(CLASSES)], atol=1e-5)
        np.testing.assert_array_equal(got[FeatureKey(FeatureKind.CLASS_SHARE)], np.eye(CLASSES)[[1, 0]])
        # the first class is shown everywhere, and each pixel promises every class alike
        promised = np.stack([np.eye(CLASSES)[1], np.eye(CLASSES)[0] / CLASSES])
        np.testing.assert_allclose(got[FeatureKey(FeatureKind.EXPECTED_IOU)], promised, atol=1e-6)


def test_output_features_of_a_checkerboard_have_no_interior_and_stay_finite() -> None:
    odd = np.indices((7, 9)).sum(axis=0) % 2
    logits = np.stack([3 * (odd == number) for number in range(CLASSES)])[None].astype(np.float32)
    for got in (in_torch(logits), in_onnx_runtime(logits)):
        for kind in OUTPUT_SCORES:
            mean = got[FeatureKey.output_score(kind)]
            for aggregate in (Aggregate.BOUNDARY, Aggregate.INTERIOR):
                np.testing.assert_allclose(got[FeatureKey.output_score(kind, aggregate)], mean, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (3, 5)])
def test_output_features_of_logits_that_are_not_finite_are_not_finite(value: float, place: tuple[int, int]) -> None:
    """One value is enough. Shares of classes are counts, and minus infinity is a class that is ruled out."""
    logits = smooth_logits(np.random.default_rng(0), 24, 32)
    logits[0, 2, place[0], place[1]] = value
    for got in (in_torch(logits), in_onnx_runtime(logits)):
        for key in OUTPUT_FEATURES:
            assert np.isfinite(got[key][1]).all(), key
            ruled_out = value == -np.inf and key.kind in (
                FeatureKind.MAXIMUM_LOGIT,
                FeatureKind.MAXIMUM_SOFTMAX,
                FeatureKind.ENERGY,
                FeatureKind.EXPECTED_IOU,
            )
            if key.kind is not FeatureKind.CLASS_SHARE and not ruled_out:
                assert not np.isfinite(got[key][0]).all(), key


@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 50), (65, 127), (256, 510)])
@pytest.mark.parametrize("finer", [1, 2, 3, 4])
def test_map_of_logits_is_that_of_evenly_spaced_rows_and_columns(height: int, width: int, finer: int) -> None:
    logits = torch.randn(2, 3, height, width)
    (key,) = map_features({}, (height, width), (height * finer, width * finer))
    stride = 4 // finer
    expected = logits[:, :, ::stride, ::stride]
    assert key.grid == tuple(expected.shape[2:])
    torch.testing.assert_close(OutputFeatures(logits)[key], expected.flatten(1), rtol=0, atol=0)
