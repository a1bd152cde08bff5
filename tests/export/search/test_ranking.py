# SPDX-License-Identifier: Apache-2.0
"""Candidates are tested on frames that they were not fitted on."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.anomalies.frame_set import FrameSource
from export.errors import UsageError
from export.features.key import FeatureKey, FeatureKind
from export.frames.files import FrameFiles
from export.search.features import SearchFeatures
from export.search.folds import two_folds
from export.search.ranking import Candidate, RankedCandidate, candidates, cross_validate

KEY = FeatureKey.entropy("layer", 8)
FOLDS = two_folds(["x"] * 60)
ROWS: NDArray[np.float64] = np.random.default_rng(0).normal(size=(60, 4))


@pytest.fixture
def files(frames: Path) -> FrameFiles:
    return FrameFiles([frames])


def features(files: FrameFiles, rows: NDArray[np.float64], indices: range, kind: str | None) -> SearchFeatures:
    return SearchFeatures(FrameSource(kind or "in distribution", files, tuple(indices), kind, 3), {KEY: rows})


@pytest.mark.parametrize("detector", ["knn", "kde", "mahalanobis", "kde-classifier"])
def test_cross_validate_of_equal_rows_finds_no_difference(detector: str, files: FrameFiles) -> None:
    """The shifts are the frames again: a detector that had seen a test row would find it at distance 0."""
    ind = features(files, ROWS, range(60), None)
    every = range(0, 60, 2)
    shifts = [features(files, ROWS[list(every)], every, kind) for kind in ("fog", "rain")]
    ranked = cross_validate(Candidate(KEY, detector), ind, shifts, FOLDS, 0)
    assert all(0.2 < value < 0.8 for value in ranked.auroc.values())


def test_cross_validate_of_rows_far_away_finds_all_of_them(files: FrameFiles) -> None:
    ind = features(files, ROWS, range(60), None)
    shifts = [features(files, ROWS + 100, range(60), kind) for kind in ("fog", "rain")]
    ranked = cross_validate(Candidate(KEY, "mahalanobis"), ind, shifts, FOLDS, 0)
    assert ranked.auroc == {"fog": 1.0, "rain": 1.0}
    assert (ranked.mean_auroc, ranked.flagged, ranked.worst[1]) == (1.0, 0.0, 1.0)


def test_cross_validate_without_a_shift_in_one_half_is_refused(files: FrameFiles) -> None:
    ind = features(files, ROWS, range(60), None)
    with pytest.raises(UsageError, match="frames of fog in both halves, got none: lower --every"):
        cross_validate(Candidate(KEY, "kde"), ind, [features(files, ROWS[:1], range(1), "fog")], FOLDS, 0)


def test_candidates_of_a_tap_and_an_output_are_every_combination() -> None:
    moments, energy = FeatureKey.moments("layer"), FeatureKey.output_score(FeatureKind.ENERGY)
    found = list(candidates([KEY, moments, energy], ["kde", "knn"], [0, 4]))
    on_taps = [Candidate(key, kind, count) for key in (KEY, moments) for kind in ("kde", "knn") for count in (None, 4)]
    assert found == [*on_taps, Candidate(energy, "output")]


def test_ranked_candidate_over_some_shifts_keeps_these() -> None:
    ranked = RankedCandidate(Candidate(KEY, "kde"), {"fog": 0.5, "mud": 1.0, "rain": 0.75}, 0.1)
    assert ranked.worst == ("fog", 0.5)
    assert ranked.over(["mud", "rain"]).auroc == {"mud": 1.0, "rain": 0.75}
