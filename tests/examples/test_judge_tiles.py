# SPDX-License-Identifier: Apache-2.0
"""The example that judges abnormal tiles on drives and faults that no fit has seen."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from examples.judge_tiles import (
    ALIKE,
    DRAWN,
    RESEMBLED,
    drawn_fault,
    left_out,
    main,
    over_drives,
    read_rows,
    write_rows,
)
from export.anomalies import TILE_KINDS
from export.anomalies.patch_fillings import FILLINGS
from export.answers.fit_tiles import calibrate_tiles
from export.answers.rows import PatchedRows
from lsood_runtime.offline import abnormal_tiles
from tests.export.answers.drawn_tiles import draw_tiles, train_little


@pytest.mark.parametrize("kind", DRAWN)
def test_drawn_fault_grows_with_severity_and_leaves_the_rest_as_it_is(kind: str) -> None:
    frame = np.random.default_rng(0).integers(30, 200, (64, 96, 3), dtype=np.uint8)
    sizes = []
    for severity in (1, 3, 5):
        broken, mask = drawn_fault(frame, kind, severity, 7)
        assert (broken.dtype, broken.shape) == (frame.dtype, frame.shape)
        assert (broken != frame).any(axis=2)[mask].mean() > (0.3 if kind == "dead_band" else 0.9)
        assert (broken == frame).all(axis=2)[~mask].mean() > 0.7
        sizes.append(mask.sum())
    assert sizes == sorted(sizes)


def _named(rows: PatchedRows, names: dict[str, str]) -> PatchedRows:
    """Rows of drawn tiles under names of what is judged."""
    return dataclasses.replace(rows, filling=np.array([names.get(name, name) for name in rows.filling.tolist()]))


def test_judge_tiles_prints_the_overlap_of_fits_with_and_without_a_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_little(monkeypatch)
    files = tmp_path / "fit.npz", tmp_path / "judged.npz"
    fit = _named(draw_tiles(0, 4, 5), {"flat": "glare", "grain": "colour"})
    judged = _named(draw_tiles(1, 6, 2), {"flat": "glare_disc", "grain": "frost"})
    for file, own in zip(files, (fit, judged), strict=True):
        write_rows(own, np.where(own.filling == "", 0, 3), file)
        back, _ = read_rows(file)
        assert back.values.keys() == own.values.keys()
        np.testing.assert_array_equal(back.cover, own.cover)
    main(["judge", *map(str, files), "--kinds", "glare_disc"])
    printed = capsys.readouterr().out
    assert "| frost |" not in printed
    row = re.search(r"\| glare_disc \| (\d+) \| (\S+) [^|]*\| (\S+) [^|]*\| (\S+) ", printed)
    assert row is not None
    clean, truth = judged.filling == "", judged.cover >= 0.3
    own = (judged.filling == "glare_disc") & truth.any(axis=(1, 2))
    assert int(row[1]) == own.sum()
    for place, names in ((2, ("glare",)), (4, ())):
        calibrated = calibrate_tiles(fit.chosen(~np.isin(fit.filling, names)), 0)
        record, values = calibrated.record, calibrated.fitted.abnormality(judged.values)
        found = np.stack([abnormal_tiles(tiles, record.limit, record.neighbor_limit) for tiles in values])
        kept = 1 - found[clean].any(axis=(1, 2)).mean()
        assert f"left out {' and '.join(names) or 'nothing'}: {kept:.3f} of {clean.sum()}" in printed
        pooled = (found & truth)[own].sum() / (found | truth)[own].sum()
        assert float(row[place]) == pytest.approx(pooled, abs=0.006)


def test_fits_of_a_fault_leave_out_its_kind_or_that_which_it_resembles() -> None:
    assert left_out("frost") == ((), ("frost",))
    assert left_out("glare") == left_out("glare_disc") == ((), ("glare",), ("glare", "light"))
    assert {*RESEMBLED} == {*DRAWN}
    assert {*RESEMBLED.values(), *ALIKE} <= {*TILE_KINDS}
    assert {*ALIKE.values()} <= {*FILLINGS}


def test_over_drives_of_drives_alike_is_their_figure_and_of_one_that_differs_holds_both() -> None:
    drive = np.repeat(["a", "b", "c", "d"], 3)
    assert over_drives(np.full(12, 2), np.full(12, 4), drive) == "0.50 to 0.50"
    low, high = map(float, over_drives(np.where(drive == "a", 0, 2), np.full(12, 4), drive).split(" to "))
    assert 0 < low < 0.375 < high <= 0.5
