# SPDX-License-Identifier: Apache-2.0
"""The guide's training and test rows: order, labels, and the projection against a singular value decomposition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.errors import UsageError
from export.guide.ood_dataset import build_ood_detection_ds

Array = NDArray[np.float64]
Four = tuple[Array, Array, Array, Array]


def entropies(seed: int, counts: tuple[int, int, int, int] = (20, 12, 9, 7), channels: int = 24) -> Four:
    rng = np.random.default_rng(seed)
    a, b, c, d = (rng.normal(size=(count, channels)) * np.linspace(3, 0.5, channels) for count in counts)
    return a, b, c, d


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(1, 12)] * 4), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_build_ood_detection_ds_of_four_sets_stacks_ind_first(
    counts: tuple[int, int, int, int], channels: int, seed: int
) -> None:
    sets = entropies(seed, counts, channels)
    train, train_labels, test, test_labels = build_ood_detection_ds(*sets, apply_pca=False)
    np.testing.assert_array_equal(train, np.concatenate(sets[:2]))
    np.testing.assert_array_equal(test, np.concatenate(sets[2:]))
    assert train_labels.tolist() == [0] * counts[0] + [1] * counts[1]
    assert test_labels.tolist() == [0] * counts[2] + [1] * counts[3]


@pytest.mark.parametrize("whiten", [True, False])
def test_build_ood_detection_ds_with_pca_equals_the_decomposition_of_the_training_rows(whiten: bool) -> None:
    sets = entropies(0)
    train, _, test, _ = build_ood_detection_ds(*sets, pca_whiten=whiten)
    raw, raw_test = np.concatenate(sets[:2]), np.concatenate(sets[2:])
    _, singular, axes = np.linalg.svd(raw - raw.mean(axis=0), full_matrices=False)
    scale = np.sqrt(len(raw) - 1) / singular[:16] if whiten else np.ones(16)
    for got, rows in ((train, raw), (test, raw_test)):
        expected = (rows - raw.mean(axis=0)) @ axes[:16].T * scale
        np.testing.assert_allclose(np.abs(got), np.abs(expected), atol=1e-6)  # the sign of an axis is free
    np.testing.assert_allclose(train.var(axis=0, ddof=1)[: 16 if whiten else 0], 1)


def test_build_ood_detection_ds_of_a_random_state_repeats() -> None:
    sets = entropies(1, (300, 300, 20, 20), 200)
    first, again, other = (build_ood_detection_ds(*sets, random_state=state)[2] for state in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("which", "replacement", "message"),
    [
        (0, np.zeros(24), "ind_valid_data"),
        (1, np.zeros((0, 24)), "ood_valid_data"),
        (2, np.zeros((5, 23)), "ind_test_data"),
        (3, np.full((5, 24), np.inf), "infinity in ood_test_data"),
    ],
)
def test_build_ood_detection_ds_of_sets_that_do_not_fit_is_refused(
    which: int, replacement: Array, message: str
) -> None:
    a, b, c, d = (replacement if i == which else rows for i, rows in enumerate(entropies(2)))
    with pytest.raises(UsageError, match=message):
        build_ood_detection_ds(a, b, c, d)


@pytest.mark.parametrize("components", [0, 25])
def test_build_ood_detection_ds_of_too_many_components_is_refused(components: int) -> None:
    with pytest.raises(UsageError, match="expected 1 to 24 components"):
        build_ood_detection_ds(*entropies(2), pca_nro_comp=components)
