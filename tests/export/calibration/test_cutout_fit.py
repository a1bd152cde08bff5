# SPDX-License-Identifier: Apache-2.0
"""Anomaly maps fitted through a measure that is no network: small, and what it tells is known."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from export.anomalies.cutouts import LEARN, PastedObjects, paste_objects
from export.answers.map_head import cells_of
from export.calibration import cutout_frames
from export.calibration.cutout_fit import FEWEST_FRAMES, LEARNED, _learn, calibrate_map, cutout_passes, map_groups
from export.calibration.cutout_frames import CutoutFrames, CutoutMeasuring, MapRows
from export.calibration.measuring import MeasuredFrame
from export.errors import CalibrationError
from export.features.key import FeatureKey
from export.frames.files import FrameFiles
from export.reporter import SILENT
from lsood_runtime.offline import InputContract
from tests.export.calibration.pickled import pickled

SIZE, GRID = (64, 96), (16, 24)
LOGITS, LAYER = FeatureKey.logit_map(*GRID), FeatureKey.feature_map("layer", 8, 12)
CONTRACT = InputContract(
    channels="rgb",
    frame_height=SIZE[0],
    frame_width=SIZE[1],
    network_height=SIZE[0],
    network_width=SIZE[1],
    crop=None,
    resize="bilinear-antialias",
    mean=(0.5, 0.5, 0.5),
    std=(0.2, 0.2, 0.2),
    network_channels="rgb",
    pad=(0, 0),
)


def measure(frame: NDArray[np.uint8]) -> MeasuredFrame:
    """Two classes by brightness, always as sure, and a layer that tells how far a cell is from the two greys of a scene."""
    small = cv2.resize(frame.astype(np.float32), GRID[::-1], interpolation=cv2.INTER_AREA)
    light = small.mean(axis=2) - 130
    sure = 3 * np.sign(light) + 0.001 * light
    apart = np.minimum(np.abs(small - 190).max(axis=2), np.abs(small - 70).max(axis=2)) / 255
    layer = cv2.resize(np.stack([apart, light / 255], axis=2), (12, 8), interpolation=cv2.INTER_AREA)
    classes = (light < 0).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)
    return {LOGITS: np.stack([sure, -sure]).ravel(), LAYER: layer.transpose(2, 0, 1).ravel()}, classes


def _files(folder: Path, count: int, channels: str = "rgb") -> FrameFiles:
    """Grey scenes: bright above, a dark road below."""
    for number in range(count):
        rng = np.random.default_rng(number)
        grey = np.where(np.arange(SIZE[0])[:, None] < 30 + number % 5, 190, 70) + rng.normal(0, 6, SIZE)
        Image.fromarray(grey.astype(np.uint8)).convert("RGB").save(folder / f"{number:03d}.png")
    return FrameFiles([str(folder)], channels)


def _drives(places: NDArray[np.int64]) -> Sequence[str]:
    return [f"drive{int(place) // 2}" for place in places]


def test_map_of_grey_scenes_finds_coloured_objects_and_keeps_its_limit(tmp_path: Path) -> None:
    files, passes = _files(tmp_path, 24), []

    def counted(frame: NDArray[np.uint8]) -> MeasuredFrame:
        passes.append(0)
        return measure(frame)

    found = calibrate_map(files, np.arange(24), _drives, counted, CONTRACT, 0, SILENT, (1,))
    record = found.record
    assert len(passes) <= cutout_passes(24)
    assert (record.rows, record.columns, record.road_classes) == (*GRID, (1,))
    assert record.average_precision > record.best_single_average_precision
    assert record.layers == ("layer",)
    assert set(found.fitted.keys) == {LOGITS, LAYER} == set(found.examples)
    judging = map_groups(_drives(np.arange(24)), 0)[1]
    assert (record.limit_frames, record.limit_drives) == (judging.sum(), judging.sum() / 2)
    assert record.false_alarm_rate == pytest.approx(1 / (judging.sum() + 1)), "fewer than 19 frames set it"
    assert 0 < record.clean_kept < 1, "a drive whose clearest object is the clearest of all is above the others' limit"
    assert record.pixel_limit <= record.object_limit + 3
    again = calibrate_map(files, np.arange(24), _drives, measure, CONTRACT, 0, SILENT, (1,), spread=pickled)
    assert again.record == record, "by copies of all that other processes are given"
    frame = files[0].copy()
    frame[40:52, 40:60] = (220, 40, 40)
    rows = measure(frame)[0]
    anomaly_map = found.fitted.anomaly_map({key: np.asarray(row)[None] for key, row in rows.items()})[0]
    assert anomaly_map[11:12, 11:14].min() > record.object_limit


def test_map_with_cutouts_of_a_users_own_learns_from_them_and_is_judged_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, own, given = _files(tmp_path, 8), np.full((6, 6, 4), 255, np.uint8), set()

    def watched(*arguments: Any) -> PastedObjects:
        given.add((arguments[2], len(arguments[5])))
        return paste_objects(*arguments)

    monkeypatch.setattr(cutout_frames, "paste_objects", watched)
    found = calibrate_map(files, np.arange(8), _drives, measure, CONTRACT, 0, SILENT, (1,), (own, own))
    assert given == {("learn", 2), ("judge", 0)}
    assert found.record.own_objects == 2


def test_map_of_too_few_frames_is_refused(tmp_path: Path) -> None:
    count = FEWEST_FRAMES - 1
    with pytest.raises(
        CalibrationError, match=f"expected {FEWEST_FRAMES} or more clean frames .*, got {count}: .*--answers"
    ):
        calibrate_map(_files(tmp_path, count), np.arange(count), _drives, measure, CONTRACT, 0, SILENT)


def test_map_of_too_few_frames_in_a_group_is_refused(tmp_path: Path) -> None:
    def lopsided(places: NDArray[np.int64]) -> Sequence[str]:
        return ["long" if place < 7 else "short" for place in places.tolist()]

    with pytest.raises(
        CalibrationError, match=r"expected 4 or more .* in each of two groups .*, got . that .*: calibrate"
    ):
        calibrate_map(_files(tmp_path, 9), np.arange(9), lopsided, measure, CONTRACT, 0, SILENT)


def test_cells_that_fit_the_head_are_drawn_by_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, drawn = _files(tmp_path, 8), []
    monkeypatch.setattr("export.calibration.cutout_fit.MOST_EACH", 3)

    def kept(rows: MapRows, grid: tuple[int, int], chosen: NDArray[np.int64]) -> dict[FeatureKey, NDArray[np.float32]]:
        drawn.append(chosen.tolist())
        return cells_of(rows, grid, chosen)

    monkeypatch.setattr("export.calibration.cutout_fit.cells_of", kept)
    cells = []
    for seed in (1, 1, 2):
        drawn.clear()
        pasting = CutoutMeasuring(files, np.arange(8), CONTRACT, 0, (1,))  # the same objects for all
        _learn(range(4), [pasting(measure, (index, LEARN, LEARNED)) for index in range(4)], seed)
        cells.append(list(drawn))
    assert cells[0] == cells[1] != cells[2]


def test_map_of_a_feature_that_is_not_finite_is_refused_with_the_frame(tmp_path: Path) -> None:
    def broken(frame: NDArray[np.uint8]) -> MeasuredFrame:
        rows, classes = measure(frame)
        return {key: np.where(np.arange(row.size) == 3, np.nan, row) for key, row in rows.items()}, classes

    with pytest.raises(CalibrationError, match=r"\.png gives NaN or infinity in logit_map/16x24: look at it"):
        calibrate_map(_files(tmp_path, 8), np.arange(8), _drives, broken, CONTRACT, 0, SILENT)


def test_objects_of_a_cropped_contract_are_true_of_the_cells_that_show_them(tmp_path: Path) -> None:
    contract = replace(CONTRACT, crop=(16, 24, 32, 48))

    def cropped(frame: NDArray[np.uint8]) -> MeasuredFrame:
        seen = np.asarray(cv2.resize(frame[16:48, 24:72], SIZE[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
        light = cv2.resize(seen.mean(axis=2), GRID[::-1], interpolation=cv2.INTER_AREA) / 32
        return {LOGITS: np.stack([light, -light]).ravel()}, measure(seen)[1]

    frames = CutoutFrames(_files(tmp_path, 8), np.arange(8), cropped, contract, 0, (1,))
    shares = []
    for index in range(8):
        clean, pasted = frames.clean(index), frames.pasted(index, "learn", 0)
        changed = np.abs(np.asarray(pasted.rows[LOGITS]) - clean.rows[LOGITS]).reshape(2, *GRID).max(axis=0)
        assert clean.known.all()
        assert not clean.unknown.any()
        shares.append(changed[pasted.known].max(initial=0) < 1.5)
        assert not (pasted.unknown & pasted.known).any()
    assert np.mean(shares) > 0.8


def test_objects_of_bgr_frames_are_those_of_rgb_ones_turned(tmp_path: Path) -> None:
    shown: dict[str, list[NDArray[np.uint8]]] = {"rgb": [], "bgr": []}
    for channels, kept in shown.items():

        def kept_measure(frame: NDArray[np.uint8], kept: list[NDArray[np.uint8]] = kept) -> MeasuredFrame:
            kept.append(frame)
            return measure(frame)

        frames = CutoutFrames(_files(tmp_path, 8, channels), np.arange(8), kept_measure, CONTRACT, 0, (1,))
        frames.clean(2)
        frames.pasted(2, "judge", 0)
    np.testing.assert_array_equal(shown["rgb"][1], shown["bgr"][1][..., ::-1])
