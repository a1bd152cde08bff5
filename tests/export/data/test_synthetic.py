# SPDX-License-Identifier: Apache-2.0
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from export.data.synthetic import CLASSES, PALETTE, VOID, SyntheticRoads, render_scene
from export.data.synthetic.canvas import Bytes, Camera, Light
from export.errors import UsageError
from tests.paths import ROOT

ROAD, LANE_MARK = CLASSES.index("road"), CLASSES.index("lane mark")
Item = tuple[Bytes, Bytes]


def digest(item: Item) -> str:
    return hashlib.sha256(item[0].tobytes() + item[1].tobytes()).hexdigest()


@pytest.fixture(scope="module")
def scenes() -> list[Item]:
    roads = SyntheticRoads(40, height=96, width=192, seed=3)
    return [roads[index] for index in range(len(roads))]


def test_scenes_in_any_order_or_length_are_the_same(scenes: list[Item]) -> None:
    again = SyntheticRoads(1000, height=96, width=192, seed=3)
    for index in (7, 0, 39, 7):
        assert digest(again[index]) == digest(scenes[index])


def test_scenes_of_another_process_are_the_same(scenes: list[Item]) -> None:
    code = (
        "from export.data.synthetic import SyntheticRoads; import hashlib; roads = SyntheticRoads(9, 96, 192, seed=3);"
        "print([hashlib.sha256(roads[i][0].tobytes() + roads[i][1].tobytes()).hexdigest() for i in (5, 1)])"
    )
    root = ROOT
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == str([digest(scenes[5]), digest(scenes[1])])


def test_scenes_of_any_seed_and_index_differ(scenes: list[Item]) -> None:
    other = SyntheticRoads(3, height=96, width=192, seed=4)
    digests = [digest(item) for item in scenes] + [digest(other[index]) for index in range(3)]
    assert len(set(digests)) == len(digests)


def test_scene_labels_are_classes_or_void(scenes: list[Item]) -> None:
    allowed = {*range(len(CLASSES)), VOID}
    for _, label in scenes:
        assert set(np.unique(label).tolist()) <= allowed


def test_scene_labels_of_a_set_hold_a_share_of_every_class(scenes: list[Item]) -> None:
    labels = np.stack([label for _, label in scenes])
    share = {name: float((labels == index).mean()) for index, name in enumerate(CLASSES)}
    bounds = {
        "sky": (0.06, 0.4),
        "building": (0.08, 0.4),
        "tree": (0.05, 0.35),
        "road": (0.2, 0.45),
        "lane mark": (0.005, 0.05),
        "pavement": (0.02, 0.15),
        "car": (0.02, 0.2),
        "person": (0.002, 0.05),
    }
    assert bounds.keys() == share.keys()
    for name, (low, high) in bounds.items():
        assert low < share[name] < high, f"{name}: {share[name]:.4f}"
    assert (labels == VOID).mean() < 0.05


def test_scene_labels_have_road_at_the_bottom_centre_and_sky_above(scenes: list[Item]) -> None:
    for _, label in scenes:
        foot = label[-4:, 88:104]
        assert np.isin(foot, (ROAD, LANE_MARK)).mean() > 0.9
        assert not (label[-20:] == CLASSES.index("sky")).any()


def test_scene_frames_are_neither_dark_nor_blown_out(scenes: list[Item]) -> None:
    for frame, _ in scenes:
        assert 40 < frame.mean() < 200
        assert (frame >= 254).mean() < 0.1
        assert frame.std() > 15


@pytest.mark.parametrize(("height", "width"), [(64, 128), (33, 65), (120, 160), (240, 320), (512, 1024)])
def test_scenes_of_any_size_have_that_size(height: int, width: int) -> None:
    frame, label = render_scene(np.random.default_rng(0), height, width)
    assert frame.shape == (height, width, 3)
    assert label.shape == (height, width)
    assert frame.dtype == label.dtype == np.uint8
    assert frame.flags.c_contiguous
    assert label.flags.c_contiguous


@pytest.mark.parametrize("seed", range(4))
def test_scenes_at_twice_the_size_show_the_same_street(seed: int) -> None:
    small, small_label = render_scene(np.random.default_rng(seed), 128, 256)
    large, large_label = render_scene(np.random.default_rng(seed), 256, 512)
    assert (large_label[1::2, 1::2] == small_label).mean() > 0.95
    shrunk = large.reshape(128, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrunk.mean(axis=(0, 1)) - small.mean(axis=(0, 1))).max() < 2.0


def test_scene_constants_name_every_class_once() -> None:
    assert len(PALETTE) == len(CLASSES) == 8
    assert len(set(PALETTE)) == len(PALETTE)
    assert len(CLASSES) <= VOID


def test_scenes_by_iteration_end() -> None:
    roads = SyntheticRoads(2, height=32, width=64)
    assert len(roads) == 2
    assert len([roads[index] for index in range(len(roads))]) == 2
    for index in (2, -1):
        with pytest.raises(IndexError, match=r"expected an index in \[0, 2\)"):
            roads[index]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0}, "expected a length of at least 1, got 0"),
        ({"length": 1, "seed": -1}, "expected a seed of 0 or more, got -1"),
        ({"length": 1, "height": 8}, "expected frames of at least 32 x 64 pixels, got 8 x 384"),
        ({"length": 1, "width": 0}, "got 192 x 0"),
    ],
)
def test_scenes_with_bad_arguments_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SyntheticRoads(**arguments)


def test_render_scene_of_a_tiny_frame_is_refused() -> None:
    with pytest.raises(UsageError, match="expected frames of at least"):
        render_scene(np.random.default_rng(0), 8, 8)


def test_projection_of_points_is_that_of_a_pinhole() -> None:
    camera = Camera(height_m=1.5, focal_px=300.0, centre_u=190.0, horizon_v=90.0)
    rng = np.random.default_rng(1)
    points = rng.uniform((-9, 0, 2), (9, 12, 90), (50, 3))
    matrix = np.array([[300.0, 0, 190], [0, -300.0, 90], [0, 0, 1]])
    rays = (points - [0, 1.5, 0]) @ matrix.T
    np.testing.assert_allclose(camera.project(points), rays[:, :2] / rays[:, 2:], rtol=1e-12)


def test_light_on_many_surfaces_shades_each_as_alone() -> None:
    rng = np.random.default_rng(2)
    light = Light(np.array([0.6, 0.64, 0.48]), 0.7, 0.4, np.array([200.0, 205, 210]), 250.0)
    albedo, normals = rng.uniform(0, 200, (6, 3)), rng.normal(size=(6, 3))
    expected = [light.shade(a, (n[0], n[1], n[2]), 33.0) for a, n in zip(albedo, normals, strict=True)]
    np.testing.assert_allclose(light.shade_all(albedo, normals, 33.0), expected, rtol=1e-12)
    np.testing.assert_allclose(light.shade(albedo[0], (0, 1, 0), 1e9), light.haze_colour)
