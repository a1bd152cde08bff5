# SPDX-License-Identifier: Apache-2.0
"""A candidate that no frame can fit is named and left out, and the others are ranked as if it were not there."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from export.detectors.fitted import PartOptions
from export.detectors.registry import FUSED
from export.errors import CalibrationError
from export.evaluation.detector_ranking import CrossFit, ShiftedFrames
from export.features.key import FeatureKey
from export.search.candidates import SearchCandidate
from export.search.ranked import rank
from tests.export.pipeline.told_reporter import ToldReporter

CONSTANT, GOOD, WORSE = FeatureKey.moments("dead"), FeatureKey.moments("good"), FeatureKey.moments("worse")
FRAMES, DRIVES = 40, ["a", "b", "c", "d"] * 10
DETECTORS = ("kde", "kde-classifier", "mahalanobis", "mahalanobis-l2", "knn")


def of(detector: str, *keys: FeatureKey, pca: int | None = None) -> SearchCandidate:
    part = "mahalanobis" if detector == FUSED else detector
    return SearchCandidate(detector, tuple(PartOptions(part, (key,), pca=pca) for key in keys), "tap", 8)


def cross_fit(seed: int) -> CrossFit:
    """Shifted frames are far off in one feature, a little in the other, and nothing at all changes the third."""
    rng = np.random.default_rng(seed)
    value = rng.normal(size=3)

    def rows(good: float, worse: float) -> dict[FeatureKey, np.ndarray[tuple[int, int], np.dtype[np.float32]]]:
        noise = rng.normal(size=(2, FRAMES, 3))
        made = {CONSTANT: np.tile(value, (FRAMES, 1)), GOOD: noise[0] + good, WORSE: noise[1] + worse}
        return {key: values.astype(np.float32) for key, values in made.items()}

    shifts = [ShiftedFrames(kind, kind, rows(9, 0.5), np.arange(FRAMES)) for kind in ("fog", "mud")]
    return CrossFit(rows(0, 0), DRIVES, shifts, seed=seed)


@settings(max_examples=2, phases=[Phase.generate])
@given(
    st.integers(0, 2**16), st.permutations([of("mahalanobis", GOOD), of("mahalanobis", WORSE), of(FUSED, GOOD, WORSE)])
)
def test_rank_among_candidates_that_cannot_be_fitted_gives_the_others_as_without_them(
    seed: int, able: list[SearchCandidate]
) -> None:
    dead = [of("mahalanobis", CONSTANT), of(FUSED, GOOD, CONSTANT)]
    reporter = ToldReporter()
    ranked, left_out = rank(cross_fit(seed), [dead[0], *able, dead[1]], reporter)
    assert ranked == rank(cross_fit(seed), able, ToldReporter())[0]
    assert [one.candidate for one in ranked][-1] == of("mahalanobis", WORSE)
    assert [one.candidate for one in left_out] == dead
    for one, line in zip(left_out, reporter.lines, strict=True):
        name = f"{one.candidate.detector} on {one.candidate.words()}"
        assert line == f"warning: {name} is left out of the search: {one.reason}"
        assert "dead" in one.reason


@pytest.mark.parametrize("detector", DETECTORS)
def test_rank_of_any_detector_on_a_feature_that_never_changes_leaves_it_out_or_finds_nothing(detector: str) -> None:
    ranked, left_out = rank(
        cross_fit(0), [of(detector, CONSTANT, pca=2), of(detector, CONSTANT), of("knn", GOOD)], ToldReporter()
    )
    assert len(ranked) + len(left_out) == 3
    assert ranked[0].candidate == of("knn", GOOD)
    assert all(one.figures.all_cells == 0.5 for one in ranked[1:])


def test_rank_without_a_candidate_that_can_be_fitted_is_refused_with_the_first_reason() -> None:
    with pytest.raises(
        CalibrationError, match="can be fitted on these frames, got none of 2, the first: moments/dead, mahalanobis: "
    ):
        rank(cross_fit(0), [of("mahalanobis", CONSTANT), of(FUSED, CONSTANT)], ToldReporter())


def test_rank_warns_of_a_feature_once_whatever_the_components() -> None:
    reporter = ToldReporter()
    rank(cross_fit(0), [*(of("mahalanobis", CONSTANT, pca=pca) for pca in (None, 1, 2)), of("knn", GOOD)], reporter)
    assert len(reporter.lines) == 1
