# SPDX-License-Identifier: Apache-2.0
"""The example that judges abnormal tiles on drives and faults that no fit has seen."""

import re
from pathlib import Path

import numpy as np
import pytest

from examples.judge_tiles import DRAWN, drawn_fault, main, over_drives, read_rows, write_rows
from export.answers.fit_tiles import calibrate_tiles
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


def test_judge_tiles_prints_the_overlap_of_a_fit_on_one_file_with_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_little(monkeypatch)
    files, rows = (tmp_path / "fit.npz", tmp_path / "judged.npz"), (draw_tiles(0, 25, 4), draw_tiles(1, 10, 3))
    for file, own in zip(files, rows, strict=True):
        write_rows(own, np.where(own.filling == "", 0, 3), file)
        back, _ = read_rows(file)
        assert back.values.keys() == own.values.keys()
        np.testing.assert_array_equal(back.cover, own.cover)
    main(["judge", *map(str, files)])
    printed = capsys.readouterr().out
    calibrated = calibrate_tiles(rows[0], 0)
    record, values = calibrated.record, calibrated.fitted.abnormality(rows[1].values)
    found = np.stack([abnormal_tiles(tiles, record.limit, record.neighbor_limit) for tiles in values])
    clean, truth = rows[1].filling == "", rows[1].cover >= 0.3
    assert f"without an abnormal tile: {1 - found[clean].any(axis=(1, 2)).mean():.3f} of {clean.sum()}" in printed
    own = (rows[1].filling == "flat") & truth.any(axis=(1, 2))
    pooled = (found & truth)[own].sum() / (found | truth)[own].sum()
    seen = re.search(r"\| flat \| (\d+) \| (\S+) \|", printed)
    assert seen is not None
    assert int(seen[1]) == own.sum()
    assert float(seen[2]) == pytest.approx(pooled, abs=0.006)


def test_over_drives_of_drives_alike_is_their_figure_and_of_one_that_differs_holds_both() -> None:
    drive = np.repeat(["a", "b", "c", "d"], 3)
    assert over_drives(np.full(12, 2), np.full(12, 4), drive) == "0.50 to 0.50"
    low, high = map(float, over_drives(np.where(drive == "a", 0, 2), np.full(12, 4), drive).split(" to "))
    assert 0 < low < 0.375 < high <= 0.5
