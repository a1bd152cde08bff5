# SPDX-License-Identifier: Apache-2.0
"""Rank the candidates of a search, and leave out those that cannot be fitted on its frames."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.errors import CalibrationError
from export.evaluation.detector_ranking import CrossFit, Figures
from export.reporter import Reporter
from export.search.candidates import SearchCandidate


@dataclass(frozen=True)
class RankedCandidate:
    """A candidate and its figures.

    Attributes:
        candidate: the features and the detector.
        figures: on frames of drives that it was not fitted on.
        added_ms: what the monitor adds to the bare network, median; None where it was not timed.
    """

    candidate: SearchCandidate
    figures: Figures
    added_ms: float | None = None


@dataclass(frozen=True)
class LeftOutCandidate:
    """A candidate that cannot be fitted, as one whose feature is the same in all frames.

    Attributes:
        candidate: the features and the detector.
        reason: why, in one line.
    """

    candidate: SearchCandidate
    reason: str


def rank(
    cross_fit: CrossFit, listed: Sequence[SearchCandidate], reporter: Reporter
) -> tuple[list[RankedCandidate], list[LeftOutCandidate]]:
    """Test candidates, best first, and warn of those that cannot be fitted.

    Args:
        cross_fit: of the frames.
        listed: candidates, one or more.
        reporter: told how far it has come, and what is left out.

    Raises:
        CalibrationError: none can be fitted.
    """
    ranked: list[RankedCandidate] = []
    left_out: list[LeftOutCandidate] = []
    for candidate in reporter.progress(listed, "candidates", len(listed)):
        try:
            ranked.append(RankedCandidate(candidate, cross_fit.figures(candidate)))
        except CalibrationError as error:
            left_out.append(LeftOutCandidate(candidate, str(error)))
    if not ranked:
        raise CalibrationError(
            f"expected a candidate that can be fitted on these frames, got none of {len(listed)}, the first: "
            f"{left_out[0].reason}"
        )
    for line in _warnings(left_out):
        reporter.stage(line)
    ranked.sort(key=lambda one: (-one.figures.hurting, -one.figures.all_cells))
    return ranked, left_out


def _warnings(left_out: Sequence[LeftOutCandidate]) -> list[str]:
    """One line for each feature and detector, whatever the components."""
    reasons: dict[str, str] = {}
    for one in left_out:
        reasons.setdefault(f"{one.candidate.detector} on {one.candidate.words()}", one.reason)
    return [f"warning: {name} is left out of the search: {reason}" for name, reason in reasons.items()]
