# SPDX-License-Identifier: Apache-2.0
"""Causes of a user's own: in the plan, in an export, a recalibration and an evaluation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.anomalies import COMMON_KINDS
from export.bundle.renewed_answers import check_answer_options
from export.calibration.answer_options import AnswerOptions
from export.calibration.cause_names import FEWEST_OWN
from export.calibration.degraded_rows import passes
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.recalibration_options import RecalibrationOptions
from export.errors import UsageError
from export.evaluation.answer_summary import answer_summary
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.frames.files import FrameFiles
from export.pipeline.export_monitor import ExportOptions, plan_export
from export.recalibrate import recalibrate
from lsood_runtime import OoDMonitor, read_manifest
from tests.export.answered_bundle import CALIBRATION, ExportSmall, write_iced


@pytest.fixture
def iced(drives: Path, tmp_path: Path) -> Path:
    """Frames of another scene, iced."""
    return write_iced(tmp_path / "iced", FEWEST_OWN, seed=77)


def test_recalibrate_without_frames_of_a_kind_of_a_users_own_is_refused_with_remedies_that_work(
    answered: Path, drives: Path, iced: Path
) -> None:
    options = RecalibrationOptions(answered, frames=(drives,), calibration=CALIBRATION)
    graphs = EvaluationGraphs(answered)
    record = graphs.manifest.answers
    assert record is not None
    assert record.cause is not None
    stated = replace(record, cause=replace(record.cause, own={"fog": 0.9}))
    graphs.manifest = replace(graphs.manifest, answers=stated)
    with pytest.raises(UsageError, match=r"expected frames of fog, which .* tells as causes, got none") as refused:
        check_answer_options(options, graphs)
    assert "--cause fog=DIR" in str(refused.value)
    named = tuple(str(refused.value).rpartition("--answers ")[2].split())
    check_answer_options(replace(options, answers=AnswerOptions(named)), graphs)
    stated = replace(record, cause=replace(record.cause, own={"ice": 0.9}))
    graphs.manifest = replace(graphs.manifest, answers=stated)
    check_answer_options(replace(options, answers=AnswerOptions(causes={"ice": (iced,)})), graphs)


def test_plan_with_a_kind_of_a_users_own_tells_its_passes_and_its_faults(
    checkpoint: Path, drives: Path, iced: Path
) -> None:
    answers = AnswerOptions(("cause",), causes={"ice": (iced,)})
    options = ExportOptions(checkpoint, (drives,), iced.parent / "monitor", answers=answers, calibration=CALIBRATION)
    plan = plan_export(options)
    (finding,) = (each for each in plan.findings if each.subject == "answers")
    count = passes(48) + FEWEST_OWN
    assert finding.reason == f"{count:,} passes of the network over degraded calibration frames, and frames of ice"
    assert plan.command is not None
    assert f"ice={iced}" in plan.command
    min(iced.iterdir()).unlink()
    (problem,) = plan_export(options).problems
    assert f"expected at least {FEWEST_OWN} frames of the cause ice, got {FEWEST_OWN - 1}" in str(problem)


@pytest.mark.slow
def test_export_with_a_kind_of_a_users_own_tells_it_everywhere(
    export_small: ExportSmall, drives: Path, iced: Path, tmp_path: Path
) -> None:
    answers = AnswerOptions(("quality", "cause"), causes={"ice": (iced,)})
    out = export_small(frames=(drives,), calibration=CALIBRATION, answers=answers, out=tmp_path / "monitor")
    calibrated = tmp_path / "calibrated"
    recalibrate(RecalibrationOptions(out, calibrated, (drives,), calibration=CALIBRATION, answers=answers))
    new = write_iced(tmp_path / "new", 6, seed=78)
    for bundle in (out, calibrated):
        record = read_manifest(bundle).answers
        assert record is not None
        assert record.cause is not None
        assert set(record.kinds) == {*COMMON_KINDS, "ice"}
        assert record.rows == passes(48) + FEWEST_OWN
        assert record.cause.own.keys() == {"ice"}
        assert "and frames of ice" in (bundle / "README.md").read_text()
        with OoDMonitor(bundle) as monitor:
            verdicts = [monitor.assess(np.array(frame)) for frame in FrameFiles((new,))]
        called = [verdict for verdict in verdicts if verdict.cause == "ice"]
        assert len(called) >= 4
        assert all(verdict.severity != verdict.severity and "severity" not in str(verdict) for verdict in called)
        assert all(verdict.asdict()["severity"] is None for verdict in called)
    result = evaluate(EvaluationOptions(out, (drives,), {"ice": (new,)}, kinds=("fog",), severities=(3,), every=6))
    assert result.answers is not None
    assert result.answers.causes is not None
    assert result.answers.causes.right_own["ice"].value == pytest.approx(len(called) / len(verdicts), abs=0.2)
    assert "of ice called by it" in " ".join(answer_summary(result.answers))
