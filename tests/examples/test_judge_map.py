# SPDX-License-Identifier: Apache-2.0
"""The example that judges an anomaly map on drives and objects that no fit has seen."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

from examples.judge_map import MAP, JudgedObjects, figures, paste_cutout, read_cutouts, table
from export.anomalies.cutouts import FAMILIES
from export.answers.maps import smoothed
from export.answers.pixel_scores import OUTPUT_PIXEL_SCORES
from tests.examples.loading import load_example


def test_pasted_cutout_stands_on_its_place_within_the_frame_and_changes_nothing_else(tmp_path: Path) -> None:
    drawn = np.zeros((20, 10, 4), np.uint8)
    drawn[2:18, 2:8] = (250, 20, 20, 255)
    Image.fromarray(drawn).save(tmp_path / "red.png")
    (cutout,) = read_cutouts(tmp_path)
    frame, places = np.full((60, 90, 3), 120, np.uint8), np.array([[50.0, 40.0]])
    for seed in range(8):
        pasted = paste_cutout(frame, cutout, places, np.random.default_rng(seed))
        under, beside = pasted.cover > 0.9, pasted.cover == 0
        assert under.any()
        assert pasted.frame[under][:, 0].mean() > 140
        assert np.abs(pasted.frame[beside].astype(int) - 120).mean() < 6
        rows, columns = np.nonzero(pasted.cover > 0.5)
        assert rows.max() <= 54
        assert abs(columns.mean() - 40) < 3


def test_judged_scores_print_the_figures_of_scikit_learn_with_intervals_around_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(0)
    unknown = np.zeros((12, 6, 8), np.bool_)
    unknown[:, 1:4, 2:5] = True
    maps = (rng.normal(size=unknown.shape) + 2 * unknown).astype(np.float32)
    drives = np.array([f"drive{number // 3}" for number in range(12)])
    table(
        JudgedObjects(
            {name: (maps / 2).astype(np.float32) for name in OUTPUT_PIXEL_SCORES} | {MAP: maps},
            maps,
            unknown,
            ~unknown,
            drives,
        ),
        20,
    )
    printed = capsys.readouterr().out
    precision = 100 * average_precision_score(unknown.ravel(), maps.ravel())
    assert f"| {MAP} | | {precision:.1f} |" in printed
    assert f"| energy | 1 | {precision:.1f} |" in printed
    ends = re.search(r"AP of the map (\S+) to (\S+), .* AP above that of the best other score (\S+) to (\S+),", printed)
    assert ends is not None
    low, high, lead_low, lead_high = map(float, ends.groups())
    assert low <= precision <= high
    best = max(figures(smoothed(maps.astype(np.float64), side), unknown, ~unknown)[0] for side in (1, 3, 5))
    assert lead_low - 0.06 <= precision - best <= lead_high + 0.06
    assert figures(maps, unknown, ~unknown)[1] == pytest.approx(
        100 * (maps[~unknown] >= np.sort(maps[unknown])[int(0.05 * unknown.sum() + 1e-9)]).mean()
    )


def test_sheet_of_cutouts_shows_each_family_on_every_frame() -> None:
    sheet = load_example("cutout_sheet").sheet
    frames = [np.full((40, 60, 3), 60 * number, np.uint8) for number in (1, 2)]
    picture = sheet(frames, 0)
    assert picture.shape == (len(FAMILIES) * 2 * 44, 4 * 64, 3)
    np.testing.assert_array_equal(picture, sheet(frames, 0))


@pytest.mark.parametrize(
    ("size", "width", "height"), [((40, 80), 20, 10), ((30, 90), 90, 30), ((3, 90), 9, 1), ((20, 30), 45, 30)]
)
def test_frame_at_another_width_keeps_its_proportions_and_its_mean(
    size: tuple[int, int], width: int, height: int
) -> None:
    frame = np.random.default_rng(0).integers(100, 140, (*size, 3), np.uint8)
    found = load_example("frame_width").at_width(frame, width)
    assert (found.shape, found.dtype) == ((height, width, 3), np.uint8)
    assert np.abs(found.mean(axis=(0, 1)) - frame.mean(axis=(0, 1))).max() < 4
