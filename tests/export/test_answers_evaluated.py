# SPDX-License-Identifier: Apache-2.0
"""An evaluation of a bundle with answers: those of the vehicle, in figures, page and terminal."""

import json
from pathlib import Path

import numpy as np
import pytest

from export.cli.evaluation_table import print_evaluation
from export.evaluation.answer_section import TITLE
from export.evaluation.answer_summary import answer_summary
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.evaluation.report_page import render
from export.frames.files import FrameFiles
from lsood_runtime import OoDMonitor


def test_evaluate_of_a_bundle_with_answers_scores_as_before(answered: Path, drives: Path) -> None:
    result = evaluate(EvaluationOptions(answered, (drives,), kinds=("fog",), severities=(3,), every=6))
    assert len(result.shifts) == 1
    with OoDMonitor(answered) as monitor:
        assert result.ind.score[5] == monitor.score(np.array(FrameFiles((drives,))[5]))


def test_evaluate_of_a_bundle_with_answers_collects_those_of_the_vehicle(
    answered: Path, drives: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = EvaluationOptions(
        answered, (drives,), kinds=("fog", "frost"), severities=(1, 5), every=8, group_by="prefix"
    )
    result = evaluate(options)
    assert result.answers is not None
    rows = result.answers.frames
    with OoDMonitor(answered) as monitor:
        for place, frame in list(enumerate(FrameFiles((drives,))))[::7]:
            verdict = monitor.assess(np.array(frame))
            numbers = (verdict.expected_quality, verdict.quality_low, verdict.quality_high, verdict.cause_probability)
            given = (rows.expected[place], rows.low[place], rows.high[place], rows.probability[place])
            np.testing.assert_allclose(given, np.array(numbers, np.float64), rtol=1e-6)
            assert rows.cause[place] == verdict.cause
            np.testing.assert_array_equal(rows.tiles[place], verdict.tiles)
    clean, degraded = rows.kind == "none", result.shifts[-1].frames
    assert (rows.truth[clean] == 1).all()
    assert degraded.losses is not None
    np.testing.assert_array_equal(rows.truth[rows.place == len(result.shifts)], degraded.losses.agreement)
    assert [group.in_fit for group in result.answers.by_kind] == [True, True, False]
    figures = json.loads(json.dumps(result.asdict()["answers"], allow_nan=False))
    page = render(result, "evaluate")
    assert figures["quality"]["groups"]["all frames"]["frames"] == len(rows)
    assert figures["tiles"]["shares_by_kind"]["fog"] == rows.tiles[rows.kind == "fog"].mean(axis=0).tolist()
    assert all(words in page for words in (TITLE, "Which tiles are abnormal"))
    assert "data:image/png" not in page
    print_evaluation(result)
    printed = " ".join(capsys.readouterr().out.split())
    assert all(sentence in printed for sentence in answer_summary(result.answers))
