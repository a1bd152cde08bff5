# SPDX-License-Identifier: Apache-2.0
"""Fused detectors: shares that sum to the score, standardised by frames that did not fit the parts."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut

from export.detectors.fit import fit_detector
from export.detectors.fitted import OnePart, PartOptions, fit_part, side_by_side
from export.detectors.fused import compress, fit_fused, out_of_fold_scores
from export.errors import CalibrationError, UsageError
from export.features.key import FeatureKey
from tests.export.detectors.feature_rows import (
    CLASSES,
    ENERGY,
    ENTROPY,
    LAYER,
    LOGITS,
    MAXIMUM,
    PARTS,
    WIDE,
    recording,
)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_fused_of_every_kind_of_part_sums_finite_shares(seed: int) -> None:
    drive = recording(seed)
    detector = fit_fused(PARTS, drive.features, drive.drives)
    shares = detector.part_scores(drive.features)
    assert shares.shape == (60, len(PARTS))
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(detector.score(drive.features), shares.sum(axis=1), rtol=1e-12)
    assert set(detector.keys) == {key for part in PARTS for key in part.keys}
    assert detector.kind == "fused"


def test_fused_share_is_the_compressed_distance_from_scores_of_drives_left_out() -> None:
    """By hand, with scikit-learn's own splitter: six drives in six folds."""
    drive = recording(1)
    options = PartOptions("mahalanobis", (LAYER,))
    rows = drive.features[LAYER].astype(np.float64)
    scores = np.empty(60)
    for fit, held in LeaveOneGroupOut().split(rows, groups=drive.drives):
        scores[held] = -fit_detector("mahalanobis", rows[fit]).score_samples(rows[held])
    detector = fit_fused([options], drive.features, drive.drives, folds=6, weights=[2.0])
    centre = np.median(scores)
    raw = -fit_detector("mahalanobis", rows).score_samples(rows)
    expected = 2 * np.arcsinh((raw - centre) / (np.quantile(scores, 0.95) - centre))
    np.testing.assert_allclose(detector.part_scores(drive.features)[:, 0], expected, rtol=1e-9)
    got = out_of_fold_scores([options], drive.features, drive.drives, folds=6)
    np.testing.assert_allclose(got[:, 0], scores, rtol=1e-9)


def test_fused_standardisation_of_a_part_that_fits_its_frames_by_heart_uses_other_frames() -> None:
    """The nearest neighbour of a training row is itself: scores of fitted frames would say 0."""
    drive = recording(2)
    detector = fit_fused([PartOptions("knn", (WIDE,))], drive.features, drive.drives)
    new = recording(3)
    assert detector.centres[0] > np.median(detector.parts[0].raw(drive.features)) > 0
    assert np.isfinite(detector.score(new.features)).all()


def test_fused_of_a_single_drive_is_standardised_by_blocks() -> None:
    drive = recording(4)
    detector = fit_fused([PartOptions("kde", (LAYER,))], drive.features, ["all"] * 60)
    blocks = np.array_split(np.arange(60), 5)
    rows = drive.features[LAYER].astype(np.float64)
    scores = np.concatenate(
        [-fit_detector("kde", np.delete(rows, block, axis=0)).score_samples(rows[block]) for block in blocks]
    )
    assert detector.centres[0] == pytest.approx(np.median(scores))


def test_fused_of_a_constant_part_gives_finite_shares_and_ignores_its_noise() -> None:
    drive = recording(5)
    constant = FeatureKey.parse("predictive_entropy/mean")
    features = drive.features | {constant: np.full((60, 1), 0.7, np.float32)}
    options = [PartOptions("output-score", (constant,)), PartOptions("mahalanobis", (LAYER,))]
    detector = fit_fused(options, features, drive.drives)
    np.testing.assert_array_equal(detector.part_scores(features)[:, 0], 0)
    noisy = features | {constant: np.full((60, 1), 0.7 + 1e-6, np.float32)}
    assert np.abs(detector.part_scores(noisy)[:, 0]).max() < 0.1
    far = features | {constant: np.full((60, 1), 1e30, np.float32)}
    assert np.isfinite(detector.score(far)).all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_fused_of_a_feature_in_any_unit_is_the_same(scale: float) -> None:
    drive = recording(6)
    options = [PartOptions("output-score", (ENERGY,))]
    features = {ENERGY: drive.features[ENERGY].astype(np.float64) * scale}
    plain = fit_fused(options, {ENERGY: drive.features[ENERGY].astype(np.float64)}, drive.drives)
    if scale == 1e-30:  # below the floor of the scale, which tells a constant part from noise
        assert np.isfinite(fit_fused(options, features, drive.drives).score(features)).all()
        return
    scaled = fit_fused(options, features, drive.drives)
    np.testing.assert_allclose(scaled.score(features), plain.score({ENERGY: drive.features[ENERGY]}), rtol=1e-6)


