# SPDX-License-Identifier: Apache-2.0
"""Figures of requirements on the answers beside the score, from the report of an evaluation."""

from collections.abc import Callable

from export.evidence.claims import EvidenceFigure
from export.evidence.json_pointer import pointer
from export.evidence.pack_names import FIGURES
from export.evidence.sources import EvidenceSources
from lsood_runtime.offline import AnswersRecord

_QUALITY = "/answers/quality/groups"


def quality_covered(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the frames whose quality the interval held, of all frames; by groups of kinds to be read beside."""
    groups = sources.at(FIGURES, _QUALITY)
    found: list[EvidenceFigure] = []
    for name in groups if isinstance(groups, dict) else ():
        place = pointer("answers", "quality", "groups", name)
        figure = sources.figure(
            f"quality within its interval, {name}",
            FIGURES,
            f"{place}/covered",
            frames=sources.count(FIGURES, f"{place}/frames"),
            judged=name == "all frames",
        )
        found += [] if figure is None else [figure]
    if not any(figure.judged for figure in found):
        raise sources.absent(FIGURES)
    return found


def promised_coverage(sources: EvidenceSources) -> float | None:
    """The coverage that the bundle promises of its intervals of the quality."""
    answers = sources.manifest.answers
    return None if answers is None or answers.quality is None else answers.quality.coverage


def cause_sets(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the degraded frames of known kinds whose cause is in the set of causes."""
    return _one(sources, "cause within the set of causes", "/answers/causes/sets_hold")


def promised_causes(sources: EvidenceSources) -> float | None:
    """The coverage that the bundle promises of its sets of causes."""
    answers = sources.manifest.answers
    return None if answers is None or answers.cause is None else answers.cause.coverage


def clean_tiles(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the in-distribution frames without an abnormal tile."""
    return _one(sources, "clean frames without an abnormal tile", "/answers/tiles/clean_kept")


def promised_tiles(sources: EvidenceSources) -> float | None:
    """The share of clean frames without an abnormal tile that the bundle promises."""
    answers = sources.manifest.answers
    return None if answers is None or answers.tiles is None else 1 - answers.tiles.false_alarm_rate


def false_objects(sources: EvidenceSources) -> list[EvidenceFigure]:
    """Share of the in-distribution frames that show an unknown object."""
    frames = sources.count(FIGURES, "/ind_frames_counted_for_objects")
    return _one(sources, "clean frames with an unknown object", "/ind_frames_with_objects", frames)


def promised_objects(sources: EvidenceSources) -> float | None:
    """The share of clean frames with an unknown object that the bundle allows."""
    answers = sources.manifest.answers
    return None if answers is None or answers.map is None else answers.map.false_alarm_rate


def answers_with(part: Callable[[AnswersRecord], object]) -> Callable[[EvidenceSources], bool]:
    """Whether a bundle gives an answer."""
    return lambda sources: sources.manifest.answers is not None and part(sources.manifest.answers) is not None


def _one(sources: EvidenceSources, name: str, place: str, frames: int | None = None) -> list[EvidenceFigure]:
    figure = sources.figure(name, FIGURES, place, frames=frames)
    if figure is None:
        raise sources.absent(FIGURES)
    return [figure]
