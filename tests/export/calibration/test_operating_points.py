# SPDX-License-Identifier: Apache-2.0
"""Operating points as a user types them."""

import pytest

from export.calibration.operating_points import parse_operating_points
from export.errors import UsageError


def test_parse_operating_points_rates_are_named() -> None:
    assert parse_operating_points(["0.05", "strict=0.01", "0.125"]) == {"5%": 0.05, "strict": 0.01, "12.5%": 0.125}


@pytest.mark.parametrize("texts", [["5"], ["0"], ["x"], ["a=b"], ["=0.1"], ["0.1", "10%=0.2"], ["nan"], ["a\nb=0.1"]])
def test_parse_operating_points_of_no_rates_is_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="expected"):
        parse_operating_points(texts)
