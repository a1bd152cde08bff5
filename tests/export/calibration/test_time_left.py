# SPDX-License-Identifier: Apache-2.0
"""The minutes that a long loop will take are told once, and those of a short one never."""

import time

import pytest

from export.calibration.time_left import telling_time_left
from tests.export.pipeline.told_reporter import ToldReporter


@pytest.mark.parametrize(
    ("seconds", "total", "told"),
    [
        (1.0, 320, ["about 5 min left for the answers, by the first 20 passes"]),
        (0.5, 3300, ["about 27 min left for the answers, by the first 20 passes"]),
        (0.01, 3300, []),
        (10.0, 20, []),
    ],
)
def test_telling_time_left_of_a_loop_tells_its_minutes_once(
    seconds: float, total: int, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter, now = ToldReporter(), 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    given = []
    for item in telling_time_left(range(total), "the answers", total, reporter):
        given.append(item)
        now += seconds
    assert given == list(range(total))
    assert reporter.lines == told
