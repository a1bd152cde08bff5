# SPDX-License-Identifier: Apache-2.0
"""How far an anomaly map is from that at export: a few cells may differ, but no region as large as an object."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from lsood_runtime._bundle.answers_records import ANOMALY_MAP, TILES
from lsood_runtime._inference.self_test import _distance


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 40))
def test_distance_of_maps_is_the_largest_that_a_region_of_an_object_or_a_hundredth_of_the_cells_has(
    seed: int, smallest: int, differing: int
) -> None:
    rng = np.random.default_rng(seed)
    expected = rng.normal(size=(20, 30)).astype(np.float32)
    got = expected.copy()
    got.ravel()[rng.permutation(600)[:differing]] += rng.integers(1, 6, differing).astype(np.float32)
    apart = np.abs(got - expected)
    usual = float(np.quantile(apart, 0.99))
    found = [usual]
    for value in np.unique(apart[apart > usual]):
        regions, count = label(apart >= value, np.ones((3, 3)))
        found += [float(value)] * any((regions == number).sum() >= smallest for number in range(1, count + 1))
    assert _distance(ANOMALY_MAP, got, expected, smallest) == pytest.approx(max(found))


@pytest.mark.parametrize(("cells", "seen"), [(3, False), (4, True)])
def test_few_cells_differ_unseen_until_they_are_as_large_as_an_object(cells: int, seen: bool) -> None:
    expected = np.zeros((56, 80), np.float32)
    got = expected.copy()
    got[10, 10 : 10 + cells] = 9
    got[30, ::9] = 9  # far from one another
    assert _distance(ANOMALY_MAP, got, expected, 4) == (9 if seen else 0)
    assert _distance(TILES, got, expected, 4) == 9
    got[0, 0] = np.nan
    assert np.isnan(_distance(ANOMALY_MAP, got, expected, 4))
