# SPDX-License-Identifier: Apache-2.0
"""Other scores of the same frames: parts of the bundle, scores of the output, detectors on every feature."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from export.evaluation.peers import OtherScores, fit_other_scores
from export.features.frames import Features, FrameFeatures
from export.features.key import Aggregate, FeatureKey, FeatureKind

ENTROPY, TAP, OTHER = FeatureKey.entropy(), FeatureKey.moments("tap"), FeatureKey.moments("early")
ENERGY = FeatureKey.output_score(FeatureKind.ENERGY, Aggregate.WORST5)


def features_of(seed: int, count: int, parts: bool = False) -> Features:
    rng = np.random.default_rng(seed)
    widths = {ENTROPY: 3, TAP: 4, OTHER: 2, ENERGY: 1}
    rows = []
    for i in range(count):
        values = {key: rng.normal(size=width).astype(np.float32) for key, width in widths.items()}
        rows.append((f"{i}.png", FrameFeatures(1.0, values, None, {"a": i, "b": -i} if parts else {})))
    return Features.collect(rows)


def test_other_scores_without_frames_to_fit_on_are_the_outputs_own_and_the_parts() -> None:
    features = features_of(0, 5, parts=True)
    scores = OtherScores()(features, None)
    assert list(scores) == ["part: a", "part: b", "energy, worst5"]
    np.testing.assert_array_equal(scores["part: b"], [0, -1, -2, -3, -4])
    np.testing.assert_array_equal(scores["energy, worst5"], features.rows(ENERGY)[:, 0])


def test_fitted_other_scores_are_every_detector_on_the_taps_and_a_gaussian_elsewhere() -> None:
    fitted, new = features_of(1, 40), features_of(2, 6)
    rng = np.random.default_rng(3)
    others = fit_other_scores(fitted, rng.normal(size=(40, 27)), [f"d{i // 4}" for i in range(40)], ("tap",))
    scores = others(new, rng.normal(size=(6, 27)))
    assert {f"{key}, {kind}" for key in (ENTROPY, TAP) for kind in ("kde", "mahalanobis", "knn")} <= scores.keys()
    assert "moments/early, mahalanobis" in scores
    assert "moments/early, kde" not in scores
    assert list(scores)[-1] == "picture alone"
    assert all(values.shape == (6,) for values in scores.values())
    expected = LedoitWolf().fit(fitted.rows(OTHER).astype(np.float64)).mahalanobis(new.rows(OTHER).astype(np.float64))
    np.testing.assert_allclose(scores["moments/early, mahalanobis"], expected, rtol=1e-5)


def test_features_of_parts_are_collected_and_joined_where_all_have_them() -> None:
    first, second = features_of(0, 2, parts=True), features_of(1, 3, parts=True)
    joined = Features.concatenate([first, second])
    np.testing.assert_array_equal(joined.parts["a"], [0, 1, 0, 1, 2])
    assert Features.concatenate([first, features_of(2, 1)]).parts == {}
    with pytest.raises(KeyError):
        _ = features_of(3, 1).parts["a"]
