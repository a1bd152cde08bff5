# SPDX-License-Identifier: Apache-2.0
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import export.anomalies
import export.data.anomalies as earlier_path
from export.anomalies import ANOMALIES, SEVERITIES, Bytes, Floats, degrade
from export.data.synthetic import render_scene
from export.errors import UsageError
from tests.paths import EXAMPLES

ON_THE_PIXELS = {"night", "sensor_noise", "jpeg", "bayer_phase", "video_compression"}
"""Kinds whose noise, mosaic or blocks belong to the frame's own pixels and so do not scale with it."""
SEEDLESS = {"defocus", "jpeg", "over_exposure", "under_exposure"}
"""Kinds without anything random."""
SHEET = EXAMPLES / "anomaly_sheet.py"


@pytest.fixture(scope="module")
def frame() -> Bytes:
    return render_scene(np.random.default_rng(5), 96, 192)[0]


def change(degraded: Bytes, frame: Bytes) -> float:
    return float(np.abs(degraded.astype(float) - frame).mean())


@pytest.mark.parametrize("kind", ANOMALIES)
def test_degrade_with_one_seed_repeats_and_keeps_its_input(kind: str, frame: Bytes) -> None:
    kept = frame.copy()
    first = degrade(frame, kind, 3, seed=11)
    np.testing.assert_array_equal(frame, kept)
    np.testing.assert_array_equal(first, degrade(frame, kind, 3, seed=11))
    assert first.shape == frame.shape
    assert first.dtype == np.uint8
    assert not np.shares_memory(first, frame)


@pytest.mark.parametrize("kind", ANOMALIES)
def test_degrade_with_another_seed_differs(kind: str, frame: Bytes) -> None:
    assert (degrade(frame, kind, 3, seed=11) != degrade(frame, kind, 3, seed=12)).any() == (kind not in SEEDLESS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ANOMALIES)
def test_degrade_at_higher_severity_changes_more(kind: str, seed: int, frame: Bytes) -> None:
    changes = [change(degrade(frame, kind, severity, seed), frame) for severity in SEVERITIES]
    assert changes[0] > 0.3
    assert (np.diff(changes) > 0).all(), changes


@pytest.mark.parametrize("seed", range(2, 5))
@pytest.mark.parametrize("kind", sorted(set(ANOMALIES) - ON_THE_PIXELS))
def test_degrade_of_a_larger_frame_scales_the_pattern(kind: str, seed: int, frame: Bytes) -> None:
    large = cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    degraded = degrade(large, kind, 4, seed)
    shrunk = cv2.resize(degraded, frame.shape[1::-1], interpolation=cv2.INTER_AREA)
    clean = cv2.resize(large, frame.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert change(shrunk, degrade(clean, kind, 4, seed)) < 1.2


@pytest.mark.parametrize("shape", [(40, 70), (97, 61), (256, 512)])
@pytest.mark.parametrize("kind", ANOMALIES)
def test_degrade_of_any_memory_layout_gives_the_same_frame(kind: str, shape: tuple[int, int]) -> None:
    flat = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    mirrored = flat[:, ::-1]
    np.testing.assert_array_equal(
        degrade(mirrored, kind, 5, seed=1), degrade(np.ascontiguousarray(mirrored), kind, 5, seed=1)
    )


@pytest.mark.parametrize("kind", ANOMALIES)
@settings(max_examples=12, deadline=None)
@given(
    size=st.tuples(st.integers(1, 71), st.integers(1, 71)) | st.just((8, 8)),
    severity=st.sampled_from(SEVERITIES),
    seed=st.integers(0, 2**63),
)
def test_degrade_of_any_size_keeps_the_size(kind: str, size: tuple[int, int], severity: int, seed: int) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8).transpose(1, 0, 2)
    kept = frame.copy()
    degraded = degrade(frame, kind, severity, seed)
    np.testing.assert_array_equal(frame, kept)
    np.testing.assert_array_equal(degraded, degrade(kept, kind, severity, seed))
    assert degraded.shape == (*size, 3)
    assert degraded.dtype == np.uint8
    assert degraded.flags.c_contiguous
    assert not np.shares_memory(degraded, frame)


