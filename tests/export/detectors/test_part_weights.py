# SPDX-License-Identifier: Apache-2.0
"""Weights of parts: learnt where they serve kinds of shift that taught nothing, equal where they do not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from export.detectors import part_weights as module
from export.detectors.cross_fit import deal_folds
from export.detectors.part_weights import learn_weights
from export.errors import CalibrationError

PartShares = NDArray[np.float64]
DRIVES = [f"drive{i // 10}" for i in range(200)]


def draw(shifts_of_parts: dict[str, list[float]], seed: int = 0) -> tuple[PartShares, dict[str, PartShares]]:
    """PartShares of three parts, the first of which is noise of three times the size."""
    rng = np.random.default_rng(seed)
    scale = np.array([3.0, 1.0, 1.0])
    ind = rng.normal(size=(200, 3)) * scale
    return ind, {kind: rng.normal(size=(80, 3)) * scale + shift for kind, shift in shifts_of_parts.items()}


def test_learn_weights_of_a_part_of_noise_lowers_its_weight() -> None:
    kinds = {f"kind{i}": [0, 1.0 + 0.1 * i, 1.5 - 0.1 * i] for i in range(6)}
    ind, shifts = draw(kinds)
    found = learn_weights(ind, DRIVES, shifts)
    assert found.learnt
    assert found.weights[0] < 0.5 < min(found.weights[1:])
    assert np.mean(found.weights) == pytest.approx(1)
    assert min(found.weights) >= 0
    assert [row.kind for row in found.table] == list(kinds)
    assert all(row.learnt > row.equal for row in found.table)
    assert "AUROC on 6 kinds of shift left out in turn" in found.reason
    assert found.reason.startswith("learnt weights: +")


def test_learn_weights_of_kinds_that_each_speak_in_another_part_stay_equal() -> None:
    """What one kind teaches is wrong for the next: the very case that in-sample figures hide."""
    rng = np.random.default_rng(1)
    ind = rng.normal(size=(200, 3))
    shifts = {f"kind{i}": rng.normal(size=(80, 3)) + 2.5 * np.eye(3)[i] for i in range(3)}
    found = learn_weights(ind, DRIVES, shifts)
    assert not found.learnt
    assert found.weights == (1.0, 1.0, 1.0)
    assert found.reason.startswith("the parts' own weights: learnt ones change ")


def test_learn_weights_table_judges_by_frames_that_taught_nothing() -> None:
    """By scikit-learn's AUROC, with the fit replaced by fixed weights: equal on one half, a single part on the other."""
    ind, shifts = draw({"a": [0, 1, 0], "b": [0, 0, 1]})
    halves = deal_folds(DRIVES, 2, 0)
    taught: list[tuple[int, ...]] = []

    def fit(rows: PartShares, others: list[PartShares], _: float) -> PartShares:
        half = 0 if np.array_equal(rows, ind[halves[0]]) else 1
        taught.append((half, *(k for k in range(2) if any(o is list(shifts.values())[k] for o in others))))
        return np.array([0.0, 1.0, 0.0]) if half == 0 else np.array([0.0, 0.0, 1.0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_fit", fit)
        table = learn_weights(ind, DRIVES, shifts).table
    assert taught[:4] == [(0, 1), (1, 1), (0, 0), (1, 0)]
    expected = [
        roc_auc_score(
            np.repeat([0, 1], [len(halves[1 - half]), 80]),
            np.r_[ind[halves[1 - half], 1 + half], shifts["a"][:, 1 + half]],
        )
        for half in (0, 1)
    ]
    assert table[0].learnt == pytest.approx(np.mean(expected))


def test_fit_of_weights_without_a_ridge_equals_scikit_learns_logistic_regression() -> None:
    ind, shifts = draw({"a": [2, 1.5, 1], "b": [1, 1, 2]})
    weights = module._fit(ind, list(shifts.values()), 0.0)
    rows, labels = np.vstack([ind, *shifts.values()]), np.repeat([0, 1], [200, 160])
    portions = np.repeat([0.5 / 200, 0.5 / 160], [200, 160])
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(rows, labels, portions * 1e4).coef_[0]
    assert (reference > 0).all(), "else the bound would bind"
    np.testing.assert_allclose(weights, reference * 3 / reference.sum(), rtol=1e-3)


@pytest.mark.parametrize(
    ("shifts", "message"),
    [
        ({}, "two or more kinds of shift to learn weights from, got none"),
        ({"fog": np.ones((5, 3))}, "got fog"),
        ({"fog": np.ones((5, 3)), "rain": np.ones((0, 3))}, "got fog, rain"),
        ({"fog": np.ones((5, 3)), "rain": np.full((5, 3), np.inf)}, "finite shares"),
    ],
)
def test_learn_weights_of_too_few_kinds_or_infinite_shares_is_refused(
    shifts: dict[str, PartShares], message: str
) -> None:
    with pytest.raises(CalibrationError, match=message):
        learn_weights(draw({})[0], DRIVES, shifts)
