# SPDX-License-Identifier: Apache-2.0
"""From entropies and drives to a detector and thresholds: who fits what, and what is refused."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.calibration.calibrate import CalibrationResult, calibrate
from export.calibration.detector_choice import choose_parts
from export.calibration.frame_split import split_frames
from export.calibration.options import CalibrationOptions
from export.errors import CalibrationError, UsageError
from export.features.key import FeatureKey, FeatureKind


def calibrated(entropies: NDArray[np.float64], options: CalibrationOptions, drives: str = "") -> CalibrationResult:
    names = drives or "x" * len(entropies)
    paths = [Path(f"{name}_{i:04d}.png") for i, name in enumerate(names)]
    features = {ENTROPY: entropies}
    return calibrate(features, split_frames(paths, options), options, choose_parts(options, [ENTROPY], ["tap"]))


def score_of(calibration: CalibrationResult, entropies: NDArray[np.float64]) -> NDArray[np.float64]:
    return calibration.detector.score({ENTROPY: entropies})


ENTROPY = FeatureKey.entropy()
TENTH = CalibrationOptions(detector="kde", rates={"10%": 0.1}, group_by="prefix")


THREE = "a" * 50 + "b" * 40 + "c" * 30


@pytest.mark.parametrize("kind", ["kde", "mahalanobis", "knn"])
def test_calibrate_with_moved_threshold_drives_changes_the_threshold_alone(kind: str) -> None:
    entropies = np.random.default_rng(0).normal(size=(120, 6))
    options = CalibrationOptions(
        detector=kind, rates={"10%": 0.1, "half": 0.5}, group_by="prefix", threshold_drives=("b", "c")
    )
    calibration = calibrated(entropies, options, THREE)
    moved, held_out = entropies.copy(), calibration.split.scored
    moved[held_out] += 100
    again = calibrated(moved, options, THREE)
    rows = np.random.default_rng(1).normal(size=(9, 6))
    np.testing.assert_array_equal(score_of(again, rows), score_of(calibration, rows))
    assert again.points["10%"].value > calibration.points["10%"].value + 50
    np.testing.assert_array_equal(calibration.scores, score_of(calibration, entropies[held_out]))
    assert list(calibration.points) == ["10%", "half"]
    assert calibration.points["half"].value < calibration.points["10%"].value
    record = calibration.calibration_record
    assert record.drives == {"b": 40, "c": 30}
    assert record.fit_drives == {"a": 50}
    assert record.source == "70 of 120 frames, whole drives that fitted nothing: b, c"
    assert calibration.points["10%"].folds == 0
    assert calibration.points["10%"].proven_rate == pytest.approx(0.1), "the split proves the target itself"


@pytest.mark.parametrize("drives", ["", THREE])
@pytest.mark.parametrize("kind", ["kde", "mahalanobis", "knn"])
def test_calibrate_scores_each_fold_by_a_detector_that_never_saw_it(kind: str, drives: str) -> None:
    """Move one frame: its own score changes, and no other score of its fold."""
    entropies = np.random.default_rng(0).normal(size=(120, 6))
    options = CalibrationOptions(detector=kind, rates={"10%": 0.1}, group_by="prefix")
    before, moved = calibrated(entropies, options, drives), entropies.copy()
    moved[17] += 100
    after = calibrated(moved, options, drives)
    same_fold = np.flatnonzero(before.split.fold == before.split.fold[17])
    others = same_fold[same_fold != 17]
    assert len(others) > 10
    np.testing.assert_array_equal(after.scores[others], before.scores[others])
    assert after.scores[17] > before.scores[17] + 50
    assert before.detector_record.fit_frames == 120, "the shipped detector is fitted on all"
    rest = np.flatnonzero(before.split.fold != 0)
    fold_rows = entropies[before.split.left_out]
    fold_scores = before.fold_detector.score({ENTROPY: fold_rows})
    np.testing.assert_array_equal(before.scores[before.split.left_out], fold_scores)
    assert len(rest) + len(before.split.left_out) == 120


def test_calibration_result_of_several_drives_records_them_and_their_promise() -> None:
    entropies = np.random.default_rng(0).normal(size=(120, 4))
    several = calibrated(entropies, TENTH, THREE)
    record = several.calibration_record
    assert record.drives == record.fit_drives == {"a": 50, "b": 40, "c": 30}
    assert len(record.scores) == 120
    assert record.source == (
        "all 120 frames, each scored by a detector fitted without its fold: 3 folds of 3 whole drives, dealt at random; "
        "then fitted on all"
    )
    assert several.operating_point == "10%"
    point = several.points["10%"]
    assert point.folds == 3
    assert point.new_drive_rate is not None
    assert point.new_drive_rate >= 1 / 4, "three drives prove little about a fourth"
    assert point.proven_rate is not None
    assert 0.1 < point.proven_rate < 0.3, "of frames: twice the target, and a term for the folds"
    assert point.new_drives_expected == pytest.approx((several.scores > point.value).mean())


def test_calibration_result_of_one_drive_records_blocks_and_promises_no_new_drive() -> None:
    single = calibrated(np.random.default_rng(0).normal(size=(120, 4)), TENTH)
    assert single.points["10%"].new_drive_rate is None
    assert single.points["10%"].new_drives_expected is None
    assert "5 contiguous blocks of their drive" in single.calibration_record.source
    assert set(single.detector_record.parameters) == {"bandwidth"}
    assert single.detector_record.fit_frames == 120


@pytest.mark.parametrize(("drives", "advised"), [("", True), (THREE, True), ("abcdefgh" * 15, False)])
@pytest.mark.parametrize("parts", [(), ("mahalanobis@entropy", "output-score@energy/mean")])
def test_calibrate_of_few_drives_advises_more_for_the_default_sum_alone(
    parts: tuple[str, ...], drives: str, advised: bool
) -> None:
    rng = np.random.default_rng(0)
    features = {
        ENTROPY: rng.normal(size=(120, 4)),
        FeatureKey.output_score(FeatureKind.ENERGY): rng.normal(size=(120, 1)),
    }
    options = CalibrationOptions(rates={"20%": 0.2}, group_by="prefix", parts=parts)
    paths = [Path(f"{name}_{i:04d}.png") for i, name in enumerate(drives or "x" * 120)]
    result = calibrate(features, split_frames(paths, options), options, choose_parts(options, [*features], ["tap"]))
    said = [text for text in result.advice if "drives of equal size" in text]
    assert bool(said) == (advised and not parts), "parts that are asked for keep the weights that are asked for"


def test_calibrate_with_a_drive_that_differs_warns() -> None:
    rng = np.random.default_rng(0)
    drives = "a" * 90 + "b" * 40 + "c" * 40
    entropies = rng.normal(size=(170, 4))
    assert calibrated(entropies, TENTH, drives).warnings == ()
    entropies[130:] += 2
    (warning,) = calibrated(entropies, TENTH, drives).warnings
    assert "flags" in warning
    assert "of drive c" in warning


def bandwidth(calibration: CalibrationResult) -> float:
    return float(calibration.detector_record.parameters["bandwidth"])


def test_calibrate_with_drives_chooses_the_bandwidth_across_them() -> None:
    """Drives a few deviations apart: the bandwidth that bridges them is larger than the one within them."""
    rng = np.random.default_rng(0)
    drives = "".join(name * 40 for name in "abcdef")
    centres = {name: rng.normal(scale=3, size=5) for name in "abcdef"}
    entropies = np.stack([centres[name] + rng.normal(size=5) for name in drives])
    shuffled = "".join(rng.permutation(list(drives)))
    assert Counter(shuffled) == Counter(drives)
    by_drive = bandwidth(calibrated(entropies, TENTH, drives))
    by_chance = bandwidth(calibrated(entropies, TENTH, shuffled))
    assert by_drive > 1.3 * by_chance


@pytest.mark.parametrize(
    ("entropies", "options", "message"),
    [
        (np.zeros((1, 4)), CalibrationOptions(detector="kde"), "at least 19"),
        (np.ones((100, 4)), TENTH, "identical"),
        (
            np.random.default_rng(0).normal(size=(8, 4)),
            CalibrationOptions(detector="kde", rates={"h": 0.5}),
            "at least 10 frames to fit kde, got 6",
        ),
        (np.zeros((1, 4)), CalibrationOptions(detector="kde", rates={"h": 0.5}), "at least 2 frames"),
        (
            np.random.default_rng(0).normal(size=(100, 4)),
            CalibrationOptions(detector="kde", rates={"t": 0.1}, pca=5),
            "1 to 4 PCA components",
        ),
        (np.where(np.eye(100, 4) == 1, np.nan, 0.5), TENTH, "frame 0"),
        (
            np.random.default_rng(0).normal(size=(100, 4)),
            CalibrationOptions(detector="kde", rates={"t": 0.1}, guarantee="drives"),
            "at least 9 drives to guarantee 0.1 for new drives, got 1: add 8",
        ),
    ],
)
def test_calibrate_of_unsuitable_frames_is_refused(
    entropies: NDArray[np.float64], options: CalibrationOptions, message: str
) -> None:
    with pytest.raises(CalibrationError, match=message):
        calibrated(entropies, options)


@pytest.mark.parametrize(
    "options",
    [
        CalibrationOptions(detector="kde-classifier", rates={"t": 0.1}),
        CalibrationOptions(detector="kde", ood_frames=(Path("fog"),), rates={"t": 0.1}),
    ],
)
def test_split_frames_of_contradicting_options_is_refused(options: CalibrationOptions) -> None:
    with pytest.raises(UsageError, match="--detector"):
        calibrated(np.random.default_rng(0).normal(size=(100, 4)), options)


def test_calibrate_of_degenerate_entropies_gives_finite_scores() -> None:
    rng = np.random.default_rng(0)
    entropies = rng.normal(size=(60, 200))
    entropies[:, :50] = 1.5
    for kind in ("kde", "mahalanobis", "knn"):
        for standardise in (False, True):
            options = CalibrationOptions(detector=kind, standardise=standardise, rates={"t": 0.2})
            calibration = calibrated(entropies, options)
            ood = score_of(calibration, rng.normal(5, 3, size=(3, 200)))
            assert np.isfinite(ood).all()
            assert (ood > calibration.points["t"].value).all()


def fused_features(count: int, seed: int = 0) -> dict[FeatureKey, NDArray[np.float32]]:
    """A layer's moments, entropies and an energy of frames, the energy in a unit of its own."""
    rng = np.random.default_rng(seed)
    return {
        ENTROPY: rng.normal(size=(count, 6)).astype(np.float32),
        FeatureKey.moments("layer1"): rng.normal(3, 2, size=(count, 8)).astype(np.float32),
        FeatureKey.output_score(FeatureKind.ENERGY): rng.normal(-900, 50, size=(count, 1)).astype(np.float32),
    }


