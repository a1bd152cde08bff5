# SPDX-License-Identifier: Apache-2.0
"""Features of many frames: stacked, joined, saved and read."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.errors import UsageError
from export.features.files import load_features, save_features
from export.features.frames import Features, FrameFeatures
from export.features.key import OUTPUT_SCORES, Aggregate, FeatureKey, FeatureKind

KEYS = (
    FeatureKey.entropy(),
    FeatureKey.moments("backbone.layer2"),
    FeatureKey.moments("a/b c"),
    FeatureKey(FeatureKind.CLASS_SHARE),
    FeatureKey.output_score(FeatureKind.ENERGY, Aggregate.WORST5),
)


def frame(i: int, channels: int = 3) -> tuple[str, FrameFeatures]:
    values = {key: np.full(channels, i + j / 10, np.float32) for j, key in enumerate(KEYS)}
    return f"{i}.png", FrameFeatures(float(i), values, None)


def check_equal(got: Features, expected: Features) -> None:
    np.testing.assert_array_equal(got.names, expected.names)
    np.testing.assert_array_equal(got.score, expected.score)
    assert got.values.keys() == expected.values.keys()
    for key in expected.values:
        np.testing.assert_array_equal(got.rows(key), expected.rows(key))
        assert got.rows(key).dtype == np.float32


def test_features_of_frames_are_joined_in_order() -> None:
    rows = [frame(i) for i in range(6)]
    whole = Features.collect(rows)
    check_equal(Features.concatenate([Features.collect(rows[:2]), Features.collect(rows[2:])]), whole)
    assert len(whole) == 6
    assert whole.rows(KEYS[1]).shape == (6, 3)
    np.testing.assert_allclose(whole.rows(KEYS[1])[:, 0], np.arange(6) + 0.1)


def test_features_of_no_frame_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one frame"):
        Features.collect([])


def test_concatenate_of_no_features_or_of_other_features_is_refused() -> None:
    for parts in ([], [Features.collect([frame(0, 3)]), Features.collect([frame(1, 4)])]):
        with pytest.raises(UsageError, match="sets of the same features"):
            Features.concatenate(parts)


def test_rows_of_a_feature_that_was_not_measured_are_refused_with_those_that_were() -> None:
    with pytest.raises(UsageError, match=r"expected the feature logit_moments, these frames have entropy, moments/b"):
        Features.collect([frame(0)]).rows(FeatureKey(FeatureKind.LOGIT_MOMENTS))


def test_save_features_of_any_keys_are_read_back(tmp_path: Path) -> None:
    features = Features.collect([frame(i) for i in range(3)])
    save_features(tmp_path / "shard.npz", features, "digest")
    check_equal(load_features([tmp_path / "shard.npz"], "digest"), features)


def test_load_features_of_a_file_from_before_there_were_keys_gives_entropies_and_mean_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old: dict[str, NDArray[np.generic]] = {
        "names": np.array(["a.png", "b.png"]),
        "entropy": rng.normal(size=(2, 5)).astype(np.float32),
        "score": rng.normal(size=2),
        "moments": rng.normal(size=(2, 10)).astype(np.float32),
        "output_scores": rng.normal(size=(2, 4)).astype(np.float32),
        "network_sha256": np.array("digest"),
    }
    np.savez_compressed(tmp_path / "old.npz", allow_pickle=False, **old)
    got = load_features([tmp_path / "old.npz"], "digest")
    np.testing.assert_array_equal(got.rows(FeatureKey.entropy()), old["entropy"])
    assert list(got.values)[1:] == [FeatureKey.output_score(kind) for kind in OUTPUT_SCORES]
    for i, kind in enumerate(OUTPUT_SCORES):
        np.testing.assert_array_equal(got.rows(FeatureKey.output_score(kind))[:, 0], old["output_scores"][:, i])


GOOD: dict[str, NDArray[np.generic]] = {
    "names": np.array([f"{i}.png" for i in range(80)]),
    "score": np.linspace(0, 1, 80),
    "entropy": np.linspace(0, 1, 400, dtype=np.float32).reshape(80, 5),
    "energy/mean": np.linspace(0, 1, 80, dtype=np.float32)[:, None],
    "network_sha256": np.array("digest"),
}


def with_nan(rows: NDArray[np.generic]) -> NDArray[np.generic]:
    spoilt = rows.copy()
    spoilt[7] = np.nan
    return spoilt


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("entropy", GOOD["entropy"][:70], "70 rows of entropy for 80 names"),
        ("energy/mean", GOOD["energy/mean"][:79], "79 rows of energy/mean for 80 names"),
        ("score", GOOD["score"][:70], "70 rows of score for 80 names"),
        ("names", GOOD["names"][:70], "80 rows of score for 70 names"),
        ("names", np.arange(80), "names of shape (80,) and type int64"),
        ("names", GOOD["names"][:, None], "names of shape (80, 1)"),
        ("names", np.array("a.png"), "names of shape ()"),
        ("names", np.zeros(0, "U5"), "names of shape (0,)"),
        ("entropy", GOOD["entropy"].reshape(-1), "entropy of shape (400,)"),
        ("entropy", GOOD["entropy"].reshape(80, 5, 1), "entropy of shape (80, 5, 1)"),
        ("entropy", GOOD["entropy"][:, :0], "entropy of shape (80, 0)"),
        ("entropy", np.ones((80, 5), np.int64), "entropy of shape (80, 5) and type int64"),
        ("entropy", np.full((80, 5), "x"), "entropy of shape (80, 5) and type <U1"),
        ("entropy", np.ones((80, 5), np.complex64), "type complex64"),
        ("entropy", with_nan(GOOD["entropy"]), "NaN or infinity in entropy of the frame 7.png"),
        ("score", with_nan(GOOD["score"]), "NaN or infinity in score of the frame 7.png"),
        ("score", GOOD["score"][:, None], "score of shape (80, 1)"),
    ],
)
def test_load_features_of_arrays_that_do_not_belong_together_is_refused(
    name: str, value: NDArray[np.generic], message: str, tmp_path: Path
) -> None:
    np.savez_compressed(tmp_path / "a.npz", allow_pickle=False, **GOOD)
    assert len(load_features([tmp_path / "a.npz"], "digest")) == 80
    np.savez_compressed(tmp_path / "a.npz", allow_pickle=False, **(GOOD | {name: value}))
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        load_features([tmp_path / "a.npz"], "digest")
    assert str(caught.value).endswith("measure them again")