def test_compress_of_any_number_is_odd_monotone_and_logarithmic() -> None:
    z = np.array([0.0, 1e-3, 0.5, 1.0, 10.0, 1e3, 1e12])
    np.testing.assert_allclose(compress(-z), -compress(z))
    assert (np.diff(compress(z)) > 0).all()
    assert compress(z)[1] == pytest.approx(1e-3, rel=1e-5)
    assert compress(z)[-1] == pytest.approx(np.log(2e12))


def test_one_part_of_a_detector_scores_in_its_own_unit() -> None:
    drive = recording(7)
    part = fit_part(PartOptions("kde", (ENTROPY,)), drive.features, drive.drives)
    detector = OnePart(part)
    pipeline = fit_detector("kde", drive.features[ENTROPY].astype(np.float64), groups=drive.drives)
    expected = -pipeline.score_samples(drive.features[ENTROPY].astype(np.float64))
    np.testing.assert_array_equal(detector.score(drive.features), expected)
    np.testing.assert_array_equal(detector.part_scores(drive.features), expected[:, None])
    assert (detector.kind, detector.keys, detector.parts) == ("kde", (ENTROPY,), (part,))


def test_part_of_several_features_reads_them_side_by_side() -> None:
    drive = recording(8)
    rows = side_by_side(drive.features, (LOGITS, ENERGY))
    np.testing.assert_array_equal(rows, np.hstack([drive.features[LOGITS], drive.features[ENERGY]]))
    assert rows.dtype == np.float64
    part = fit_part(PartOptions("mahalanobis", (LOGITS, ENERGY)), drive.features, drive.drives)
    expected = -fit_detector("mahalanobis", rows).score_samples(rows)
    np.testing.assert_allclose(part.raw(drive.features), expected)
    assert part.name == "logit_moments + energy/mean, mahalanobis"
    assert PartOptions("output-score", (ENERGY,)).name == "energy/mean"


def test_part_on_out_of_distribution_frames_is_fitted_on_both() -> None:
    ind, ood = recording(9), recording(10)
    part = fit_part(PartOptions("kde-classifier", (LAYER,)), ind.features, ind.drives, ood.features)
    assert np.median(part.raw(ood.features)) > np.median(part.raw(ind.features))


