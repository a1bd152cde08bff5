# SPDX-License-Identifier: Apache-2.0
"""Figures of what a bundle answers beside the score: how near to the truth, how often unknown, how often right."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from export.evaluation.answered_frames import AnsweredFrames, Where
from export.evaluation.failure_prediction import FailurePrediction
from export.evaluation.interval import Interval
from export.evaluation.kept_figures import kept_spearman
from lsood_runtime.offline import LARGEST_SEVERITY, NO_CAUSE, UNKNOWN, AnswersRecord, CauseRecord

CONFIDENT = 0.9
"""Probability from which on a cause is told with confidence."""

FEWEST = 2
"""Frames that a figure needs at least."""


@dataclass(frozen=True, eq=False)
class QualityFigures:
    """Expected quality of frames whose true quality is known.

    Attributes:
        frames: how many; some of them the bundle may not know the quality of.
        unknown: of how many it does not.
        error: mean absolute error.
        constant_error: of the frames' median quality, told for every frame.
        spearman: rank correlation of expected and true quality; NaN where either is the same for all.
        covered: share of the frames whose interval holds the true quality.
        median_width: of the intervals.
        most_held: of the frames of unknown quality, the share that is no better than the most that is said; None without any.
        rankings: of all of the frames, by the lower end, those of unknown quality last, and by the score.

    All but the last two are of frames with an expected quality.
    """

    frames: int
    unknown: int
    error: Interval
    constant_error: float
    spearman: Interval
    covered: Interval
    median_width: float
    most_held: float | None
    rankings: tuple[FailurePrediction, FailurePrediction]


@dataclass(frozen=True, eq=False)
class AnsweredGroup:
    """Answers on some frames, such as those of a kind or of a set.

    Attributes:
        name: of the group.
        in_fit: whether the answers were fitted on such frames.
        frames: how many.
        unknown_quality: share whose quality is unknown; None where the bundle does not answer it.
        unknown_cause: the same of the cause.
        counted: frames with a true and an expected quality.
        expected: mean over those; None without any.
        truth: the same.
        covered: share of those whose interval holds the truth; None of fewer than two.
        unknown_tiles: share of the frames whose tiles are unknown; None where the bundle does not tell them.
        abnormal: share of the others that have an abnormal tile; None of fewer than two.
        tile_share: mean share of their tiles that is abnormal; None without any.
    """

    name: str
    in_fit: bool
    frames: int
    unknown_quality: float | None
    unknown_cause: float | None
    counted: int
    expected: float | None
    truth: float | None
    covered: Interval | None
    unknown_tiles: float | None
    abnormal: Interval | None
    tile_share: float | None


@dataclass(frozen=True, eq=False)
class TileFigures:
    """Abnormal tiles of frames whose tiles are known.

    Attributes:
        clean_kept: share of frames in distribution without an abnormal tile; None of fewer than two.
        grids: ``(R, Q)`` share of the frames of each kind, in the order of the kinds, in which each tile is abnormal; kinds
            of which no frame's tiles are known are left out.
    """

    clean_kept: Interval | None
    grids: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class CauseFigures:
    """Causes that were told of frames.

    Attributes:
        kinds: ``none``, kinds and real shifts, a row each.
        causes: ``none``, the kinds of the fit and ``unknown``, a column each.
        counts: ``(rows, columns)`` int64, frames.
        clean_kept: share of frames in distribution called ``none``; None of fewer than two.
        right: share of degraded frames called by their kind, by severity, of kinds of the fit.
        right_own: share of frames of each kind of the user's own that are called by it, where there are two or more.
        sets_hold: share of frames in distribution and of kinds of the fit whose set of causes holds the right one; where
            it is unknown none does. None of fewer than two.
        severity_error: mean absolute error of the severity where it is known, of frames in distribution and kinds of the fit;
            None of fewer than two.
        others: degraded frames of kinds that are not in the fit.
        others_unknown: share of those called ``unknown``; None of fewer than two, as for the next ones.
        others_none: share of those called ``none``.
        others_confident: share of those called by a kind, which is not theirs, with a probability of 0.9 or more.
        others_severity_error: as ``severity_error``.
    """

    kinds: tuple[str, ...]
    causes: tuple[str, ...]
    counts: NDArray[np.int64]
    clean_kept: Interval | None
    right: dict[int, Interval]
    right_own: dict[str, Interval]
    sets_hold: Interval | None
    severity_error: Interval | None
    others: int
    others_unknown: Interval | None
    others_none: Interval | None
    others_confident: Interval | None
    others_severity_error: Interval | None


@dataclass(frozen=True, eq=False)
class AnswerFigures:
    """All figures of a bundle's answers.

    Attributes:
        frames: that they are computed from.
        record: of the manifest.
        quality: by group of frames: ``all frames``, ``kinds of the fit``, ``kinds not in the fit``; a group of fewer than two
            frames with an expected and a true quality is left out.
        by_kind: answers by kind, in the order of the sets, real shifts last.
        by_set: answers by set.
        causes: None where the bundle does not tell them.
        tiles: the same of abnormal tiles.
    """

    frames: AnsweredFrames
    record: AnswersRecord
    quality: dict[str, QualityFigures]
    by_kind: tuple[AnsweredGroup, ...]
    by_set: tuple[AnsweredGroup, ...]
    causes: CauseFigures | None
    tiles: TileFigures | None

    @property
    def worst_kind(self) -> AnsweredGroup | None:
        """The kind of which intervals hold the smallest share; None where no share is known."""
        known = [(group.covered.value, group) for group in self.by_kind if group.covered is not None]
        return min(known, key=lambda pair: pair[0])[1] if known else None


ALL, FIT, OTHER = "all frames", "kinds of the fit", "kinds not in the fit"


def answer_figures(frames: AnsweredFrames, record: AnswersRecord) -> AnswerFigures:
    """Compute all figures of the answers on frames."""
    groups = {ALL: np.ones(len(frames), np.bool_), FIT: frames.in_fit, OTHER: ~frames.in_fit}
    quality = {} if record.quality is None else {name: _quality(frames, where) for name, where in groups.items()}
    return AnswerFigures(
        frames,
        record,
        {name: figures for name, figures in quality.items() if figures is not None},
        tuple(_group(frames, record, kind, frames.kind == kind) for kind in frames.kind_names),
        tuple(_group(frames, record, name, frames.place == i) for i, name in enumerate(frames.set_names)),
        None if record.cause is None else _causes(frames, record.cause),
        None if record.tiles is None else _tiles(frames),
    )


def _quality(frames: AnsweredFrames, among: Where) -> QualityFigures | None:
    true = among & frames.has_truth
    told = true & frames.is_known
    if told.sum() < FEWEST:
        return None
    truth, expected = frames.truth[told], frames.expected[told]
    varied = np.ptp(truth) > 0 and np.ptp(expected) > 0
    correlation = float(spearmanr(expected, truth).statistic) if varied else math.nan
    unknown = true & ~frames.is_known
    return QualityFigures(
        int(true.sum()),
        int(unknown.sum()),
        frames.mean(np.abs(frames.expected - frames.truth), told),
        float(np.abs(truth - np.median(truth)).mean()),
        frames.interval(told, correlation, partial(kept_spearman, expected, truth), math.inf, -1.0),
        frames.mean(frames.holds, told),
        float(np.median((frames.high - frames.low)[told])),
        float((frames.truth <= frames.high)[unknown].mean()) if unknown.any() else None,
        frames.rankings(true),
    )


def _group(frames: AnsweredFrames, record: AnswersRecord, name: str, where: Where) -> AnsweredGroup:
    told = where & frames.has_truth & frames.is_known
    seen = where & frames.tiles_known
    return AnsweredGroup(
        name,
        bool(frames.in_fit[where].all()),
        int(where.sum()),
        None if record.quality is None else float((~frames.is_known)[where].mean()),
        None if record.cause is None else float(frames.is_unknown_cause[where].mean()),
        int(told.sum()),
        float(frames.expected[told].mean()) if told.any() else None,
        float(frames.truth[told].mean()) if told.any() else None,
        _share(frames, frames.holds, told),
        None if record.tiles is None else float((~frames.tiles_known)[where].mean()),
        _share(frames, frames.has_abnormal_tile, seen),
        float(frames.tiles[seen].mean()) if seen.any() else None,
    )


def _tiles(frames: AnsweredFrames) -> TileFigures:
    known = {kind: frames.tiles_known & (frames.kind == kind) for kind in frames.kind_names}
    return TileFigures(
        _share(frames, ~frames.has_abnormal_tile, frames.tiles_known & (frames.kind == NO_CAUSE)),
        {kind: frames.tiles[own].mean(axis=0) for kind, own in known.items() if own.any()},
    )


def _causes(frames: AnsweredFrames, record: CauseRecord) -> CauseFigures:
    kinds, causes = frames.kind_names, (*record.names, UNKNOWN)
    counts = np.zeros((len(kinds), len(causes)), np.int64)
    rows, columns = [kinds.index(kind) for kind in frames.kind], [causes.index(cause) for cause in frames.cause]
    np.add.at(counts, (rows, columns), 1)
    known, others = frames.has_cause & frames.in_fit, frames.has_cause & ~frames.in_fit
    right, degraded = frames.cause == frames.kind, known & (frames.kind != NO_CAUSE)
    shares = {
        int(level): _share(frames, right, degraded & (frames.severity == level))
        for level in np.unique(frames.severity[degraded & frames.has_severity])
    }
    own = {name: _share(frames, right, frames.kind == name) for name in record.own}
    is_kind = ~np.isin(frames.cause, [NO_CAUSE, UNKNOWN])
    return CauseFigures(
        kinds,
        causes,
        counts,
        _share(frames, right, frames.kind == NO_CAUSE),
        {level: share for level, share in shares.items() if share is not None},
        {name: share for name, share in own.items() if share is not None},
        _share(frames, frames.right_in_set, known),
        _severity_error(frames, known),
        int(others.sum()),
        _share(frames, frames.is_unknown_cause, others),
        _share(frames, frames.cause == NO_CAUSE, others),
        _share(frames, is_kind & (frames.probability >= CONFIDENT), others),
        _severity_error(frames, others),
    )


def _share(frames: AnsweredFrames, hits: Where, where: Where) -> Interval | None:
    return frames.mean(hits, where) if where.sum() >= FEWEST else None


def _severity_error(frames: AnsweredFrames, among: Where) -> Interval | None:
    told = among & np.isfinite(frames.told_severity) & frames.has_severity
    if told.sum() < FEWEST:
        return None
    share = frames.mean(np.abs(frames.told_severity - frames.severity) / LARGEST_SEVERITY, told)
    return Interval(share.value * LARGEST_SEVERITY, share.low * LARGEST_SEVERITY, share.high * LARGEST_SEVERITY)
