# SPDX-License-Identifier: Apache-2.0
"""Figures of the shifts that hurt the segmentation and of those that do not, by the bundle's score and by every other one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.evaluation.hurting import Harm
from export.evaluation.interval import DriveCount, Interval, jackknife_interval, without_interval
from export.evaluation.options import HurtingRule
from export.evaluation.set_drives import LeftOutDrives, SetDrives, count_sides

Scores = NDArray[np.float64]

ENOUGH = 10
"""Frames of a kind below which its figures are not compared with those of kinds that have as many."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A set of shifted frames as the split takes it.

    Attributes:
        name: of the set.
        kind: of degradation; the name of a real shift.
        score: ``(N,)`` of the bundle.
        peers: ``(N,)`` of every other score, by name.
        harm: which frames hurt; None where that is not known.
        drives: of the frames.
    """

    name: str
    kind: str
    score: Scores
    peers: Mapping[str, Scores]
    harm: Harm | None
    drives: SetDrives


@dataclass(frozen=True)
class FrameGroup:
    """Frames of all cells that hurt, or that do not, against the in-distribution frames.

    Attributes:
        frames: how many there are.
        auroc: of the bundle's score.
        missed: share at or below the threshold.
        worst_kind: kind whose frames of all severities together have the lowest AUROC, among kinds of ``ENOUGH`` such frames;
            of fewer frames where no kind has so many.
        worst_auroc: that AUROC.
        most_missed_kind: kind with the largest share missed, among the same kinds.
        most_missed: that share.
    """

    frames: int
    auroc: Interval
    missed: Interval
    worst_kind: str
    worst_auroc: float
    most_missed_kind: str
    most_missed: float


@dataclass(frozen=True)
class CellGroup:
    """Cells that hurt, or that do not; every cell counts alike, whatever its number of frames.

    Attributes:
        cells: how many there are.
        auroc: mean over the cells.
        missed: mean over the cells of the share at or below the threshold.
        worst_kind: kind of the lowest AUROC, as a mean over its cells.
        worst_auroc: that mean.
        most_missed_kind: kind of the largest share missed, as a mean over its cells.
        most_missed: that mean.
    """

    cells: int
    auroc: Interval
    missed: Interval
    worst_kind: str
    worst_auroc: float
    most_missed_kind: str
    most_missed: float


@dataclass(frozen=True)
class ScoreFigures:
    """How well one score detects what hurts.

    Attributes:
        name: of the score.
        all_cells: mean AUROC over all cells, those included of which it is not known whether they hurt.
        hurting_cells: mean AUROC over the cells that hurt; NaN without any, like the following.
        worst_kind: kind of the lowest mean over its cells that hurt; empty without any.
        worst_auroc: that mean.
        hurting_frames: AUROC of the frames that hurt.
        caught: share of the frames that hurt above the score that the target's share of the in-distribution frames exceeds.
        kinds: mean AUROC over the cells of each kind.
    """

    name: str
    all_cells: float
    hurting_cells: float
    worst_kind: str
    worst_auroc: float
    hurting_frames: float
    caught: float
    kinds: Mapping[str, float]


@dataclass(frozen=True)
class HurtingSplit:
    """What hurts and what does not, and how much of either is missed; a group is None where nothing belongs to it.

    ``scores`` begins with the bundle's own.
    """

    rule: HurtingRule
    hurting_frames: FrameGroup | None
    harmless_frames: FrameGroup | None
    hurting_cells: CellGroup | None
    harmless_cells: CellGroup | None
    scores: tuple[ScoreFigures, ...]


def hurting_split(
    rule: HurtingRule,
    ind: Scores,
    ind_peers: Mapping[str, Scores],
    drives: SetDrives,
    cells: Sequence[Cell],
    threshold: float,
    false_alarm_rate: float,
) -> HurtingSplit:
    """Compute the figures of both sides.

    Args:
        rule: by which ``cells`` were split.
        ind: ``(n,)`` scores of the in-distribution frames.
        ind_peers: ``(n,)`` of every other score.
        drives: of the in-distribution frames.
        cells: the shifts on which the detector was not fitted; it is known of one at least whether it hurts.
        threshold: of the operating point.
        false_alarm_rate: at which the scores are compared.
    """
    known = [(cell, cell.harm) for cell in cells if cell.harm is not None]
    return HurtingSplit(
        rule,
        _frames(ind, drives, [(cell, harm.frames) for cell, harm in known], threshold),
        _frames(ind, drives, [(cell, ~harm.frames) for cell, harm in known], threshold),
        _cells(ind, drives, [cell for cell, harm in known if harm.cell], threshold),
        _cells(ind, drives, [cell for cell, harm in known if not harm.cell], threshold),
        (
            _score("this monitor", ind, [cell.score for cell in cells], cells, false_alarm_rate),
            *(
                _score(name, values, [cell.peers[name] for cell in cells], cells, false_alarm_rate)
                for name, values in ind_peers.items()
            ),
        ),
    )


def areas(ind: Scores, ood: Scores) -> Scores:
    """Share of in-distribution frames below each out-of-distribution frame, ties by half: ``(m,)``; the mean is the AUROC."""
    ordered = np.sort(ind)
    at_most, below = np.searchsorted(ordered, ood, side="right"), np.searchsorted(ordered, ood, side="left")
    result: Scores = (at_most + below) / (2 * len(ind))
    return result


@dataclass(frozen=True, eq=False)
class _Sums:
    """``(R,)`` sums over frames that are kept: of their shares of in-distribution frames below, missed ones, all of them."""

    areas: Scores
    missed: Scores
    frames: Scores


def _below(ind: Scores, kept: Scores) -> Scores:
    """``(R, n + 1)``: share of the in-distribution frames that are kept among the k lowest scores, k = 0..n."""
    ordered = kept[:, np.argsort(ind, kind="stable")]
    shares: Scores = np.pad(np.cumsum(ordered, axis=1), ((0, 0), (1, 0))) / ordered.sum(axis=1, keepdims=True)
    return shares


def _sums(ind: Scores, below: Scores, score: Scores, kept: Scores, threshold: float) -> _Sums:
    ordered = np.sort(ind)
    lower = below[:, np.searchsorted(ordered, score, side="left")]
    at_most = below[:, np.searchsorted(ordered, score, side="right")]
    return _Sums((kept * (lower + at_most)).sum(axis=1) / 2, kept @ (score <= threshold), np.asarray(kept.sum(axis=1)))


def _sums_without_drives(
    ind: Scores, drives: SetDrives, sets: Sequence[tuple[Scores, SetDrives]], threshold: float
) -> tuple[LeftOutDrives, list[_Sums]]:
    """The sums of each set of scores without one drive after the other."""
    left_out = LeftOutDrives.of_sets([drives, *(own for _, own in sets)])
    below = _below(ind, left_out.kept[0])
    return left_out, [
        _sums(ind, below, score, kept, threshold) for (score, _), kept in zip(sets, left_out.kept[1:], strict=True)
    ]


def _frames(
    ind: Scores, drives: SetDrives, chosen: Sequence[tuple[Cell, NDArray[np.bool_]]], threshold: float
) -> FrameGroup | None:
    score = np.concatenate([cell.score[frames] for cell, frames in chosen])
    if not len(score):
        return None
    sets = [(cell.score[places], cell.drives.take(places)) for cell, places in chosen if places.any()]
    auroc, missed = (
        without_interval(float(areas(ind, score).mean())),
        without_interval(float((score <= threshold).mean())),
    )
    of_shifted, of_both = _counts(drives, [own for _, own in sets])
    if of_shifted.enough:
        left_out, sums = _sums_without_drives(ind, drives, sets, threshold)
        all_areas, all_missed, frames = (
            np.sum([getattr(one, name) for one in sums], axis=0) for name in ("areas", "missed", "frames")
        )
        auroc = jackknife_interval(auroc.value, all_areas / frames, left_out.samples, of_both, len(ind) + len(score))
        missed = jackknife_interval(missed.value, all_missed / frames, left_out.samples, of_shifted, len(score))
    by_kind: dict[str, Scores] = {}
    for cell, places in chosen:
        by_kind[cell.kind] = np.append(by_kind.get(cell.kind, []), cell.score[places])
    enough = min(ENOUGH, max(map(len, by_kind.values())))
    kinds = {kind: values for kind, values in by_kind.items() if len(values) >= enough}
    aurocs = {kind: float(areas(ind, values).mean()) for kind, values in kinds.items()}
    shares = {kind: float((values <= threshold).mean()) for kind, values in kinds.items()}
    worst, most = min(aurocs, key=aurocs.__getitem__), max(shares, key=shares.__getitem__)
    return FrameGroup(len(score), auroc, missed, worst, aurocs[worst], most, shares[most])


def _counts(drives: SetDrives, shifted: Sequence[SetDrives]) -> tuple[DriveCount, DriveCount]:
    """What the shifted frames tell, and what they and the in-distribution frames tell together."""
    return count_sides([shifted]), count_sides([[drives], shifted])


def _cells(ind: Scores, drives: SetDrives, cells: Sequence[Cell], threshold: float) -> CellGroup | None:
    if not cells:
        return None
    aurocs = [float(areas(ind, cell.score).mean()) for cell in cells]
    shares = [float((cell.score <= threshold).mean()) for cell in cells]
    auroc, missed = without_interval(float(np.mean(aurocs))), without_interval(float(np.mean(shares)))
    of_shifted, of_both = _counts(drives, [cell.drives for cell in cells])
    if of_shifted.enough:
        left_out, sums = _sums_without_drives(ind, drives, [(cell.score, cell.drives) for cell in cells], threshold)
        frames = sum(len(cell.score) for cell in cells)
        mean_areas = np.mean([one.areas / one.frames for one in sums], axis=0)
        mean_missed = np.mean([one.missed / one.frames for one in sums], axis=0)
        auroc = jackknife_interval(auroc.value, mean_areas, left_out.samples, of_both, len(ind) + frames)
        missed = jackknife_interval(missed.value, mean_missed, left_out.samples, of_shifted, frames)
    by_kind = _by_kind((cell.kind, value) for cell, value in zip(cells, aurocs, strict=True))
    missed_by_kind = _by_kind((cell.kind, value) for cell, value in zip(cells, shares, strict=True))
    worst, most = min(by_kind, key=by_kind.__getitem__), max(missed_by_kind, key=missed_by_kind.__getitem__)
    return CellGroup(len(cells), auroc, missed, worst, by_kind[worst], most, missed_by_kind[most])


def _score(
    name: str, ind: Scores, values: Sequence[Scores], cells: Sequence[Cell], false_alarm_rate: float
) -> ScoreFigures:
    aurocs = [float(areas(ind, ood).mean()) for ood in values]
    hurting = [(cell.kind, value) for cell, value in zip(cells, aurocs, strict=True) if cell.harm and cell.harm.cell]
    by_kind = _by_kind(hurting)
    worst = min(by_kind, key=by_kind.__getitem__, default="")
    frames = np.concatenate([ood[cell.harm.frames] for cell, ood in zip(cells, values, strict=True) if cell.harm])
    threshold = np.quantile(ind, 1 - false_alarm_rate, method="inverted_cdf")
    return ScoreFigures(
        name,
        float(np.mean(aurocs)),
        _mean([value for _, value in hurting]),
        worst,
        by_kind.get(worst, float("nan")),
        _mean(areas(ind, frames)),
        _mean(frames > threshold),
        _by_kind((cell.kind, value) for cell, value in zip(cells, aurocs, strict=True)),
    )


def _by_kind(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    grouped: dict[str, list[float]] = defaultdict(list)
    for kind, value in values:
        grouped[kind].append(value)
    return {kind: float(np.mean(inner)) for kind, inner in grouped.items()}


def _mean(values: Sequence[float] | Scores | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
