# SPDX-License-Identifier: Apache-2.0
"""Choose a detector by how well it tells degraded frames of drives that it was not fitted on: ``--detector auto``.

A few detectors are ranked on frames degraded in every way. Of those that fuse parts, weights are learnt as well, and taken
where they pay on kinds of degradation that taught nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.anomalies import COMMON_KINDS
from export.anomalies.frame_set import FrameSource
from export.calibration.detector_choice import DetectorChoice
from export.detectors.fitted import FeatureRows, PartOptions
from export.detectors.part_weights import LearntWeights, learn_weights
from export.detectors.registry import FUSED
from export.errors import CalibrationError
from export.evaluation.detector_ranking import Candidate, CrossFit, Figures, ShiftedFrames
from export.features.key import FeatureKey, FeatureKind
from export.frames.clean_frames import CleanFrames
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.reporter import Reporter

CHOICE_SEVERITIES = (3, 5)
_DEGRADED = 64
"""Frames that are degraded in every way."""

FITTED_FRAMES = 2000
"""Frames that the detectors are fitted on, to choose among them."""

_FEWEST = 20
_MARGIN = 0.01
"""AUROC that a single part must be ahead by: what fuses parts sees kinds of shift as well that were not tried."""

MeasuredFrame = tuple[Mapping[FeatureKey, NDArray[np.floating]], NDArray[np.uint8] | None]
"""``(D,)`` of each feature, and the class map where there is one."""

Measure = Callable[[NDArray[np.uint8]], MeasuredFrame]


@dataclass(frozen=True)
class _Ranked:
    """A detector, its weights where they are learnt, and its figures."""

    name: str
    candidate: Candidate
    hurting: float
    figures: Figures
    weights: tuple[float, ...] | None = None


def degraded_frames(
    files: FrameFiles, chosen: NDArray[np.int64], measure: Measure, seed: int, reporter: Reporter
) -> tuple[ShiftedFrames, ...]:
    """Measure up to 64 evenly spaced frames in every degradation.

    Args:
        files: the frames.
        chosen: indices of those that detectors are fitted on.
        measure: gives the features of a frame.
        seed: of the degradations.
        reporter: told how far this has come.
    """
    places = evenly_spaced(np.arange(len(chosen)), _DEGRADED)
    clean = CleanFrames()
    segmented = True
    for place in places:
        classes = measure(files[int(chosen[place])])[1]
        segmented = segmented and classes is not None
        clean.add(int(place), classes, None)

    def cell(kind: str, severity: int) -> ShiftedFrames:
        source = FrameSource(f"{kind} {severity}", files, tuple(map(int, chosen[places])), kind, severity, seed)
        found = [measure(source[i]) for i in range(len(source))]
        values = {key: np.stack([row[key] for row, _ in found]).astype(np.float32) for key in found[0][0]}
        agreement = [
            clean.agreement(int(place), classes)
            for place, (_, classes) in zip(places, found, strict=True)
            if classes is not None
        ]
        return ShiftedFrames(source.name, kind, values, places, np.array(agreement) if segmented else None)

    cells = [(kind, severity) for kind in COMMON_KINDS for severity in CHOICE_SEVERITIES]
    return tuple(cell(kind, severity) for kind, severity in reporter.progress(cells, "degrading", len(cells)))


def choose_automatically(
    default: DetectorChoice,
    ind: FeatureRows,
    drives: Sequence[str],
    shifts: Sequence[ShiftedFrames],
    seed: int,
    reporter: Reporter,
) -> DetectorChoice:
    """Rank a few detectors, tell the table, and take the best.

    Args:
        default: the parts of the fused detector.
        ind: ``(N, D)`` of each feature that these read, of in-distribution frames in the order of recording.
        drives: ``(N,)``.
        shifts: as :func:`degraded_frames` gives them.
        seed: of the deal of drives to folds.
        reporter: told the table, a line for each detector.

    Raises:
        CalibrationError: too few frames, or ones that no detector can be fitted on.
    """
    if len(drives) < _FEWEST:
        raise CalibrationError(
            f"expected at least {_FEWEST} frames to choose a detector by, got {len(drives)}: name one by --detector"
        )
    cross_fit = CrossFit(ind, drives, shifts, seed=seed)
    ranked = list(_of_candidates(cross_fit, default))
    fused = next((one for one in ranked if one.candidate.detector == FUSED), None)
    learnt = None if fused is None else _learnt(cross_fit, fused.candidate, drives, seed)
    if fused is not None and learnt is not None and learnt.learnt and np.count_nonzero(learnt.weights) > 1:
        gain = float(np.mean([row.learnt - row.equal for row in learnt.table]))
        hurting = min(fused.hurting + gain, 1.0)
        ranked.append(_Ranked("fused, learnt weights", fused.candidate, hurting, fused.figures, learnt.weights))
    ranked.sort(key=lambda one: (-one.hurting, -one.figures.all_cells))
    best = _preferred(ranked)
    for one in ranked:
        kind, least = one.figures.worst
        reporter.stage(f"  {one.hurting:.3f} on shifts that hurt, {kind} {least:.2f} the worst kind: {one.name}")
    chosen, parts = best.weights, best.candidate.parts
    if chosen is not None:
        kept = [i for i, weight in enumerate(chosen) if weight > 0]
        parts, chosen = tuple(parts[i] for i in kept), tuple(chosen[i] for i in kept)
    return DetectorChoice(
        parts,
        fused=best.candidate.detector == FUSED,
        reason=_reason(ranked, best, learnt if best.candidate.detector == FUSED else None),
        weights=chosen,
    )


def _of_candidates(cross_fit: CrossFit, default: DetectorChoice) -> Iterator[_Ranked]:
    entropy = FeatureKey.entropy()
    layers = [key for key in default.keys if key.kind is FeatureKind.MOMENTS]
    for kind, key in [("kde", entropy), ("mahalanobis", entropy), *(("mahalanobis", layer) for layer in layers)]:
        part = PartOptions(kind, (key,))
        figures = cross_fit.figures(Candidate(kind, (part,)))
        yield _Ranked(part.name, Candidate(kind, (part,)), figures.hurting, figures)
    if len(default.parts) > 1:
        fused = Candidate(FUSED, default.parts)
        figures = cross_fit.figures(fused)
        yield _Ranked(f"{FUSED}, default weights", fused, figures.hurting, figures)


def _learnt(cross_fit: CrossFit, fused: Candidate, drives: Sequence[str], seed: int) -> LearntWeights | None:
    """Weights of the fused detector's parts; None where fewer than two kinds of shift hurt."""
    ind, shifts = cross_fit.shares(fused)
    return learn_weights(ind, drives, shifts, seed=seed) if len(shifts) > 1 else None