@pytest.mark.parametrize(
    ("kind", "keys", "message"),
    [
        ("vim", (LAYER,), "expected moments, then logit_moments or energy for vim, got moments/layer1"),
        ("vim", (LAYER, CLASSES), "got moments/layer1, class_share"),
        ("neco", (LAYER, MAXIMUM, MAXIMUM), "different features for neco"),
        ("neco", (ENTROPY,), "or nothing for neco, got entropy"),
        ("output-score", (LAYER,), "for output-score, got moments/layer1"),
        ("output-score", (ENERGY, MAXIMUM), "for output-score, got energy/mean, maximum_logit/mean"),
        ("kde", (), "different features for kde, got none"),
        ("svm", (LAYER,), "among kde, kde-classifier, mahalanobis, mahalanobis-l2, knn, vim, neco, output-score"),
    ],
)
def test_part_options_of_features_that_a_kind_does_not_read_are_refused(
    kind: str, keys: tuple[FeatureKey, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        PartOptions(kind, keys)


def test_fused_of_what_cannot_be_fitted_names_the_part() -> None:
    drive = recording(11)
    few = {key: rows[:11] for key, rows in drive.features.items()}
    with pytest.raises(
        CalibrationError, match=r"left out to standardise by: expected at least 10 frames .* entropy, kde"
    ):
        fit_fused([PartOptions("kde", (ENTROPY,))], few, ["a"] * 6 + ["b"] * 5)
    still = drive.features | {LAYER: np.ones((60, 12), np.float32)}
    with pytest.raises(CalibrationError, match=r"moments/layer1, mahalanobis: .*identical"):
        fit_fused([PartOptions("mahalanobis", (LAYER,))], still, drive.drives)
    with pytest.raises(CalibrationError, match="2 or more frames to standardise"):
        fit_fused([PartOptions("output-score", (ENERGY,))], {ENERGY: np.ones((1, 1))}, ["a"])
    with pytest.raises(UsageError, match="got none of energy/mean"):
        fit_fused([PartOptions("output-score", (ENERGY,))], {LAYER: drive.features[LAYER]}, drive.drives)
    with pytest.raises(UsageError, match="different names"):
        fit_fused([PartOptions("mahalanobis", (LAYER,))] * 2, drive.features, drive.drives)
    with pytest.raises(CalibrationError, match="neither scaling nor PCA before vim"):
        fit_part(PartOptions("vim", (LAYER, LOGITS), standardise=True), drive.features, drive.drives)
    bad = drive.features | {LAYER: np.full((60, 12), np.nan)}
    with pytest.raises(CalibrationError, match=r"moments/layer1, mahalanobis: .*NaN"):
        fit_fused([PartOptions("mahalanobis", (LAYER,))], bad, drive.drives)


def test_fused_of_parts_without_weight_leaves_them_out() -> None:
    drive = recording(12)
    options = [PartOptions("output-score", (ENERGY,)), PartOptions("mahalanobis", (LAYER,))]
    detector = fit_fused(options, drive.features, drive.drives, weights=[0.0, 1.5])
    assert [part.name for part in detector.parts] == ["moments/layer1, mahalanobis"]
    assert detector.keys == (LAYER,)
    alone = fit_fused(options[1:], drive.features, drive.drives)
    np.testing.assert_allclose(detector.score(drive.features), 1.5 * alone.score(drive.features))
    for weights in ([1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]):
        with pytest.raises(UsageError, match="a finite weight"):
            fit_fused(options, drive.features, drive.drives, weights=weights)


@settings(max_examples=10, deadline=None)
@given(
    st.one_of(st.just(["a"] * 40), st.lists(st.sampled_from("abcdefgh"), min_size=40, max_size=40)),
    st.floats(0.1, 5),
    st.floats(0.1, 5),
)
def test_fused_part_that_needs_drives_counts_by_their_effective_number(
    drawn: list[str], weight: float, factor: float
) -> None:
    drive, drives = recording(14), [*drawn, *("a" * 10), *(sorted(set(drawn))[-1] * 10)]
    plain = PartOptions("mahalanobis", (LAYER,))
    options = [dataclasses.replace(plain, weight=weight, needs_drives=True), PartOptions("output-score", (ENERGY,))]
    detector = fit_fused(options, drive.features, drives, weights=[factor, 1.0])
    shares = np.unique(drives, return_counts=True)[1] / 60
    effective = 1 / (shares**2).sum()
    np.testing.assert_allclose(detector.weights, [weight * factor * effective / (effective + 8), 1.0])
    alone = fit_fused([plain], drive.features, drives)
    np.testing.assert_allclose(
        detector.part_scores(drive.features)[:, 0], detector.weights[0] * alone.score(drive.features)
    )


def test_fused_by_another_seed_deals_other_folds() -> None:
    drive = recording(13)
    options = [PartOptions("mahalanobis", (LAYER,))]
    centres = {
        float(fit_fused(options, drive.features, drive.drives, folds=3, seed=seed).centres[0]) for seed in range(4)
    }
    assert len(centres) > 1
    again = fit_fused(options, drive.features, drive.drives, folds=3, seed=0)
    assert dataclasses.asdict(again)["centres"][0] in centres
