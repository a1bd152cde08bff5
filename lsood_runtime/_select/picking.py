# SPDX-License-Identifier: Apache-2.0
"""Pick frames among candidates: the terms take turns, and each picks the frame that is furthest from all earlier picks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._select.k_centre import Distances, standardise
from lsood_runtime._select.scored_frame import TERMS, ScoredFrame
from lsood_runtime._select.top_frames import TopFrames
from lsood_runtime._text.json_values import finite_or_none

UNCAPPED = ("", "none")
"""Causes that are no degradation: frames without a named one, which no quota limits."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A frame to send home and label.

    Attributes:
        rank: from 1, in the order of picking: the first n of a selection are those of n among the same candidates, where the
            quotas are stated and do not follow from the budget.
        frame: its name, as the row has it.
        drive: that it belongs to; begins with the name of the file of rows where the row names no drive.
        camera: that sent it; empty where the row names none.
        stamp_ns: nanoseconds; None where the row has none.
        score: higher is further from the training distribution.
        expected_quality: in [0, 1]; None where it is unknown or not told.
        cause: kind of degradation, ``none`` or ``unknown``; empty where the rows tell none.
        object_count: unknown objects; 0 where none is told.
        why: which term picked it, and its place by that term among the frames of its cause, in words.
        distance: to the nearest earlier pick, root mean square over the standardised features; infinite for the first.
    """

    rank: int
    frame: str
    drive: str
    camera: str
    stamp_ns: int | None
    score: float
    expected_quality: float | None
    cause: str
    object_count: int
    why: str
    distance: float


@dataclass(frozen=True, slots=True)
class Selection:
    """Frames that were picked, and why there are not more.

    Attributes:
        picks: in the order of picking.
        rows: that were read.
        invalid: of these, frames of a faulty camera, which are never picked.
        without_features: of the others, those without features, which cannot be picked.
        not_finite: of the others, those with a feature that is no finite number, which cannot be picked either.
        candidates: frames among which was picked.
        near_duplicates: candidates that are nearer to a pick than the least distance.
        over_quota: other candidates whose drive or cause has its share already.
    """

    picks: tuple[Pick, ...]
    rows: int
    invalid: int
    without_features: int
    not_finite: int
    candidates: int
    near_duplicates: int
    over_quota: int


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many frames are picked at most, of a drive, and of a cause of degradation; and how far apart they are at least."""

    budget: int
    per_drive: int
    per_cause: int
    min_distance: float


def pick(lists: Mapping[tuple[str, str], TopFrames], quotas: Quotas, counts: tuple[int, int, int, int]) -> Selection:
    """Pick frames among the candidates of each term and cause.

    Args:
        lists: the candidates by term and cause.
        quotas: that hold.
        counts: rows that were read, invalid ones, others without features, others with features that are not finite.
    """
    frames: dict[bytes, ScoredFrame] = {}
    places: dict[tuple[str, bytes], int] = {}
    for (term, _), kept in lists.items():
        for place, frame in enumerate(kept, start=1):
            known = frames.setdefault(frame.identity, frame)
            if frame.digest > known.digest:  # the same frame twice, under two bundles
                frames[frame.identity] = frame
            places[term, frame.identity] = min(place, places.get((term, frame.identity), place))
    ordered = [frames[identity] for identity in sorted(frames)]
    if not ordered:
        return Selection((), *counts, 0, 0, 0)
    distances = Distances(standardise(np.stack([frame.features for frame in ordered])))
    nominated = {term: _nominated(term, ordered, places) for term in TERMS}
    is_open = np.ones(len(ordered), np.bool_)
    drives = np.array([frame.drive for frame in ordered], np.object_)
    causes = np.array([frame.cause for frame in ordered], np.object_)
    taken: list[int] = []
    picks: list[Pick] = []
    of_drive, of_cause = Counter[str](), Counter[str]()
    turns = [term for term in TERMS if len(nominated[term])]
    while turns and len(picks) < quotas.budget:
        term = turns.pop(0)
        left = nominated[term][is_open[nominated[term]]]
        if not len(left):
            continue
        turns.append(term)
        chosen = int(left[distances.to_nearest[left].argmax()])
        frame, distance = ordered[chosen], float(distances.to_nearest[chosen])
        place = places[term, frame.identity]
        picks.append(_told(len(picks) + 1, frame, _why(term, frame, place), distance))
        taken.append(chosen)
        distances.add_centre(chosen)
        is_open &= distances.to_nearest >= quotas.min_distance
        is_open[chosen] = False
        of_drive[frame.drive] += 1
        of_cause[frame.cause] += 1
        if of_drive[frame.drive] == quotas.per_drive:
            is_open &= drives != frame.drive
        if frame.cause not in UNCAPPED and of_cause[frame.cause] == quotas.per_cause:
            is_open &= causes != frame.cause
    is_left = np.ones(len(ordered), np.bool_)
    is_left[taken] = False
    near = is_left & (distances.to_nearest < quotas.min_distance)
    over = is_left & ~near & ~is_open
    return Selection(tuple(picks), *counts, len(ordered), int(near.sum()), int(over.sum()))


def _nominated(term: str, frames: Iterable[ScoredFrame], places: Mapping[tuple[str, bytes], int]) -> NDArray[np.int64]:
    """Places of the candidates by a term, the most relevant first, which settles equal distances."""
    own = [(frame.key(term), place) for place, frame in enumerate(frames) if (term, frame.identity) in places]
    return np.array([place for _, place in sorted(own, reverse=True)], np.int64)


def _why(term: str, frame: ScoredFrame, place: int) -> str:
    of_cause = f" of cause {frame.cause}" if frame.cause else ""
    return f"{TERMS[term].words(frame)}, number {place}{of_cause}"


def _told(rank: int, frame: ScoredFrame, why: str, distance: float) -> Pick:
    return Pick(
        rank=rank,
        frame=frame.frame,
        drive=frame.drive,
        camera=frame.camera,
        stamp_ns=frame.stamp_ns,
        score=frame.score,
        expected_quality=finite_or_none(frame.expected_quality),
        cause=frame.cause,
        object_count=frame.object_count,
        why=why,
        distance=distance,
    )
