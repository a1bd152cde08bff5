# SPDX-License-Identifier: Apache-2.0
"""The classifier's posterior against scipy's direct sum, and as a scikit-learn estimator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.neighbors import KernelDensity
from sklearn.utils.estimator_checks import parametrize_with_checks

from export.detectors.kde_classifier import KDEClassifier

Array = NDArray[np.float64]


def log_joint(rows: Array, members: Array, bandwidth: float, prior: float) -> Array:
    """``log p(h | c) + log pi_c``, from the differences themselves."""
    squared = ((rows[:, None] - members[None]) ** 2).sum(axis=-1)
    normaliser = rows.shape[1] / 2 * np.log(2 * np.pi * bandwidth**2)
    density: Array = logsumexp(-squared / (2 * bandwidth**2), axis=1) - np.log(len(members)) - normaliser
    joint: Array = density + np.log(prior)
    return joint


def direct_posterior(rows: Array, X: Array, y: NDArray[np.int64], bandwidth: float) -> Array:
    joint = np.column_stack([log_joint(rows, X[y == c], bandwidth, float((y == c).mean())) for c in np.unique(y)])
    posterior: Array = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    return posterior


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(2, 30), min_size=2, max_size=4),
    st.integers(1, 20),
    st.floats(0.2, 3),
    st.sampled_from([0.0, 3.0, 300.0]),
    st.integers(0, 2**32 - 1),
)
def test_kde_classifier_at_any_row_gives_the_posterior_of_the_direct_sum(
    counts: list[int], dimensions: int, bandwidth: float, distance: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    X = rng.normal(size=(len(y), dimensions)) + 0.5 * y[:, None]
    rows = rng.normal(size=(9, dimensions)) + distance * rng.choice([-1, 1], size=(9, 1))
    classifier = KDEClassifier(bandwidth).fit(X, y)
    expected = direct_posterior(rows, X, y, bandwidth)
    for posterior in (classifier.predict_proba(rows), classifier.pred_prob(rows), classifier.predict_prob(rows)):
        np.testing.assert_allclose(posterior, expected, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(posterior.sum(axis=1), 1)
    np.testing.assert_array_equal(classifier.predict(rows), expected.argmax(axis=1))
    np.testing.assert_array_equal(classifier.predict_label(rows), expected.argmax(axis=1))


def test_kde_classifier_with_labels_of_any_kind_gives_them_back() -> None:
    X = np.array([[0.0], [0.1], [5.0], [5.1]])
    classifier = KDEClassifier(0.5).fit(X, ["road", "road", "fog", "fog"])
    assert classifier.predict_label(X).tolist() == ["road", "road", "fog", "fog"]
    assert classifier.classes_.tolist() == ["fog", "road"]
    assert classifier.predict_proba(X)[0, 1] > 0.99


def test_kernel_density_of_scikit_learn_in_a_classifier_gives_another_posterior() -> None:
    """The guide's own density: exact in a single leaf, wrong by its default one, to the point of other verdicts."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 500)
    X = rng.normal(size=(1000, 58)) + 0.3 * y[:, None]
    rows = rng.normal(size=(200, 58)) + 0.3 * rng.integers(0, 2, (200, 1)) + 0.5
    exact = KDEClassifier(0.8).fit(X, y).predict_proba(rows)[:, 1]

    def with_scikit_learn(leaf_size: int) -> Array:
        logs = [
            KernelDensity(bandwidth=0.8, leaf_size=leaf_size).fit(X[y == c]).score_samples(rows) + np.log(0.5)
            for c in (0, 1)
        ]
        posterior: Array = np.exp(logs[1] - logsumexp(logs, axis=0))
        return posterior

    np.testing.assert_allclose(with_scikit_learn(500), exact, atol=1e-6)
    default = with_scikit_learn(40)
    assert np.abs(default - exact).max() > 0.9
    assert ((default > 0.5) != (exact > 0.5)).mean() > 0.05


@parametrize_with_checks([KDEClassifier()])  # type: ignore[untyped-decorator]
def test_kde_classifier_under_the_checks_of_scikit_learn_passes(estimator: KDEClassifier, check: object) -> None:
    assert callable(check)
    check(estimator)


@pytest.mark.parametrize(
    ("labels", "bandwidth", "message"),
    [([0, 0, 0, 0], 1.0, "two classes"), ([0, 0, 0, 1], 1.0, "minimum of 2"), ([0, 0, 1, 1], 0.0, "above 0")],
)
def test_kde_classifier_of_one_class_or_one_row_is_refused(labels: list[int], bandwidth: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KDEClassifier(bandwidth).fit(np.arange(8.0).reshape(4, 2), labels)
