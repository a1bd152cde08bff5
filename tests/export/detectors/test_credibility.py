# SPDX-License-Identifier: Apache-2.0
"""How far fitted parts are believed, by the number of drives that fitted them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.detectors.credibility import HALF_CREDIBLE, credibility, drives_advice, effective_drives

DRIVES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40)


@given(DRIVES)
def test_effective_drives_of_any_table_is_the_inverse_variance_of_the_mean(drives: list[str]) -> None:
    """Frames of a drive share an offset of variance 1: the mean over all frames varies as one over that many drives."""
    names = np.array(drives)
    covariance = (names[:, None] == names[None]).astype(float)
    mean = np.full(len(drives), 1 / len(drives))
    assert effective_drives(drives) == pytest.approx(1 / (mean @ covariance @ mean))
    assert 1 <= effective_drives(drives) <= len(set(drives)) + 1e-9
    assert effective_drives(drives[::-1]) == pytest.approx(effective_drives(drives))


@given(st.integers(1, 50), st.integers(1, 9))
def test_effective_drives_of_equal_size_is_their_number(number: int, frames: int) -> None:
    drives = [str(i) for i in range(number)] * frames
    assert effective_drives(drives) == pytest.approx(number)
    assert credibility(drives) == pytest.approx(number / (number + HALF_CREDIBLE))


def test_credibility_of_more_drives_rises_from_a_ninth_to_nearly_one() -> None:
    steps = [credibility([str(i) for i in range(number)]) for number in (1, 2, 8, 70, 10_000)]
    assert (np.diff(steps) > 0).all()
    assert steps[0] == pytest.approx(1 / 9)
    assert steps[2] == pytest.approx(1 / 2)
    assert 0.99 < steps[-1] < 1


@given(DRIVES, st.booleans())
def test_drives_advice_is_given_where_fitted_parts_have_less_than_half_of_their_weights(
    drives: list[str], named: bool
) -> None:
    advice = drives_advice(drives, named=named)
    assert (advice is None) == (credibility(drives) >= 0.5)
    if advice is not None:
        assert f"count as {effective_drives(drives):.1f} drives" in advice
        assert ("name the drives by --group-by" in advice) == (not named)
        assert "calibrate on more of them: 8 give half" in advice
