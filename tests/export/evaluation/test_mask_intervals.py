# SPDX-License-Identifier: Apache-2.0
"""Intervals of figures by masks against a jackknife that judges the frames of all drives but one anew."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from export.evaluation.component_metrics import Components
from export.evaluation.interval import DriveCount, jackknife_interval
from export.evaluation.mask_intervals import mask_intervals
from export.evaluation.mask_judge import FIGURES, MaskJudge
from export.evaluation.mask_metrics import PIXEL_FIGURES, PixelCounts
from export.evaluation.set_drives import SetDrives
from export.frames.masks import MaskValues
from lsood_runtime.offline import TileEdges

SIZE = 12
EDGES = TileEdges(np.arange(0, SIZE + 1, 2.0), np.arange(0, SIZE + 1, 2.0), SIZE, SIZE)


def judged(
    random: np.random.Generator, drives: list[str], folder: Path, only: NDArray[np.bool_] | None = None
) -> MaskJudge:
    """A judge of drawn frames, of all of them or of some alone."""
    judge = MaskJudge({}, MaskValues(), EDGES, 2.0, 1)
    for place, drive in enumerate(drives):
        mask = np.zeros((SIZE, SIZE), np.uint8)
        top, left = random.integers(0, SIZE - 4, 2)
        mask[top : top + 4, left : left + 4] = random.random() < 0.8
        mask[random.random(mask.shape) < 0.03] = 255
        values = random.integers(-3, 4, (6, 6)).astype(np.float32) + (2 * (mask == 1)[::2, ::2]).astype(np.float32)
        if only is None or only[place]:
            path = folder / f"{place}.png"
            Image.fromarray(mask).save(path)
            judge.files = {**judge.files, path.stem: path}
            judge.judge("set", place, Path(f"{place}.jpg"), values, drive)
    return judge


@pytest.mark.parametrize("count", [14, 6])
def test_intervals_of_figures_by_masks_are_those_of_frames_judged_without_each_drive(
    count: int, tmp_path: Path
) -> None:
    drives = [f"drive{place % count}" for place in range(40)]
    judge = judged(np.random.default_rng(count), drives, tmp_path)
    own = SetDrives.of_names(drives, np.random.default_rng(0))
    (figures,) = judge.figures({"set": own})
    assert judge.figures()[0].intervals == {}
    left_out = []
    for unit in range(count):
        kept = judged(np.random.default_rng(count), drives, tmp_path, own.units != unit)
        left_out.append({name: kept.figures()[0].figure(name) for name in FIGURES})
    holding = {"ppv": [len(frame.components.ppv) > 0 for frame in figures.frames]}
    objects = [len(frame.components.siou) > 0 for frame in figures.frames]
    holding["mean_f1"] = [a or b for a, b in zip(objects, holding["ppv"], strict=True)]
    for name in FIGURES:
        found = figures.figure(name)
        assert found is not None
        assert found.known == (count >= 10)
        side = own.units[np.array(holding.get(name, objects))]
        sizes = [DriveCount.of_sizes(np.unique(units, return_counts=True)[1]) for units in (side, own.units)]
        drives_told = DriveCount(min(s.drives for s in sizes), min(s.effective for s in sizes))
        values = np.array([each[name].value for each in left_out])  # type: ignore[union-attr]
        expected = jackknife_interval(found.value, values, np.zeros(count, np.int64), drives_told, np.inf)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), nan_ok=True)
        assert figures.asdict()[name] == found.value
        assert figures.asdict()[f"{name}_interval"] == (pytest.approx([found.low, found.high]) if found.known else None)


def test_pixel_counts_without_parts_are_those_of_the_other_pixels() -> None:
    random, parts, pixels = np.random.default_rng(1), [], []
    whole = PixelCounts()
    for _ in range(5):
        values = random.integers(0, 30, 200).astype(np.float32)
        unknown = random.random(200) < 0.3
        parts.append(PixelCounts())
        parts[-1].add(values, unknown.astype(np.int64), (~unknown).astype(np.int64))
        whole.join(parts[-1])
        pixels.append((values, unknown))
    for left, figures in enumerate(whole.figures_without(parts)):
        values, unknown = (np.concatenate([pixels[i][kind] for i in range(5) if i != left]) for kind in (0, 1))
        false, true, _ = roc_curve(unknown, values, drop_intermediate=False)
        assert figures is not None
        assert figures.average_precision == pytest.approx(average_precision_score(unknown, values))
        assert figures.auroc == pytest.approx(roc_auc_score(unknown, values))
        assert figures.fpr95 == pytest.approx(false[np.argmax(true >= 0.95 - 1e-12)])
        assert figures.unknown_share == pytest.approx(unknown.mean())


def test_drives_that_are_joined_to_groups_are_left_out_together(tmp_path: Path) -> None:
    drives = [f"drive{place % 28}" for place in range(56)]
    judge = judged(np.random.default_rng(3), drives, tmp_path)
    joined = SetDrives(np.array([int(drive.removeprefix("drive")) // 2 for drive in drives]))
    other = judged(np.random.default_rng(3), [f"pair{unit}" for unit in joined.units], tmp_path)
    (figures,), (expected,) = judge.figures({"set": joined}), other.figures({"set": joined})
    assert figures.intervals == expected.intervals
    assert all(interval.known for interval in figures.intervals.values())


def test_figures_of_frames_without_objects_have_no_interval_of_pixels(tmp_path: Path) -> None:
    judge = MaskJudge({}, MaskValues(), EDGES, 2.0, 1)
    for place in range(12):
        Image.fromarray(np.zeros((SIZE, SIZE), np.uint8)).save(tmp_path / f"{place}.png")
        judge.files = {**judge.files, str(place): tmp_path / f"{place}.png"}
        judge.judge("set", place, Path(f"{place}.jpg"), np.zeros((6, 6), np.float32), f"drive{place}")
    (figures,) = judge.figures({"set": SetDrives(np.arange(12))})
    assert [figures.figure(name) for name in FIGURES] == [None] * len(FIGURES)
    assert Components.of_frames(frame.components for frame in figures.frames).mean_f1 is None


@pytest.mark.slow
@pytest.mark.parametrize("drives", [15, 40])
def test_intervals_of_pixels_hold_the_figures_of_very_many_drives(drives: int) -> None:
    random, repeats, empty = np.random.default_rng(drives), 200, Components(np.empty(0), np.empty(0))
    holding = Components(np.ones(1), np.ones(1))

    def counted(count: int) -> list[PixelCounts]:
        parts = []
        for _ in range(count):
            level, clear, size = random.normal(0, 0.5), random.normal(2, 0.5), int(np.exp(random.normal(4.5, 0.8))) + 1
            values = np.append(random.normal(level, 1, 1500), random.normal(clear, 1.3, size)).astype(np.float32)
            unknown = (np.arange(len(values)) >= 1500).astype(np.int64)
            parts.append(PixelCounts())
            parts[-1].add(values, unknown, 1 - unknown)
        return parts

    def joined(parts: list[PixelCounts]) -> PixelCounts:
        whole = PixelCounts()
        for part in parts:
            whole.join(part)
        return whole

    truth, hold = joined(counted(1500)).figures(), []
    for _ in range(repeats):
        parts = counted(drives)
        frames, own = [holding, empty] * drives, SetDrives(np.repeat(np.arange(drives), 2))
        found = mask_intervals(frames, joined(parts), parts, own)
        hold.append([found[name].low <= getattr(truth, name) <= found[name].high for name in PIXEL_FIGURES])
    assert (np.mean(hold, axis=0) >= 0.9).all()
