# SPDX-License-Identifier: Apache-2.0
"""Each kind that has a formula or another implementation, against it."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, optimize
from scipy.spatial.transform import Rotation

from export.anomalies import SEVERITIES, Bytes, degrade, degrade_with_mask
from export.anomalies.lens import line_kernel
from export.data.synthetic import render_scene


def grey(height: int, width: int, value: int) -> Bytes:
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(("severity", "quality"), list(zip(SEVERITIES, (40, 22, 13, 8, 4), strict=True)))
def test_jpeg_at_a_severity_equals_pillow_at_its_quality(severity: int, quality: int) -> None:
    frame = render_scene(np.random.default_rng(severity), 97, 161)[0]

    def coded(at: int) -> Bytes:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=at, subsampling="4:2:0")
        return np.asarray(Image.open(file))

    def off(at: int) -> float:
        return float(np.abs(degrade(frame, "jpeg", severity, 0).astype(float) - coded(at)).mean())

    assert off(quality) < 0.6
    assert off(quality + 1) > 2 * off(quality)


@settings(max_examples=15, deadline=None)
@given(length=st.floats(0, 15), angle=st.floats(0, np.pi), seed=st.integers(0, 1000))
def test_line_kernel_of_any_length_equals_the_mean_of_shifted_frames(length: float, angle: float, seed: int) -> None:
    kernel = line_kernel(length, angle)
    reach = len(kernel) // 2
    picture = np.random.default_rng(seed).random((31, 37))
    padded = np.pad(picture, reach + 1, mode="symmetric")
    places = (np.arange(400) + 0.5) / 400 * length - length / 2
    shifted = [ndimage.shift(padded, (t * np.sin(angle), t * np.cos(angle)), order=1) for t in places]
    expected = np.mean(shifted, axis=0)[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
    blurred = ndimage.convolve(picture, kernel, mode="reflect")
    np.testing.assert_allclose(blurred, expected, atol=0.004)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("severity", "length"), list(zip(SEVERITIES, (0.01, 0.02, 0.035, 0.055, 0.08), strict=True)))
def test_motion_blur_of_a_point_is_a_line_of_its_length(severity: int, length: float, seed: int) -> None:
    point = grey(201, 401, 0)
    point[90:111, 190:211] = 255  # a square of 21 pixels, bright enough when blurred; its own variance is known
    spread = degrade(point, "motion_blur", severity, seed)[..., 0].astype(float)
    v, u = np.nonzero(spread)
    along = np.linalg.eigvalsh(np.cov(np.stack([v, u]), aweights=spread[v, u], ddof=0))
    own = (21**2 - 1) / 12
    assert along[1] - own == pytest.approx((401 * length) ** 2 / 12, rel=0.12, abs=0.8)
    assert along[0] == pytest.approx(own, rel=0.03)


@pytest.mark.parametrize("kind", ["defocus", "motion_blur"])
def test_blur_of_a_uniform_frame_keeps_it(kind: str) -> None:
    np.testing.assert_array_equal(degrade(grey(40, 90, 90), kind, 5, seed=0), grey(40, 90, 90))


@pytest.mark.parametrize(
    ("kind", "stops"),
    [("over_exposure", (0.6, 1.2, 2.0, 2.9, 4.0)), ("under_exposure", (-0.8, -1.6, -2.7, -4.2, -6.0))],
)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_exposure_at_a_severity_multiplies_the_light(kind: str, stops: tuple[float, ...], severity: int) -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
    light = (levels.astype(float) / 255) ** 2.2
    expected = 255 * np.minimum(light * 2.0 ** stops[severity - 1], 1) ** (1 / 2.2)
    assert np.abs(degrade(levels, kind, severity, seed=0) - expected).max() < 0.501


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("severity", "count"), list(zip(SEVERITIES, (2, 6, 12, 22, 40), strict=True)))
def test_dead_lines_of_a_frame_change_their_lines_alone(severity: int, count: int, seed: int) -> None:
    frame = np.random.default_rng(seed).integers(1, 255, (240, 480, 3), dtype=np.uint8)  # two pixels a line
    degraded = degrade(frame, "dead_lines", severity, seed)
    touched = (degraded != frame).any(axis=2)
    dead_rows, dead_columns = touched.all(axis=1), touched.all(axis=0)
    np.testing.assert_array_equal(touched, dead_rows[:, None] | dead_columns[None, :])
    assert dead_rows.sum() + dead_columns.sum() == 2 * count
    assert set(np.unique(degraded[touched])) <= {0, 255}


@pytest.mark.parametrize("seed", range(8))
def test_occlusion_at_higher_severity_grows_around_its_area(seed: int) -> None:
    frame, before = grey(150, 220, 255), np.zeros((150, 220), dtype=bool)
    for severity, area in zip(SEVERITIES, (0.05, 0.11, 0.19, 0.3, 0.45), strict=True):
        covered = (degrade(frame, "occlusion", severity, seed) != 255).any(axis=2)
        assert covered.mean() == pytest.approx(area, abs=0.01)
        assert not (before & ~covered).any()
        before = covered


def test_white_balance_of_a_picture_tints_greys_and_leaves_clipped_whites() -> None:
    picture = np.concatenate([grey(20, 40, 255), grey(20, 40, 120)])
    ratios = set()
    for seed in range(12):
        tinted = degrade(picture, "white_balance", 5, seed).astype(float)
        np.testing.assert_array_equal(tinted[:20], 255)
        red, green, blue = (tinted[30, 20] / 120) ** 2.2
        assert red / blue == pytest.approx(2 ** (2 * 0.95 if red > blue else -2 * 0.95), rel=0.05)
        assert 2**-0.34 < green < 2**0.34
        ratios.add(red > blue)
    assert ratios == {True, False}


@pytest.mark.parametrize("axis", [0, 1])
def test_drops_of_a_scene_bright_on_one_side_show_it_on_the_other(axis: int) -> None:
    scene = grey(200, 400, 40)
    scene[(slice(100), slice(None)) if axis == 0 else (slice(None), slice(200))] = 220
    mirrored = []
    for seed in range(12):
        wet, touched = degrade_with_mask(scene, "drops", 1, seed)
        marks, _ = ndimage.label(touched)
        for box in ndimage.find_objects(marks):
            drop = wet[box][..., 0].astype(float)
            if min(drop.shape) < 8 or drop.shape[0] > 1.8 * drop.shape[1]:  # of few pixels, or several drops in one
                continue
            inner = drop[drop.shape[0] // 5 : -drop.shape[0] // 5, drop.shape[1] // 5 : -drop.shape[1] // 5]
            first, last = (np.array_split(inner, 2, axis=axis)[half].mean() for half in (0, 1))
            mirrored.append(last > first)
    assert len(mirrored) > 30
    assert np.mean(mirrored) > 0.9


@settings(max_examples=20, deadline=None)
@given(height=st.integers(2, 40), width=st.integers(2, 40), seed=st.integers(0, 1000))
def test_bayer_phase_of_one_colour_swaps_its_channels(height: int, width: int, seed: int) -> None:
    colour = np.array([200, 120, 40])
    frame = np.broadcast_to(colour, (height, width, 3)).astype(np.uint8)
    degraded, lost = degrade_with_mask(frame, "bayer_phase", 5, seed)
    swapped, greyed = [40, 120, 200], [120, 120, 120]  # red and blue for each other, or each of them for green
    assert any(np.abs(degraded[lost].astype(int) - pixel).max() <= 1 for pixel in (swapped, greyed))
    assert lost[-1].all()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_torn_frame_below_its_seam_shows_the_scene_moved(severity: int) -> None:
    way = (0.01, 0.025, 0.047, 0.075, 0.11)[severity - 1]
    ramp = np.repeat(np.rint(np.linspace(0, 255, 400))[None, :, None], 200, axis=0).repeat(3, axis=2).astype(np.uint8)
    for seed in range(4):
        torn, below = degrade_with_mask(ramp, "torn_frame", severity, seed)
        np.testing.assert_array_equal(torn[~below], ramp[~below])
        assert (np.diff(below[:, 0].astype(int)) >= 0).all()
        moved = (torn[-1, 200].astype(float) - ramp[-1, 200]).mean() / 255
        assert abs(moved) == pytest.approx(way, abs=0.004)


@pytest.mark.parametrize("seed", range(4))
def test_flicker_bands_darken_rows_alone(seed: int) -> None:
    banded = degrade(grey(300, 50, 150), "flicker_bands", 5, seed)
    np.testing.assert_array_equal(banded, np.broadcast_to(banded[:, :1], banded.shape))
    light = (banded[:, 0].astype(float) / 150) ** 2.2
    assert light.min() == pytest.approx(0.1, abs=0.03)
    assert light.max() > 0.95


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("seed", range(3))
def test_decalibration_turns_the_rays_by_its_angle(severity: int, seed: int) -> None:
    width, height, focal = 400, 200, 0.87 * 400
    v, u = np.mgrid[:height, :width] + 0.5
    ramps = np.rint(np.stack([255 * u / width, 255 * v / height, np.full_like(u, 128)], axis=2)).astype(np.uint8)
    seen = degrade(ramps, "decalibration", severity, seed).astype(float)
    inner = np.s_[10:-10:7, 10:-10:7]  # a ramp ends at the border
    source = rays(seen[inner][..., 0] / 255 * width - width / 2, seen[inner][..., 1] / 255 * height - height / 2, focal)

    def turned(nearer: float) -> tuple[Rotation, float]:
        shown = rays((u[inner] - width / 2) * nearer, (v[inner] - height / 2) * nearer, focal)
        rotation, off = Rotation.align_vectors(source, shown)
        return rotation, float(off)

    nearer = optimize.minimize_scalar(lambda share: turned(share)[1], bounds=(0.3, 1), method="bounded").x
    rotation, off = turned(nearer)
    degrees = (0.7, 1.6, 3.0, 4.8, 7.0)[severity - 1]
    assert np.rad2deg(rotation.magnitude()) == pytest.approx(degrees, abs=0.12)
    assert off / np.sqrt(len(source)) < 0.004


def rays(x: NDArray[np.floating], y: NDArray[np.floating], focal: float) -> NDArray[np.floating]:
    """Directions in which places are seen, ``(N, 3)`` of length 1."""
    towards = np.stack([x.ravel(), y.ravel(), np.full(x.size, focal)], axis=1)
    directions: NDArray[np.floating] = towards / np.linalg.norm(towards, axis=1, keepdims=True)
    return directions


def test_rain_and_snow_of_a_dark_scene_are_brighter_than_it() -> None:
    dark = grey(256, 512, 40)
    for kind in ("rain", "snow"):
        bright = degrade(dark, kind, 3, seed=1)[..., 1].astype(float)
        background = np.median(bright)
        marks, _ = ndimage.label(bright > background + 40)
        boxes = ndimage.find_objects(marks)
        assert len(boxes) > 60
        slender = np.median([(rows.stop - rows.start) / (columns.stop - columns.start) for rows, columns in boxes])
        assert slender > 2 if kind == "rain" else slender < 1.6
