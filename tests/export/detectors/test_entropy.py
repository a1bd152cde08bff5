# SPDX-License-Identifier: Apache-2.0
"""The entropy estimate against the formula of its papers, one KD-tree a dimension."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from export.detectors.entropy import latent_entropy
from export.detectors.entropy_constants import MIN_DIST
from export.graphs.detector import entropy_graph
from tests.kozachenko_leonenko import entropy_by_tree


def by_trees(latent_samples: NDArray[np.floating], neighbors: int) -> NDArray[np.float64]:
    frames, _, channels = latent_samples.shape
    return np.array(
        [
            [entropy_by_tree(latent_samples[b, :, c], neighbors, MIN_DIST) for c in range(channels)]
            for b in range(frames)
        ]
    )


shapes = st.tuples(st.integers(1, 3), st.integers(2, 40), st.integers(1, 6))


@settings(max_examples=60, deadline=None)
@given(shapes, st.integers(0, 2**32 - 1), st.floats(-3, 3), st.data())
def test_latent_entropy_of_any_samples_equals_the_estimate_by_trees(
    shape: tuple[int, int, int], seed: int, log_scale: float, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.normal(rng.normal(0, 5), 10**log_scale, size=shape)
    neighbors = data.draw(st.integers(1, shape[1] - 1))
    np.testing.assert_allclose(latent_entropy(samples, neighbors), by_trees(samples, neighbors), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(shapes.filter(lambda shape: shape[1] > 2), st.integers(0, 2**32 - 1), st.data())
def test_entropy_graph_of_any_samples_equals_the_estimate_by_trees(
    shape: tuple[int, int, int], seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=shape).astype(np.float32)
    samples[:, :, 0] = samples[:, :1, 0]  # a dead channel: every distance at the floor
    neighbors = data.draw(st.integers(1, shape[1] - 1))
    session = ort.InferenceSession(entropy_graph(shape[1], shape[2], neighbors).SerializeToString())
    (entropy,) = session.run(None, {"latent_samples": samples})
    np.testing.assert_allclose(entropy, by_trees(samples.astype(np.float64), neighbors), atol=2e-5)


def test_latent_entropy_of_many_gaussian_samples_approaches_the_true_entropy() -> None:
    samples = np.random.default_rng(0).normal(scale=2, size=(1, 20_000, 4))
    np.testing.assert_allclose(latent_entropy(samples), norm(scale=2).entropy(), atol=0.03)


def test_latent_entropy_of_samples_in_another_order_is_the_same() -> None:
    rng = np.random.default_rng(1)
    samples = rng.normal(size=(2, 16, 8))
    np.testing.assert_array_equal(latent_entropy(samples), latent_entropy(samples[:, rng.permutation(16)]))


@pytest.mark.parametrize(("samples", "neighbors"), [(5, 5), (3, 7), (8, 0)])
def test_latent_entropy_of_no_more_samples_than_neighbours_is_refused(samples: int, neighbors: int) -> None:
    message = rf"S = {samples} and k = {neighbors}"
    with pytest.raises(ValueError, match=message):
        latent_entropy(np.zeros((1, samples, 2)), neighbors)
    with pytest.raises(ValueError, match=message):
        entropy_graph(samples, 2, neighbors)
