# SPDX-License-Identifier: Apache-2.0
"""Rows of patched and degraded frames: every filling, kind and severity as often, and covers of the tiles that are seen."""

import collections
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from export.anomalies import SEVERITIES, TILE_KINDS, degrade_with_mask
from export.anomalies.patch_fillings import FILLINGS
from export.anomalies.patches import patched
from export.calibration.measuring import one_process
from export.calibration.patched_rows import DEGRADED, EACH, PATCHES, change_of, measure_patched, patched_passes
from export.errors import CalibrationError
from export.features.key import FeatureKey
from export.frames.files import FrameFiles
from export.reporter import SILENT
from lsood_runtime.offline import InputContract
from tests.export.calibration.pickled import pickled

KEY = FeatureKey.tiles("layer1", 2, 4)
WHOLE = InputContract("rgb", 40, 64, 40, 64, None, "bilinear-antialias", (0.0,) * 3, (1.0,) * 3)


@pytest.fixture
def files(tmp_path: Path) -> FrameFiles:
    for place in range(3):
        pixels = np.random.default_rng(place).integers(0, 256, (40, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{place}.png")
    return FrameFiles([str(tmp_path)], "rgb")


def _changed(files: FrameFiles, turn: int, place: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A frame and what of it is changed, of a picture that is one."""
    frame, (filling, severity) = files[place], change_of(turn)
    if not filling:
        return frame, np.zeros(frame.shape[:2], bool)
    rng = np.random.default_rng((seed, turn))
    if severity:
        return degrade_with_mask(frame, filling, severity, int(rng.integers(2**31)))
    return patched(frame, files[int(rng.choice(np.arange(len(files))))], filling, rng)


def _drives(places: NDArray[np.int64]) -> list[str]:
    return [f"d{place}" for place in places]


@pytest.mark.parametrize("crop", [None, (20, 0, 20, 64), (8, 16, 16, 32)])
def test_measure_patched_covers_the_tiles_of_what_the_network_sees(
    files: FrameFiles, crop: tuple[int, ...] | None
) -> None:
    shown: list[NDArray[np.uint8]] = []

    def measure(frame: NDArray[np.uint8]) -> tuple[dict[FeatureKey, NDArray[np.float32]], None]:
        shown.append(frame)
        return {KEY: np.full(8, len(shown), np.float32)}, None

    contract = dataclasses.replace(WHOLE, crop=crop)
    rows = measure_patched(files, np.arange(3), _drives, measure, contract, 5, SILENT)
    assert len(rows) == len(shown) == patched_passes(3) == 3 * EACH
    assert rows.filling.tolist() == [change_of(turn)[0] for turn in range(len(rows))]
    assert rows.drive.tolist() == [f"d{place}" for place in rows.frame]
    assert rows.values[KEY][:, 0].tolist() == list(range(1, len(shown) + 1))
    top, left, height, width = crop or (0, 0, 40, 64)
    for turn, place in enumerate(rows.frame.tolist()):
        frame, mask = _changed(files, turn, place, 5)
        assert np.array_equal(shown[turn], frame)
        seen = mask[top : top + height, left : left + width]
        expected = seen.reshape(2, height // 2, 4, width // 4).mean(axis=(1, 3))
        assert rows.cover[turn] == pytest.approx(expected)


def test_change_of_each_turn_gives_a_frame_nothing_twice_and_all_as_often() -> None:
    count = len(FILLINGS) * len(TILE_KINDS) * len(SEVERITIES)
    frames = [[change_of(frame * EACH + turn) for turn in range(EACH)] for frame in range(count)]
    assert EACH == 1 + PATCHES + DEGRADED
    assert {own[0] for own in frames} == {("", 0)}
    assert all(len({name for name, _ in own}) == EACH for own in frames)
    drawn = collections.Counter(change for own in frames for change in own[1:])
    patches = {(name, 0): count * PATCHES // len(FILLINGS) for name in FILLINGS}
    each = count * DEGRADED // (len(TILE_KINDS) * len(SEVERITIES))
    assert drawn == patches | {(name, severity): each for name in TILE_KINDS for severity in SEVERITIES}


def test_measure_patched_of_bgr_frames_degrades_the_same_picture(files: FrameFiles) -> None:
    def measure(frame: NDArray[np.uint8]) -> tuple[dict[FeatureKey, NDArray[np.float32]], None]:
        return {KEY: frame[::20, ::16].astype(np.float32).reshape(8, 3).ravel()}, None

    turned = FrameFiles([str(path) for path in files.paths], "bgr")
    rgb, bgr = (measure_patched(each, np.arange(3), _drives, measure, WHOLE, 5, SILENT) for each in (files, turned))
    own = np.isin(rgb.filling, TILE_KINDS)
    assert own.sum() == 3 * DEGRADED
    np.testing.assert_array_equal(
        bgr.values[KEY][own].reshape(-1, 8, 3), rgb.values[KEY][own].reshape(-1, 8, 3)[..., ::-1]
    )
    np.testing.assert_array_equal(bgr.cover[own], rgb.cover[own])


def test_measure_patched_by_copies_as_other_processes_get_them_gives_the_same_rows(files: FrameFiles) -> None:
    def measure(frame: NDArray[np.uint8]) -> tuple[dict[FeatureKey, NDArray[np.float32]], None]:
        return {KEY: frame[::20, ::16, 0].ravel().astype(np.float32)}, None

    one, several = (
        measure_patched(files, np.arange(3), _drives, measure, WHOLE, 5, SILENT, spread)
        for spread in (one_process, pickled)
    )
    np.testing.assert_array_equal(several.values[KEY], one.values[KEY])
    for name in ("cover", "filling", "drive", "frame"):
        np.testing.assert_array_equal(getattr(several, name), getattr(one, name))


def test_measure_patched_of_features_that_are_not_finite_is_refused(files: FrameFiles) -> None:
    with pytest.raises(CalibrationError, match=r"expected finite features, .*0\.png gives NaN or infinity in"):
        measure_patched(
            files, np.arange(3), _drives, lambda _: ({KEY: np.full(8, np.nan, np.float32)}, None), WHOLE, 0, SILENT
        )
