# SPDX-License-Identifier: Apache-2.0
"""What a bundle answered on the frames of an evaluation, beside what is true of them."""

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from export.evaluation.failure_prediction import FailurePrediction, failure_prediction
from export.evaluation.interval import Interval
from export.evaluation.scored_sets import FrameSet
from export.evaluation.set_drives import SetDrives, figure_interval
from lsood_runtime.offline import NO_CAUSE, UNKNOWN, Answers, AnswersRecord

Scores = NDArray[np.float64]
Where = NDArray[np.bool_]

_WORST = 1.0
"""Score of a frame of unknown quality, by which it is accepted last: no lower end is below 0."""


@dataclass(frozen=True, eq=False)
class AnsweredFrames:
    """N frames of all sets, set by set, with their answers.

    Attributes:
        set_names: names of the sets.
        place: ``(N,)`` int64, the frame's set.
        kind: ``(N,)`` str: ``none`` in distribution, the kind of degradation, the name of a real shift that is a kind of the
            user's own of the bundle, or that of another one with ``(--ood)`` behind it.
        severity: ``(N,)``, 0 in distribution, NaN of a real shift.
        in_fit: ``(N,)`` whether the answers were fitted on frames of this kind; clean frames are one.
        truth: ``(N,)`` quality by the bundle's measure; NaN where that is not known.
        expected: ``(N,)``; NaN where it is unknown.
        low: ``(N,)`` lower end; NaN where it is unknown.
        high: ``(N,)`` upper end, or the most that is said.
        cause: ``(N,)`` str; empty where the bundle does not answer it.
        probability: ``(N,)`` of the cause; NaN where it is unknown.
        right_in_set: ``(N,)`` whether the set of causes holds the frame's kind.
        told_severity: ``(N,)``; NaN where it is unknown.
        tiles: ``(N, R, Q)`` bool, which tiles are abnormal; of no rows and columns where the bundle does not tell them.
        tiles_known: ``(N,)`` whether they are known.
        score: ``(N,)``.
        drives: of the frames of each set.
    """

    set_names: tuple[str, ...]
    place: NDArray[np.int64]
    kind: NDArray[np.str_]
    severity: Scores
    in_fit: Where
    truth: Scores
    expected: Scores
    low: Scores
    high: Scores
    cause: NDArray[np.str_]
    probability: Scores
    right_in_set: Where
    told_severity: Scores
    tiles: NDArray[np.bool_]
    tiles_known: Where
    score: Scores
    drives: tuple[SetDrives, ...]

    @classmethod
    def of_sets(cls, sets: Sequence[FrameSet], drives: Sequence[SetDrives], record: AnswersRecord) -> Self:
        """Join the frames of several sets, those in distribution first."""
        measure = None if record.quality is None else record.quality.measure
        own = {} if record.cause is None else record.cause.own
        kinds = [_kind(frames, place, own) for place, frames in enumerate(sets)]
        severities = [
            0.0 if kind == NO_CAUSE else float(f.source.severity or math.nan)
            for kind, f in zip(kinds, sets, strict=True)
        ]
        sizes = [len(frames) for frames in sets]
        answers = [answer for frames in sets for answer in frames.answers]
        kind = np.repeat(np.array(kinds), sizes)
        return cls(
            tuple(frames.source.name for frames in sets),
            np.repeat(np.arange(len(sets)), sizes),
            kind,
            np.repeat(np.array(severities), sizes),
            np.isin(kind, [NO_CAUSE, *record.kinds]),
            np.concatenate([_truth(frames, measure, is_clean=place == 0) for place, frames in enumerate(sets)]),
            _numbers(answers, lambda answer: answer.expected_quality),
            _numbers(answers, lambda answer: answer.quality_low),
            _numbers(answers, lambda answer: answer.quality_high),
            np.array([answer.cause or "" for answer in answers]),
            _numbers(answers, lambda answer: answer.cause_probability),
            np.array([name in answer.cause_set for name, answer in zip(kind, answers, strict=True)], np.bool_),
            _numbers(answers, lambda answer: answer.severity),
            *_tiles(answers, record),
            np.concatenate([frames.score for frames in sets]),
            tuple(drives),
        )

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def is_known(self) -> Where:
        """Whether the bundle tells an expected quality, ``(N,)``."""
        known: Where = np.isfinite(self.expected)
        return known

    @property
    def has_truth(self) -> Where:
        """Whether the true quality is known, ``(N,)``."""
        known: Where = np.isfinite(self.truth)
        return known

    @property
    def is_unknown_cause(self) -> Where:
        """Whether the bundle does not know the cause, ``(N,)``."""
        unknown: Where = self.cause == UNKNOWN
        return unknown

    @property
    def has_abnormal_tile(self) -> Where:
        """Whether a tile of the frame is abnormal, ``(N,)``; False where its tiles are unknown."""
        return np.asarray(self.tiles.any(axis=(1, 2)), np.bool_)

    @property
    def has_cause(self) -> Where:
        """Whether the frame's true kind is one that is made, one of the fit, or ``none``, ``(N,)``."""
        known: Where = self.in_fit | self.has_severity
        return known

    @property
    def has_severity(self) -> Where:
        """Whether the frame's true severity is known, ``(N,)``."""
        known: Where = np.isfinite(self.severity)
        return known

    @property
    def kind_names(self) -> tuple[str, ...]:
        """Each kind once, in the order of the sets, real shifts last."""
        real_last = np.argsort(~self.has_cause, kind="stable")
        return tuple(dict.fromkeys(self.kind[real_last].tolist()))

    @property
    def holds(self) -> Where:
        """Whether the interval holds the true quality, ``(N,)``; False where either is unknown."""
        held: Where = (self.low <= self.truth) & (self.truth <= self.high)
        return held

    def drives_where(self, where: Where) -> list[SetDrives]:
        """The drives of some of the frames, of each set that has any of them."""
        parts = [(own, where[self.place == place]) for place, own in enumerate(self.drives)]
        return [own.take(kept) for own, kept in parts if kept.any()]

    def interval(
        self, where: Where, value: float, figure: Callable[[Scores], Scores], frames: float, lowest: float = 0.0
    ) -> Interval:
        """A figure of some of the frames, with its interval.

        Args:
            where: ``(N,)``, the n frames that count.
            value: over them.
            figure: ``(R,)`` figures of frames that are kept, ``(R, n)``.
            frames: how many the figure is worth at most, see :func:`export.evaluation.set_drives.figure_interval`.
            lowest: value that the figure can have.
        """
        drives = self.drives_where(where)
        return figure_interval(
            drives, [drives], lambda kept: figure(np.concatenate(kept, axis=1)), value, frames, lowest
        )

    def mean(self, values: NDArray[np.float64] | Where, where: Where) -> Interval:
        """Mean of ``(N,)`` numbers from 0 to 1 over some of the frames, of which there is one at least."""
        own = values[where]
        frames = float(len(own)) if own.dtype == np.bool_ else math.inf
        return self.interval(where, float(own.mean()), lambda kept: kept @ own / kept.sum(axis=1), frames)

    def rankings(self, where: Where) -> tuple[FailurePrediction, FailurePrediction]:
        """How the lower end of the quality, and how the score, ranks frames by their true quality; two at least."""
        lower = np.where(self.is_known, -self.low, _WORST)
        drives = self.drives_where(where)
        first, second = (
            failure_prediction(name, values[where], self.truth[where], drives)
            for name, values in (("lower end", lower), ("this monitor", self.score))
        )
        return first, second


