# SPDX-License-Identifier: Apache-2.0
"""The table of kinds, and what each kind promises: order of severities, masks, and numbers between the severities."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from export.anomalies import (
    ANOMALIES,
    COMMON_KINDS,
    KINDS,
    SEVERITIES,
    TILE_KINDS,
    AnomalyGroup,
    Bytes,
    LocalChange,
    degrade,
    degrade_with_mask,
    kinds_in,
)
from export.data.synthetic import render_scene
from tests.drawn_examples import examples

GEOMETRIC = {"decalibration"}
"""Kinds that move the scene, judged by how far: the error of a scene grows no more once its things lie beside themselves."""
LOCAL = sorted(name for name, kind in KINDS.items() if kind.local)
SIZES = st.tuples(st.integers(60, 140), st.integers(130, 240))
"""Heights and widths; below 125 columns the disc of ``defocus`` at severity 1 is smaller than a pixel."""


def scene(seed: int, height: int, width: int) -> Bytes:
    return render_scene(np.random.default_rng(seed), height, width)[0]


def ramps(height: int, width: int) -> Bytes:
    """Picture whose red rises to the right and whose green rises downwards: its error grows with the way of each place."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.rint(np.stack([red, green, np.full_like(red, 128)], axis=2)).astype(np.uint8)


def structural_similarity(first: Bytes, second: Bytes) -> float:
    """SSIM by Wang et al. 2004, mean over the colours: windows of a Gaussian of 1.5 pixels."""
    x, y = (np.asarray(picture, dtype=float) for picture in (first, second))

    def smooth(picture: NDArray[np.floating]) -> NDArray[np.floating]:
        smoothed: NDArray[np.floating] = ndimage.gaussian_filter(picture, (1.5, 1.5, 0), truncate=3.5)
        return smoothed

    mean_x, mean_y = smooth(x), smooth(y)
    variances = smooth(x * x) - mean_x**2 + smooth(y * y) - mean_y**2
    covariance = smooth(x * y) - mean_x * mean_y
    low, high = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ratio = (2 * mean_x * mean_y + low) * (2 * covariance + high)
    return float((ratio / ((mean_x**2 + mean_y**2 + low) * (variances + high))).mean())


def noise_power(degraded: Bytes, frame: Bytes) -> float:
    """Mean squared error, of which PSNR is a falling function."""
    return float(((degraded.astype(float) - frame) ** 2).mean())


def test_structural_similarity_of_known_pictures_is_as_defined() -> None:
    frame = scene(0, 60, 100)
    assert structural_similarity(frame, frame) == pytest.approx(1)
    flat, other = np.full((40, 40, 3), 100, np.uint8), np.full((40, 40, 3), 200, np.uint8)
    low = (0.01 * 255) ** 2
    assert structural_similarity(flat, other) == pytest.approx((2 * 100 * 200 + low) / (100**2 + 200**2 + low))


@pytest.mark.parametrize("kind", ANOMALIES)
# holds for nearly every scene, not by construction
@settings(max_examples=examples(8), deadline=None, derandomize=True)
@given(size=SIZES, seed=st.integers(0, 2**31))
def test_kind_at_a_higher_severity_is_worse_by_error_and_similarity(
    kind: str, size: tuple[int, int], seed: int
) -> None:
    frame = ramps(*size) if kind in GEOMETRIC else scene(seed, *size)
    degraded = [degrade(frame, kind, severity, seed) for severity in SEVERITIES]
    errors = [0.0, *(noise_power(one, frame) for one in degraded)]
    likeness = [1.0, *(structural_similarity(one, frame) for one in degraded)]
    assert (np.diff(errors) > 0).all(), errors
    assert (np.diff(likeness) < 0).all() or kind in GEOMETRIC, likeness


@pytest.mark.parametrize("kind", ANOMALIES)
# holds for nearly every scene, not by construction
@settings(max_examples=examples(8), deadline=None, derandomize=True)
@given(size=SIZES, seed=st.integers(0, 2**31), severity=st.floats(0, 5))
def test_kind_between_two_severities_lies_between_them(
    kind: str, size: tuple[int, int], seed: int, severity: float
) -> None:
    frame = ramps(*size) if kind in GEOMETRIC else scene(seed, *size)
    below, between, above = (
        noise_power(degrade(frame, kind, at, seed), frame) for at in (int(severity), severity, np.ceil(severity))
    )
    assert below - 1e-9 <= between * 1.02
    assert between <= above * 1.02 + 1e-9


@pytest.mark.parametrize("kind", ANOMALIES)
def test_kind_at_severity_zero_is_the_frame_with_an_empty_mask(kind: str) -> None:
    frame = scene(1, 64, 96)[:, ::-1]
    degraded, mask = degrade_with_mask(frame, kind, 0, seed=4)
    np.testing.assert_array_equal(degraded, frame)
    assert not np.shares_memory(degraded, frame)
    assert degraded.flags.c_contiguous
    assert not mask.any()


@pytest.mark.parametrize("kind", ANOMALIES)
@settings(max_examples=examples(8), deadline=None)
@given(
    size=SIZES | st.tuples(st.integers(1, 9), st.integers(1, 9)), seed=st.integers(0, 2**31), severity=st.floats(0.2, 5)
)
def test_mask_of_a_kind_holds_every_pixel_that_changes(
    kind: str, size: tuple[int, int], seed: int, severity: float
) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    degraded, mask = degrade_with_mask(frame, kind, severity, seed)
    assert mask.shape == size
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(degraded[~mask], frame[~mask])
    np.testing.assert_array_equal(degraded, degrade(frame, kind, severity, seed))
    assert mask.all() or KINDS[kind].local


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", LOCAL)
def test_mask_of_a_local_kind_is_filled_and_grows(kind: str, seed: int) -> None:
    frame = scene(seed, 128, 256)
    before = np.zeros(frame.shape[:2], dtype=bool)
    for severity in SEVERITIES:
        degraded, mask = degrade_with_mask(frame, kind, severity, seed)
        assert (degraded != frame).any(axis=2)[mask].mean() > 0.75
        assert not (before & ~mask).any()
        assert mask.sum() > before.sum()
        before = mask
    assert 0.1 < before.mean() < 0.98


def test_table_of_kinds_says_which_are_local() -> None:
    frame = scene(0, 64, 96).astype(np.float32)
    for kind in KINDS.values():
        assert isinstance(kind.degradation(frame, 3, np.random.default_rng(0)), LocalChange) == kind.local


def test_kinds_that_tiles_learn_are_the_local_ones_but_that_whose_parts_look_sound() -> None:
    assert sorted([*TILE_KINDS, "torn_frame"]) == LOCAL


def test_kinds_in_groups_part_the_table() -> None:
    groups: tuple[AnomalyGroup, ...] = get_args(AnomalyGroup)
    parts = [kinds_in(group) for group in groups]
    assert sorted(name for part in parts for name in part) == sorted(KINDS)
    assert all(parts)
    assert kinds_in() == tuple(KINDS)
    assert kinds_in("weather", "coding") == tuple(k for k in KINDS if KINDS[k].group in ("weather", "coding"))


def test_common_kinds_are_those_of_the_published_results() -> None:
    weather_and_light = ["fog", "night", "sun_flare", "rain", "snow", "over_exposure", "under_exposure"]
    camera = ["mud", "sensor_noise", "defocus", "motion_blur", "jpeg", "dead_lines", "occlusion"]
    assert sorted(COMMON_KINDS) == sorted([*weather_and_light, *camera])
