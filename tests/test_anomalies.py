# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from export.data.anomalies import ANOMALIES, SEVERITIES, Bytes, degrade
from export.data.synthetic import render_scene
from export.errors import UsageError

ON_THE_PIXELS = {"night", "sensor_noise"}
"""Kinds whose noise belongs to the sensor's own pixels and so does not scale with the frame."""


@pytest.fixture(scope="module")
def frame() -> Bytes:
    return render_scene(np.random.default_rng(5), 96, 192)[0]


def change(spoilt: Bytes, frame: Bytes) -> float:
    return float(np.abs(spoilt.astype(float) - frame).mean())


@pytest.mark.parametrize("kind", ANOMALIES)
def test_same_seed_same_bits_and_input_kept(kind: str, frame: Bytes) -> None:
    kept = frame.copy()
    first = degrade(frame, kind, 3, seed=11)
    np.testing.assert_array_equal(frame, kept)
    np.testing.assert_array_equal(first, degrade(frame, kind, 3, seed=11))
    assert first.shape == frame.shape
    assert first.dtype == np.uint8
    assert not np.shares_memory(first, frame)


@pytest.mark.parametrize("kind", sorted(set(ANOMALIES) - {"defocus"}))
def test_another_seed_spoils_differently(kind: str, frame: Bytes) -> None:
    assert (degrade(frame, kind, 3, seed=11) != degrade(frame, kind, 3, seed=12)).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ANOMALIES)
def test_change_grows_with_severity(kind: str, seed: int, frame: Bytes) -> None:
    changes = [change(degrade(frame, kind, severity, seed), frame) for severity in SEVERITIES]
    assert changes[0] > 0.3
    assert (np.diff(changes) > 0).all(), changes


@pytest.mark.parametrize("kind", sorted(set(ANOMALIES) - ON_THE_PIXELS))
def test_pattern_scales_with_the_frame(kind: str, frame: Bytes) -> None:
    large = cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    spoilt = degrade(large, kind, 4, seed=2)
    shrunk = cv2.resize(spoilt, frame.shape[1::-1], interpolation=cv2.INTER_AREA)
    clean = cv2.resize(large, frame.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert change(shrunk, degrade(clean, kind, 4, seed=2)) < 2.0


@pytest.mark.parametrize("shape", [(40, 70), (97, 61), (256, 512)])
@pytest.mark.parametrize("kind", ANOMALIES)
def test_any_size_and_any_memory_layout(kind: str, shape: tuple[int, int]) -> None:
    flat = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    mirrored = flat[:, ::-1]
    np.testing.assert_array_equal(
        degrade(mirrored, kind, 5, seed=1), degrade(np.ascontiguousarray(mirrored), kind, 5, seed=1)
    )


def test_defocus_keeps_a_uniform_frame_and_spreads_a_point_evenly() -> None:
    grey = np.full((64, 128, 3), 90, dtype=np.uint8)
    np.testing.assert_array_equal(degrade(grey, "defocus", 5, seed=0), grey)
    point = np.zeros((101, 201, 3), dtype=np.uint8)
    point[50, 100] = 255
    disc = degrade(point, "defocus", 2, seed=0)
    np.testing.assert_array_equal(disc, disc[::-1, ::-1])
    assert disc[50, 100, 0] < 255


def test_night_darkens_and_fog_flattens(frame: Bytes) -> None:
    assert degrade(frame, "night", 5, seed=0).mean() < 0.35 * frame.mean()
    assert degrade(frame, "fog", 5, seed=0).std() < 0.5 * frame.std()


@pytest.mark.parametrize(
    ("kind", "severity", "seed", "message"),
    [
        ("hail", 1, 0, "expected a kind of anomaly from fog, .*, got 'hail'"),
        ("fog", 0, 0, "expected a severity from 1 to 5, got 0"),
        ("fog", 6, 0, "expected a severity from 1 to 5, got 6"),
        ("fog", 1, -1, "expected a seed of 0 or more, got -1"),
    ],
)
def test_bad_arguments(kind: str, severity: int, seed: int, message: str, frame: Bytes) -> None:
    with pytest.raises(UsageError, match=message):
        degrade(frame, kind, severity, seed)


@pytest.mark.parametrize("shape", [(96, 192), (3, 96, 192), (96, 192, 4)])
def test_wrong_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"expected an \(H, W, 3\) uint8 frame"):
        degrade(np.zeros(shape, dtype=np.uint8), "fog", 1, seed=0)


def test_wrong_dtype() -> None:
    with pytest.raises(UsageError, match="float32"):
        degrade(np.zeros((96, 192, 3), dtype=np.float32), "fog", 1, seed=0)
