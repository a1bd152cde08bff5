# SPDX-License-Identifier: Apache-2.0
"""Rows of patched frames: every filling as often, and covers of the tiles that the network sees."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from export.anomalies.patch_fillings import FILLINGS
from export.anomalies.patches import patched
from export.calibration.measuring import one_process
from export.calibration.patched_rows import PATCHES, filling_of, measure_patched, patched_passes
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
    assert len(rows) == len(shown) == patched_passes(3) == 3 * (1 + PATCHES)
    turns = (np.arange(3 * PATCHES) % len(FILLINGS)).reshape(3, PATCHES)
    assert rows.filling.tolist() == [name for own in turns for name in ("", *(FILLINGS[place] for place in own))]
    assert rows.drive.tolist() == [f"d{place}" for place in rows.frame]
    assert rows.values[KEY][:, 0].tolist() == list(range(1, len(shown) + 1))
    top, left, height, width = crop or (0, 0, 40, 64)
    for turn, (filling, place) in enumerate(zip(rows.filling.tolist(), rows.frame.tolist(), strict=True)):
        frame, mask = files[place], np.zeros((40, 64), bool)
        if filling:
            rng = np.random.default_rng((5, turn))
            frame, mask = patched(frame, files[int(rng.choice(np.arange(3)))], filling, rng)
        assert np.array_equal(shown[turn], frame)
        seen = mask[top : top + height, left : left + width]
        expected = seen.reshape(2, height // 2, 4, width // 4).mean(axis=(1, 3))
        assert rows.cover[turn] == pytest.approx(expected)


def test_filling_of_each_turn_gives_a_frame_no_filling_twice_and_all_as_often() -> None:
    frames = [
        [filling_of(frame * (1 + PATCHES) + turn) for turn in range(1 + PATCHES)] for frame in range(len(FILLINGS))
    ]
    assert {own[0] for own in frames} == {""}
    assert all(len(set(own)) == 1 + PATCHES for own in frames)
    drawn = [name for own in frames for name in own[1:]]
    assert {drawn.count(name) for name in FILLINGS} == {PATCHES}


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
    with pytest.raises(
        CalibrationError, match=r"expected finite features, .*0\.png with a patch gives NaN or infinity"
    ):
        measure_patched(
            files, np.arange(3), _drives, lambda _: ({KEY: np.full(8, np.nan, np.float32)}, None), WHOLE, 0, SILENT
        )
