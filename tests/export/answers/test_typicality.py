# SPDX-License-Identifier: Apache-2.0
"""How typical frames are of causes, against SciPy's Mahalanobis distance in covariances that the test computes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import empirical_covariance

from export.answers.typicality import NO_LIMIT, PRIOR_FRAMES, fit_typicality, typical
from tests.drawn_examples import examples

NAMES = ("none", "fog", "mud")
Drawn = tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.int64]]


def drawn(seed: int, frames: int, columns: int) -> Drawn:
    """Columns, kind and severity of frames, of which those of each kind spread in directions of their own."""
    rng = np.random.default_rng(seed)
    kind = np.array([NAMES[i % 3] for i in range(frames)])
    severity = np.where(kind == "none", 0, 1 + np.arange(frames) // 3 % 5)
    mixing = rng.normal(size=(3, columns, columns)) * rng.uniform(0.1, 3, size=(3, 1, columns))
    places = np.array([NAMES.index(name) for name in kind])
    move = rng.normal(size=(3, columns))
    rows = np.einsum("nd,nde->ne", rng.normal(size=(frames, columns)), mixing[places])
    return rows + move[places] * severity[:, None], kind, severity.astype(np.int64)


def reference(
    rows: NDArray[np.float64], kind: NDArray[np.str_], severity: NDArray[np.int64], new: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared distances of new frames to the kinds, cell by cell, in the columns' own units."""
    cells = sorted({(name, int(level)) for name, level in zip(kind, severity, strict=True)})
    means = {cell: rows[(kind == cell[0]) & (severity == cell[1])].mean(axis=0) for cell in cells}
    rest = np.stack([row - means[name, int(level)] for row, name, level in zip(rows, kind, severity, strict=True)])
    shared = len(rows) / (len(rows) - len(cells)) * empirical_covariance(rest, assume_centered=True)
    floor = 1e-3 * np.diag(np.diag(shared))
    found = []
    for name in NAMES:
        own, levels = rest[kind == name], [cell for cell in cells if cell[0] == name]
        scatter = len(own) * empirical_covariance(own, assume_centered=True)
        blended = (scatter + PRIOR_FRAMES * shared) / (len(own) - len(levels) + PRIOR_FRAMES)
        inverse = np.linalg.inv(blended + floor)
        found.append([min(mahalanobis(row, means[cell], inverse) for cell in levels) ** 2 for row in new])
    return np.array(found).T


@settings(max_examples=examples(8), deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(40, 150))
def test_typicality_distances_are_those_of_mahalanobis_in_a_blended_covariance(
    seed: int, columns: int, frames: int
) -> None:
    rows, kind, severity = drawn(seed, frames, columns)
    new = 2 * drawn(seed ^ 1, 12, columns)[0]
    found = fit_typicality(rows, kind, severity, NAMES).distances(new)
    np.testing.assert_allclose(found, reference(rows, kind, severity, new), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_typicality_takes_half_of_a_probability_at_the_limit_and_spreads_what_it_takes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares, limits, temperature = rng.dirichlet(np.ones(4), 5), rng.uniform(1, 9, 4), rng.uniform(1, 5)
    at_limit = typical(shares, np.tile(limits, (5, 1)), limits, temperature)
    np.testing.assert_allclose(at_limit, shares / 2 + 1 / 8, rtol=1e-12)
    np.testing.assert_allclose(typical(shares, np.zeros((5, 4)), np.full(4, 1e9), temperature), shares, rtol=1e-12)
    np.testing.assert_allclose(typical(shares, np.full((5, 4), 1e9), limits, temperature), 0.25, rtol=1e-12)
    distances = rng.uniform(0, 12, (5, 4))
    kept = shares / (1 + np.exp((distances - limits) / 2 / temperature))
    told = typical(shares, distances, limits, temperature)
    np.testing.assert_allclose(told, kept + (1 - kept.sum(axis=1))[:, None] / 4, rtol=1e-12)
    np.testing.assert_allclose(told.sum(axis=1), 1, rtol=1e-12)


def test_typicality_of_a_fit_without_limits_leaves_every_probability_as_it_is() -> None:
    rows, kind, severity = drawn(0, 60, 4)
    fitted = fit_typicality(rows, kind, severity, NAMES)
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    np.testing.assert_allclose(fitted(shares, 1e3 * rows), shares, rtol=1e-9)
    assert (fitted.distances(rows) < NO_LIMIT).all()


def test_typicality_of_a_kind_without_a_frame_keeps_every_frame_from_it() -> None:
    rows, kind, severity = drawn(1, 60, 4)
    some = kind != "fog"
    fitted = fit_typicality(rows[some], kind[some], severity[some], NAMES)
    assert (fitted.distances(rows)[:, 1] == NO_LIMIT).all()


def test_typicality_of_no_more_frames_than_cells_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^expected more frames than cells, got 3 and 3: fit more frames$"):
        fit_typicality(np.zeros((3, 2)), np.array(NAMES), np.array([0, 1, 1]), NAMES)


def test_typicality_of_a_constant_column_is_finite() -> None:
    rows, kind, severity = drawn(2, 60, 3)
    rows[:, 1] = 4.0
    found = fit_typicality(rows, kind, severity, NAMES).distances(rows)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
