# SPDX-License-Identifier: Apache-2.0
"""The tables that ``python -m export evaluate`` prints."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.cli.evaluation_table import print_evaluation
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
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