def fused(features: dict[FeatureKey, NDArray[np.float32]], drives: str, **options: Any) -> CalibrationResult:
    chosen = CalibrationOptions(rates={"10%": 0.1}, group_by="prefix", **options)
    paths = [Path(f"{name}_{i:04d}.png") for i, name in enumerate(drives)]
    return calibrate(features, split_frames(paths, chosen), chosen, choose_parts(chosen, list(features), ["tap"]))


def test_calibrate_by_default_sums_standardised_parts_whose_shares_add_up() -> None:
    features = fused_features(120)
    calibration = fused(features, THREE)
    detector = calibration.detector
    assert detector.kind == "fused"
    np.testing.assert_allclose(detector.part_scores(features).sum(axis=1), detector.score(features), rtol=1e-12)
    record = calibration.detector_record
    assert [part.features for part in record.parts] == [("entropy",), ("moments/layer1",), ("energy/mean",)]
    energy = record.parts[-1]
    rows = features[FeatureKey.output_score(FeatureKind.ENERGY)][:, 0].astype(np.float64)
    assert energy.centre == pytest.approx(np.median(rows))
    assert energy.scale == pytest.approx(np.quantile(rows, 0.95) - np.median(rows))
    shares = detector.part_scores(features)[:, -1]
    np.testing.assert_allclose(shares, np.arcsinh((rows - energy.centre) / energy.scale), rtol=1e-9)