def _kind(frames: FrameSet, place: int, own: Container[str]) -> str:
    name = frames.source.name
    return NO_CAUSE if place == 0 else frames.source.kind or (name if name in own else f"{name} (--ood)")


def _truth(frames: FrameSet, measure: str | None, *, is_clean: bool) -> Scores:
    """Quality of a set's frames; NaN where it is not known."""
    found: Scores | None = None
    if measure == "miou":
        found = frames.iou
    elif measure == "agreement" and is_clean:
        found = np.ones(len(frames))
    elif measure == "agreement" and frames.losses is not None:
        found = frames.losses.agreement
    return np.full(len(frames), np.nan) if found is None else found


def _tiles(answers: Sequence[Answers], record: AnswersRecord) -> tuple[NDArray[np.bool_], Where]:
    """Which tiles of each frame are abnormal, and whether they are known; of a frame whose tiles are not, none is."""
    grid = (0, 0) if record.tiles is None else (record.tiles.rows, record.tiles.columns)
    tiles, known = np.zeros((len(answers), *grid), np.bool_), np.zeros(len(answers), np.bool_)
    for place, answer in enumerate(answers):
        if answer.tiles is not None and answer.tile_values is not None:
            tiles[place], known[place] = answer.tiles, np.isfinite(answer.tile_values).all()
    return tiles, known


def _numbers(answers: Sequence[Answers], number: Callable[[Answers], float | None]) -> Scores:
    values = [number(answer) for answer in answers]
    return np.array([math.nan if value is None else value for value in values])
