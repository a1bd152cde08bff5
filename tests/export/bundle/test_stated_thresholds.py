# SPDX-License-Identifier: Apache-2.0
"""Every threshold and tolerance that an export writes is accepted by the runtime, and others are refused at load."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from export.bundle.golden import score_golden_frames
from export.calibration.conformal import set_threshold
from export.errors import CalibrationError
from lsood_runtime import BundleError, Manifest
from tests.lsood_runtime.bundle.test_manifest import text_with
from tests.lsood_runtime.conftest import random_frames


def manifest_text(scores: list[float], drives: list[str], point: dict[str, Any], **golden: Any) -> str:
    """The toy manifest with calibration frames, and a threshold that was set by them."""
    document = json.loads(text_with())
    document["calibration"] |= {"scores": sorted(scores), "drives": dict(Counter(drives))}
    document["calibration"]["effective_frames"] = float(len(scores))
    document["operating_points"], document["operating_point"] = {"p": point}, "p"
    tolerance = golden.get("tolerance", {"cpu": 0.0, "gpu": 0.0})
    return json.dumps(document | {"golden": {"tolerance": tolerance}})


@st.composite
def calibrations(draw: st.DrawFn) -> tuple[list[float], list[str], float, str, str]:
    """Scores, many of them equal at times, of drives of unlike lengths; a rate, a guarantee, and what weighs alike."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = [int(rng.integers(1, 40)) for _ in range(draw(st.integers(1, 30)))]
    drives = [f"d{i}" for i, size in enumerate(sizes) for _ in range(size)]
    scores = rng.normal(size=len(drives)) * draw(st.sampled_from([1e-3, 1.0, 1e6]))
    if draw(st.booleans()):
        scores = scores.round(draw(st.integers(0, 2)))
    rate = draw(st.sampled_from([0.01, 0.05, 0.1, 0.25, 0.5, 0.9]))
    guarantee, weigh = draw(st.sampled_from(["frames", "drives"])), draw(st.sampled_from(["frames", "drives"]))
    return scores.tolist(), drives, rate, guarantee, weigh


@given(calibration=calibrations())
def test_threshold_that_an_export_sets_is_accepted(calibration: tuple[list[float], list[str], float, str, str]) -> None:
    scores, drives, rate, guarantee, weigh = calibration
    try:
        point = set_threshold(np.array(scores), drives, rate, guarantee=guarantee, weigh=weigh)
    except CalibrationError:  # too few for the rate
        assume(False)
    assert Manifest.from_json(manifest_text(scores, drives, asdict(point))).threshold == point


@given(calibration=calibrations(), data=st.data())
def test_threshold_at_another_rank_than_its_rate_demands_is_refused(
    calibration: tuple[list[float], list[str], float, str, str], data: st.DataObject
) -> None:
    scores, drives, rate, guarantee, _ = calibration
    try:
        point = set_threshold(np.array(scores), drives, rate, guarantee=guarantee, weigh="frames")
    except CalibrationError:
        assume(False)
    others = sorted({*scores} - {point.value})
    wrong = data.draw(st.sampled_from([*others, 1e308, -1e308, point.value * 1.000001 + 1e-9, max(scores) + 1]))
    with pytest.raises(BundleError, match=r"manifest's field operating_points\.p\.value to be"):
        Manifest.from_json(manifest_text(scores, drives, asdict(point) | {"value": wrong}))


@pytest.mark.parametrize("count", [19, 101, 201, 999])
@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_threshold_one_rank_beside_its_own_is_refused(count: int, rate: float) -> None:
    """Also where a whole number of frames lies above: one more would be as many as the rate just allows, or one too few."""
    scores = [float(i) for i in range(count)]
    point = asdict(set_threshold(np.array(scores), ["a"] * count, rate))
    for beside in (-1, 1):
        with pytest.raises(BundleError, match=r"operating_points\.p\.value to be the smallest score"):
            Manifest.from_json(manifest_text(scores, ["a"] * count, point | {"value": point["value"] + beside}))


