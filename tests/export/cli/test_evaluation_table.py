# SPDX-License-Identifier: Apache-2.0
"""The tables that ``python -m export evaluate`` prints."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.cli.evaluation_table import print_evaluation
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.evaluation.report_tables import score_table, shift_table
from export.evaluation.update_card import evaluation_record
from tests.conftest import write_scenes


def test_printed_tables_show_scores_on_what_hurts_and_the_baseline(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean, fitted = write_scenes(tmp_path / "clean", 8, seed=5), write_scenes(tmp_path / "fit", 12, seed=6)
    labels = tmp_path / "labels"
    labels.mkdir()
    for path in clean.iterdir():
        Image.fromarray(np.asarray(Image.open(path))[..., 0] // 64).save(labels / path.name)
    options = EvaluationOptions(
        bundle, (clean,), labels=(labels,), kinds=("fog",), severities=(2, 5), fit_frames=(fitted,), hurting="agreement"
    )
    result = evaluate(options)
    print_evaluation(result)
    out = capsys.readouterr().out
    for title in ("AUROC of every score", "how well a score ranks the labelled frames by mIoU", "frames that hurt"):
        assert title in out
    assert out.count("picture alone") >= 2
    for row in ("oracle", "random order"):
        assert row in out
    assert "agrees with the clean frame's on less than 85%" in " ".join(out.split())


@pytest.mark.parametrize(("ind", "ood"), [(1, 6), (6, 1), (1, 1)])
def test_printed_tables_of_one_frame_state_no_figure_of_it(
    bundle: Path, tmp_path: Path, ind: int, ood: int, capsys: pytest.CaptureFixture[str]
) -> None:
    clean, dark = write_scenes(tmp_path / "clean", ind, seed=5), write_scenes(tmp_path / "dark", ood, seed=6)
    result = evaluate(EvaluationOptions(bundle, (clean,), ood={"dark": (dark,)}, kinds=()))
    print_evaluation(result)
    printed = capsys.readouterr().out
    (row,) = [line.split("│") for line in printed.splitlines() if line.startswith("│ dark")]
    assert [cell.strip() for cell in row[4:-1]] == ["-"] * 4
    out = " ".join(printed.split())
    assert "mean AUROC over shifts" not in out
    assert ("The one in-distribution frame is" in out) == (ind == 1)
    assert ("can be stated of one frame, and none is shown, of dark" in out) == (ood == 1)
    assert np.isnan(result.mean_auroc)
    assert evaluation_record(result).mean_auroc is None
    assert not re.search(r"<td>[01]\.000", shift_table(result))
    assert "No mean can be stated" in score_table(result)
