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
evaluation: Any = load_example("evaluation_intervals")
LAYOUT = read_manifest(FROZEN_BUNDLE)

PARTS: dict[str, Callable[[np.random.Generator], Iterator[Any]]] = {
    "one drive": lambda rng: promises.of_one_drive(60, rng),
    "new drives": lambda rng: promises.of_new_drives(25, rng),
    "proven": lambda rng: promises.of_proven_bounds(25, rng),
    "warnings": lambda rng: promises.of_drive_warnings(40, rng),
    "evaluations": lambda rng: evaluation.of_evaluations(25, rng, evaluation.SETTINGS[1::9], 4000),
    "drift": lambda rng: promises.of_drift(LAYOUT, 40, rng),
    "alarms": lambda rng: promises.of_alarms(LAYOUT, 60, 2.0, rng, [(60, 0.0)]),
    "alarms of many frames that are alike": lambda rng: promises.of_alarms(LAYOUT, 60, 2.0, rng, [(400, 0.9)]),
}
SLOW = ("alarms of many frames that are alike",)


@pytest.mark.parametrize("part", [pytest.param(part, marks=[pytest.mark.slow] * (part in SLOW)) for part in PARTS])
def test_promises_of_few_calibrations_hold_up_to_chance(part: str) -> None:
    rows = list(PARTS[part](np.random.default_rng(7)))
    assert rows
    assert [str(row) for row in rows if row.broken] == []


def test_evaluations_of_drives_that_hardly_get_an_interval_state_nothing() -> None:
    few = evaluation.Setting(12, "heavy-tailed lengths", "uniform")
    assert list(evaluation.of_evaluations(8, np.random.default_rng(0), [few], 400)) == []


@pytest.mark.parametrize("kind", ["long-tailed", "uniform", "two kinds of", "skewed"])
def test_levels_of_drives_have_mean_zero_and_variance_one(kind: str) -> None:
    levels = evaluation.levels_of(kind, 200_000, np.random.default_rng(0))
    assert abs(levels.mean()) < 0.02
    assert abs(levels.var() - 1) < 0.05


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


@pytest.mark.parametrize("frames", [60, 99, 400])
def test_hysteresis_alarms_of_many_calibrations_are_those_of_the_rule_frame_by_frame(frames: int) -> None:
    policy, rng = promises.parse_policy("hysteresis:0.02:0.2"), np.random.default_rng(frames)
    known, drives = np.sort(rng.normal(size=(3, frames)), axis=1), rng.normal(size=(2, 3000))
    drives[:, ::50] = known[0, -3]  # ties count as at least as high
    found = promises.hysteresis_alarms(policy, known, drives)
    for row, alarms in zip(known, found, strict=True):
        manifest, raised = promises.manifest_of(LAYOUT, row, float(frames)), 0
        for drive in drives:
            state, before = policy.start(manifest.calibration), False
            for i, p_value in enumerate(promises.p_values(row, drive).tolist()):
                alarm = state.update(Evidence(False, p_value, i * 100_000_000))
                raised, before = raised + (alarm and not before), alarm
        assert alarms == raised


def test_flagged_by_folds_of_one_fold_are_those_of_the_conformal_threshold() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(1, 4040))
    threshold = promises.conformal_threshold(scores[0, :40], 0.1)
    found = promises._flagged_by_folds(scores, np.zeros(40, np.int64), 40, 0.1)
    assert found == (scores[0, 40:] > threshold).mean()