def test_threshold_far_from_its_rank_is_refused_where_drives_weigh_alike() -> None:
    rng = np.random.default_rng(0)
    drives = [f"d{i}" for i in range(20) for _ in range(10 + i)]
    scores = rng.normal(size=len(drives)).tolist()
    point = asdict(set_threshold(np.array(scores), drives, 0.2, guarantee="drives", weigh="drives"))
    Manifest.from_json(manifest_text(scores, drives, point))
    for wrong in (max(scores), float(np.median(scores)), min(scores)):
        ordered = min(scores, key=lambda score: abs(score - wrong))
        with pytest.raises(
            BundleError, match=r"operating_points\.p\.value to be the smallest score above which at most"
        ):
            Manifest.from_json(manifest_text(scores, drives, point | {"value": ordered}))


@given(
    scores=st.lists(st.floats(-1e6, 1e6), min_size=19, max_size=60),
    mode=st.sampled_from(["fixed", "fresh"]),
    seed=st.integers(0, 2**32),
)
def test_tolerance_that_an_export_sets_is_accepted_and_a_larger_one_is_refused(
    scores: list[float], mode: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    low, high = min(scores), max(scores)
    golden = score_golden_frames(
        lambda frames, _: {"score": rng.uniform(0, high - low, len(frames))},
        random_frames(2, 0),
        [],
        mode=mode,
        scores=np.array(scores),
    )
    drives = ["a"] * len(scores)
    point = asdict(set_threshold(np.array(scores), drives, 0.1))

    def text(tolerance: dict[str, float]) -> str:
        document = json.loads(manifest_text(scores, drives, point, tolerance=tolerance))
        document["masks"]["mode"] = mode
        return json.dumps(document)

    assert Manifest.from_json(text(golden.tolerance)).golden.tolerance == golden.tolerance
    largest = 10 * max(float(high - low), 1e-3) + golden.tolerance["gpu"]
    for provider, wrong in (("cpu", 1e308), ("gpu", 1e308), ("cpu", -1e-9), ("gpu", 2 * largest)):
        with pytest.raises(BundleError, match=rf"manifest's field golden\.tolerance\.{provider} to be from 0 to"):
            Manifest.from_json(text(golden.tolerance | {provider: wrong}))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("masks.seed", [-1, 2**64]),
        ("masks.count", [-1]),
        ("masks.drop_prob", [-0.1, 1.1]),
        ("masks.block_size", [0]),
        ("input.frame_width", [0, 10**6, 10**30]),
        ("input.std", [[1.0, 1.0, 0.0], [1.0]]),
        ("input.mean", [[0.0], [0.0] * 4]),
        ("segmentation.num_classes", [0, 10**9]),
        ("entropy.neighbors", [0]),
        ("entropy.min_dist", [0.0, -1.0]),
        ("detector.fit_frames", [-1]),
        ("detector.pca_components", [0]),
        ("calibration.effective_frames", [0.0, -1.0]),
        ("calibration.drives", [{"noise": 18}, {"noise": 10**30}, {"noise": 20, "other": -1}, {}]),
        ("parity.score_max_abs", [-1e-9]),
        ("network_sha256", ["", "0" * 63, "G" * 64]),
        ("masks.sha256", ["x"]),
        ("files.golden.npz.bytes", [-1, 2**40]),
        ("files.golden.npz.sha256", ["A" * 64]),
        ("operating_points.5%.rate_low", [-0.1, 0.7]),
        ("operating_points.5%.rate_high", [1.5]),
        ("operating_points.5%.new_drive_rate", [-0.1, 1.1]),
        ("operating_points.5%.weigh", ["all"]),
        ("operating_points.5%.folds", [-1]),
    ],
)
def test_manifest_number_out_of_range_is_refused_and_named(path: str, wrong: list[Any]) -> None:
    for value in wrong:
        document: Any = json.loads(text_with())
        *parents, last = path.replace("golden.npz", "golden,npz").split(".")
        inner = document
        for parent in parents:
            inner = inner[parent.replace(",", ".")]
        inner[last] = value
        named = path.split(".")[0]
        with pytest.raises(BundleError, match=f"manifest's field {named}"):
            Manifest.from_json(json.dumps(document))
