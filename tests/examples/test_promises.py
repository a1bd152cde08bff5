# SPDX-License-Identifier: Apache-2.0
"""Promises hold in simulated calibrations: a small form of the table in the documentation."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lsood_runtime import Evidence, read_manifest
from tests.examples.loading import load_example
from tests.paths import FROZEN_BUNDLE

promises: Any = load_example("promises")
LAYOUT = read_manifest(FROZEN_BUNDLE)

PARTS: dict[str, Callable[[np.random.Generator], Iterator[Any]]] = {
    "one drive": lambda rng: promises.of_one_drive(60, rng),
    "new drives": lambda rng: promises.of_new_drives(25, rng),
    "warnings": lambda rng: promises.of_drive_warnings(40, rng),
    "evaluations": lambda rng: promises.of_evaluations(25, rng),
    "drift": lambda rng: promises.of_drift(LAYOUT, 40, rng),
    "alarms": lambda rng: promises.of_alarms(LAYOUT, 60, 2.0, rng, [(60, 0.0), (400, 0.9)]),
}


@pytest.mark.parametrize("part", PARTS)
def test_promises_of_few_calibrations_hold_up_to_chance(part: str) -> None:
    rows = list(PARTS[part](np.random.default_rng(7)))
    assert rows
    assert [str(row) for row in rows if row.broken] == []


def test_promise_rows_that_are_broken_are_called_so() -> None:
    half = np.arange(200) % 2 == 0
    assert promises.share_row("", "", 0.9, "95 %", half).broken
    assert not promises.share_row("", "", 0.4, "", half).broken
    assert promises.mean_row("", "", 0.05, 0.06 + 0.01 * half).broken
    assert "**broken**" in str(promises.mean_row("", "", 0.05, np.full(9, 0.06)))


@pytest.mark.parametrize("rule", ["3of5", "2of2", "duration:0.45", "duration:0.2"])
def test_onsets_of_drawn_flags_are_those_of_the_rule_frame_by_frame(rule: str) -> None:
    policy, flags = promises.parse_policy(rule), np.random.default_rng(1).random((3, 4000)) < 0.4
    raised = 0
    for row in flags.tolist():
        state, before = policy.start(LAYOUT.calibration), False
        for i, flag in enumerate(row):
            alarm = state.update(Evidence(flag, 0.5, i * 100_000_000))
            raised, before = raised + (alarm and not before), alarm
    assert promises.onsets(flags, policy) == raised
