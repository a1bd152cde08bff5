# SPDX-License-Identifier: Apache-2.0
"""The example that judges answers on drives and kinds of degradation that no fit has seen."""

import re
from pathlib import Path

import numpy as np
import pytest

from examples.judge_answers import main, near, read_rows, write_rows
from export.answers.fit import fit_answers
from lsood_runtime import read_manifest
from tests.conftest import write_scenes
from tests.export.answers.drawn_rows import KINDS, TAP, draw_rows


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(draw_rows(0), (TAP,), folder / "fit.npz")
    write_rows(draw_rows(1), (TAP,), folder / "judged.npz")
    return folder / "fit.npz", folder / "judged.npz"


def test_rows_that_are_written_are_read_back(files: tuple[Path, Path]) -> None:
    rows, taps = read_rows(files[0])
    expected = draw_rows(0)
    assert taps == (TAP,)
    assert rows.measure == expected.measure
    for name in ("kind", "severity", "drive", "frame", "quality"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(expected, name))
    assert rows.values.keys() == expected.values.keys()
    for key, numbers in expected.values.items():
        np.testing.assert_array_equal(rows.values[key], numbers)


def test_judge_answers_prints_the_errors_of_a_fit_on_one_file_on_the_other(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["judge", *map(str, files), "--scatter", str(tmp_path / "scatter.png")])
    printed = capsys.readouterr().out
    judged = draw_rows(1)
    answers = fit_answers(draw_rows(0), frozenset({"quality", "cause"}), 0, (TAP,))
    outputs = answers.outputs(judged.values)
    assert judged.quality is not None
    error = np.abs(outputs["quality"][:, 0] - judged.quality).mean()
    seen = re.search(r"mean absolute error (\S+), of a constant (\S+)", printed)
    assert seen is not None
    assert float(seen[1]) == pytest.approx(error, abs=1e-4)
    clean = judged.kind == "none"
    assert answers.record.novelty_limit is not None
    none = (outputs["causes"].argmax(axis=1) == 0) & (outputs["novelty"] <= answers.record.novelty_limit)
    row = re.search(r"\| 0 \| (\S+) \|", printed)
    assert row is not None
    assert float(row[1]) == pytest.approx(none[clean].mean(), abs=1e-3)
    assert all(f"| {kind} | " in printed for kind in KINDS)
    assert (tmp_path / "scatter.png").read_bytes().startswith(b"\x89PNG")


def test_judge_answers_measures_frames_of_a_bundle_clean_and_degraded(bundle: Path, tmp_path: Path) -> None:
    frames, out = tmp_path / "frames", tmp_path / "rows.npz"
    write_scenes(frames, 3, seed=5)
    main(["measure", str(bundle), "--frames", str(frames), "--threads", "1", "--out", str(out)])
    rows, taps = read_rows(out)
    assert taps == read_manifest(bundle).tap.layers
    assert (rows.severity == 0).sum() == rows.changed.sum() == 3
    assert (rows.kind[rows.severity <= 0] == "none").all()
    assert rows.measure == "agreement"
    assert rows.quality is not None
    assert (rows.quality[rows.severity == 0] == 1).all()
    assert all(np.isfinite(numbers).all() for numbers in rows.values.values())


def test_near_of_kinds_is_symmetric_and_not_of_every_pair() -> None:
    assert near("fog", "veiling_glare")
    assert near("veiling_glare", "fog")
    assert not near("fog", "dead_lines")