def test_calibrate_of_a_fused_detector_scores_each_fold_by_parts_that_never_saw_it() -> None:
    """Move one frame in every feature: no other score of its fold changes, so that neither fit nor scaling saw it."""
    features = fused_features(120)
    before = fused(features, THREE)
    moved = {key: values.copy() for key, values in features.items()}
    for values in moved.values():
        values[17] += 500
    after = fused(moved, THREE)
    same_fold = np.flatnonzero(before.split.fold == before.split.fold[17])
    others = same_fold[same_fold != 17]
    np.testing.assert_array_equal(after.scores[others], before.scores[others])
    assert after.scores[17] > before.scores[17] + 1


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
def test_calibrate_with_a_feature_that_is_not_finite_names_feature_and_frame(spoiled: float) -> None:
    features = fused_features(120)
    features[FeatureKey.moments("layer1")][31, 2] = spoiled
    with pytest.raises(CalibrationError, match=r"frame 31 .* in moments/layer1"):
        fused(features, THREE)


def test_calibrate_of_constant_features_gives_finite_shares() -> None:
    """A layer of one cell, a class that never occurs, and an output that never changes."""
    features = fused_features(60)
    features[FeatureKey.moments("layer1")][:, 4:] = np.log(np.float32(1e-5))
    features[FeatureKey(FeatureKind.CLASS_SHARE)] = np.zeros((60, 3), np.float32)
    features[FeatureKey(FeatureKind.CLASS_SHARE)][:, 0] = 1
    features[FeatureKey.output_score(FeatureKind.ENERGY)][:] = -3
    for drives in ("a" * 60, "a" * 20 + "b" * 20 + "c" * 20):
        detector = fused(features, drives).detector
        far = {key: values[:5] + np.float32(7) for key, values in features.items()}
        assert np.isfinite(detector.part_scores(far)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detector": "fused", "pca": 3}, "no --pca"),
        ({"detector": "auto", "standardise": True}, "no --pca, --standardise"),
        ({"detector": "fused", "reads": ("entropy",)}, "--reads"),
        ({"detector": "kde", "parts": ("kde@entropy",)}, "--parts with --detector fused"),
        ({"detector": "lof"}, "'lof'"),
    ],
)
def test_calibration_options_of_another_detector_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CalibrationOptions(**options).check_detector()