def test_degrade_with_a_function_applies_it(frame: Bytes) -> None:
    def negative(image: Floats, severity: float, rng: np.random.Generator) -> Floats:
        return severity * rng.integers(1, 2) * (255 - image)

    np.testing.assert_array_equal(degrade(frame, negative, 1, seed=0), 255 - frame)


def test_anomaly_sheet_of_a_frame_draws_every_kind_and_severity(
    tmp_path: Path, frame: Bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(frame[:, :64]).save(tmp_path / "frame.png")
    out = tmp_path / "new" / "sheet.png"
    monkeypatch.setattr(
        "sys.argv", ["sheet", "--frame", str(tmp_path / "frame.png"), "--width", "64", "--out", str(out)]
    )
    monkeypatch.syspath_prepend(SHEET.parent)  # as Python does for a script
    runpy.run_path(str(SHEET), run_name="__main__")
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (len(ANOMALIES) * (20 + 96 + 4), 6 * (64 + 4), 3)
    for row, kind in enumerate(ANOMALIES):
        for severity in (0, *SEVERITIES):
            cell = sheet[row * 120 + 20 : row * 120 + 116, severity * 68 : severity * 68 + 64]
            expected = degrade(frame[:, :64], kind, severity, 0) if severity else frame[:, :64]
            np.testing.assert_array_equal(cell, expected)


def test_defocus_of_a_point_spreads_it_evenly() -> None:
    grey = np.full((64, 128, 3), 90, dtype=np.uint8)
    np.testing.assert_array_equal(degrade(grey, "defocus", 5, seed=0), grey)
    point = np.zeros((101, 201, 3), dtype=np.uint8)
    point[50, 100] = 255
    disc = degrade(point, "defocus", 2, seed=0)
    np.testing.assert_array_equal(disc, disc[::-1, ::-1])
    assert disc[50, 100, 0] < 255


def test_night_and_fog_of_a_frame_darken_and_flatten_it(frame: Bytes) -> None:
    assert degrade(frame, "night", 5, seed=0).mean() < 0.35 * frame.mean()
    assert degrade(frame, "fog", 5, seed=0).std() < 0.5 * frame.std()


@pytest.mark.parametrize(
    ("kind", "severity", "seed", "message"),
    [
        ("hail", 1, 0, "expected a kind of anomaly from fog, .*, got 'hail'"),
        ("fog", -0.1, 0, "expected a severity from 0 to 5, got -0.1"),
        ("fog", 6, 0, "expected a severity from 0 to 5, got 6"),
        ("fog", float("nan"), 0, "expected a severity from 0 to 5, got nan"),
        ("fog", 1, -1, "expected a seed of 0 or more, got -1"),
    ],
)
def test_degrade_with_bad_arguments_is_refused(
    kind: str, severity: float, seed: int, message: str, frame: Bytes
) -> None:
    with pytest.raises(UsageError, match=message):
        degrade(frame, kind, severity, seed)


@pytest.mark.parametrize("shape", [(96, 192), (3, 96, 192), (96, 192, 4), (0, 192, 3)])
def test_degrade_of_a_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"expected an \(H, W, 3\) uint8 frame"):
        degrade(np.zeros(shape, dtype=np.uint8), "fog", 1, seed=0)


def test_degrade_of_a_wrong_dtype_is_refused() -> None:
    with pytest.raises(UsageError, match="float32"):
        degrade(np.zeros((96, 192, 3), dtype=np.float32), "fog", 1, seed=0)


def test_anomalies_under_their_earlier_path_are_the_same_objects() -> None:
    for name in earlier_path.__all__:
        assert getattr(earlier_path, name) is getattr(export.anomalies, name)