def _preferred(ranked: Sequence[_Ranked]) -> _Ranked:
    """The first that fuses parts, where it is at most the margin behind the first of all; otherwise that one."""
    near = (one for one in ranked if one.candidate.detector == FUSED and one.hurting >= ranked[0].hurting - _MARGIN)
    return next(near, ranked[0])


def _reason(ranked: Sequence[_Ranked], best: _Ranked, learnt: LearntWeights | None) -> str:
    figures, first = best.figures, ranked[0]
    hurting = sum(cell.hurts for cell in figures.cells)
    shifts = (
        f"the {hurting} of {len(figures.cells)} degradations that hurt the segmentation"
        if hurting
        else f"{len(figures.cells)} degradations, of which none hurts the segmentation"
    )
    kind, least = figures.worst
    place, other = f"first of {len(ranked)}", f"next {ranked[1].name}, {ranked[1].hurting:.3f}"
    if best is not first:
        place = f"several parts, at most {_MARGIN:g} behind the first of {len(ranked)}"
        other = f"the first {first.name}, {first.hurting:.3f}"
    return (
        f"{place} on drives left out, mean AUROC {best.hurting:.3f} on {shifts} ({kind} the worst, "
        f"{least:.2f}); {other}; each kind left out in turn, the first by the others "
        f"tells it with {_kinds_left_out(ranked):.3f}" + (f"; {learnt.reason}" if learnt is not None else "")
    )


def _kinds_left_out(ranked: Sequence[_Ranked]) -> float:
    """Mean AUROC on each kind of the detector that the other kinds rank first; learnt weights are left aside."""
    tables = [one.figures.kinds for one in ranked if one.weights is None]
    kinds = list(tables[0])
    if len(kinds) < 2:
        return float(np.mean(list(tables[0].values())))
    first = [max(tables, key=lambda table: sum(table.values()) - table[kind]) for kind in kinds]
    return float(np.mean([table[kind] for table, kind in zip(first, kinds, strict=True)]))
