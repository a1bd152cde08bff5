# SPDX-License-Identifier: Apache-2.0
"""Alarms take at most 1.5 times as long as by the rules before them: a small form of the table in the documentation."""

from typing import Any

import numpy as np
import pytest

from lsood_runtime import read_manifest
from tests.examples.loading import load_example
from tests.paths import FROZEN_BUNDLE

delays: Any = load_example("alarm_delays")
LAYOUT = read_manifest(FROZEN_BUNDLE)


def test_delays_of_the_cusum_are_at_most_one_and_a_half_of_the_earlier_ones() -> None:
    rows = list(delays.of_delays(LAYOUT, 12, np.random.default_rng(3)))
    assert [str(row) for row in rows if row.broken] == []
    assert any((row.now > row.earlier).any() for row in rows), "the comparison would pass without a difference as well"


@pytest.mark.slow
def test_delays_of_chosen_windows_are_at_most_one_and_a_half_of_the_earlier_ones() -> None:
    rows = list(delays.of_chosen_windows(LAYOUT, 20, np.random.default_rng(3)))
    assert [str(row) for row in rows if row.broken] == []


def test_delay_rows_above_one_and_a_half_are_called_broken() -> None:
    earlier, stated = np.array([10.0, 10.0]), np.array([True, True])
    assert not delays.DelayRow("1/h", "", earlier, np.array([15.0, 4.0]), stated).broken
    assert delays.DelayRow("1/h", "", earlier, np.array([10.0, 16.0]), stated).broken
