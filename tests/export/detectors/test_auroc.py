# SPDX-License-Identifier: Apache-2.0
"""The area under the ROC curve against its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.detectors.auroc import auroc


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_auroc_of_any_scores_is_the_share_of_pairs_in_order_with_ties_by_half(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ind, ood = rng.integers(0, 6, n).astype(np.float64), rng.integers(1, 8, m).astype(np.float64)
    pairs = [(b > a) + (b == a) / 2 for a in ind for b in ood]
    assert auroc(ind, ood) == pytest.approx(np.mean(pairs))
