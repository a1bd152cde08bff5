# SPDX-License-Identifier: Apache-2.0
"""Answers on frames, drawn at random, of any number of kinds and sets."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from export.evaluation.answered_frames import AnsweredFrames
from export.evaluation.set_drives import SetDrives
from lsood_runtime.offline import NO_CAUSE, UNKNOWN, AnswersRecord, CauseRecord, QualityRecord, TilesRecord

GRID = (2, 3)


def drawn_record(kinds: Sequence[str], measure: str = "agreement") -> AnswersRecord:
    """What a manifest states of answers that were fitted on some kinds."""
    quality = QualityRecord(measure, 0.9, 0.91, kinds[0], 0.8, 0.3, 0.7, 0.05, 0.15, 0.8, 0.6, (0.1, 0.2))
    cause = CauseRecord((NO_CAUSE, *kinds), 0.95, 0.3, 0.97, {"3": 0.9}, 0.4)
    return AnswersRecord(2.0, tuple(kinds), 20, 4, 100, quality, cause)


def with_tiles(record: AnswersRecord) -> AnswersRecord:
    """The same answers, and abnormal tiles as well."""
    return replace(record, tiles=TilesRecord(*GRID, ("layer1",), 4.0, 2.0, 0.05, "drives", 0.96))


def drawn_frames(
    rng: np.random.Generator,
    kinds: Sequence[str],
    others: Sequence[str] = (),
    each: int = 12,
    severities: Sequence[int] = (1, 3, 5),
    *,
    drives: int = 12,
    unknown: float = 0.1,
    unlabelled: float = 0.05,
) -> AnsweredFrames:
    """Draw clean frames, each kind at each severity, and a real shift.

    Args:
        rng: of the draw.
        kinds: of the fit.
        others: kinds that are not in the fit.
        each: frames of a set.
        severities: of the sets.
        drives: of the clean frames.
        unknown: share of the degraded frames that are unknown.
        unlabelled: share of the frames without a true quality.
    """
    cells = [(NO_CAUSE, 0.0), *((kind, float(s)) for kind in (*kinds, *others) for s in severities)]
    cells += [("dusk_photographs (--ood)", np.nan)]
    place = np.repeat(np.arange(len(cells)), each)
    kind = np.array([name for name, _ in cells])[place]
    severity = np.array([level for _, level in cells])[place]
    harm = {name: rng.uniform(0.05, 0.18) for name, _ in cells}
    size = len(kind)
    true = np.clip(0.98 - np.nan_to_num(severity, nan=2.0) * [harm[k] for k in kind] + rng.normal(0, 0.03, size), 0, 1)
    expected = np.clip(true + rng.normal(0, 0.07, size), 0, 1)
    low, high = np.maximum(expected - 0.1, 0), np.minimum(expected + 0.1, 1)
    names = np.array([NO_CAUSE, *kinds])
    cause = np.where(rng.random(size) < 0.8, np.where(np.isin(kind, names), kind, kinds[0]), rng.choice(names, size))
    lost = (severity != 0) & (rng.random(size) < unknown)
    expected[lost], low[lost], high[lost], cause[lost] = np.nan, np.nan, 0.6, UNKNOWN
    true[rng.random(size) < unlabelled] = np.nan
    told = np.where(cause == NO_CAUSE, 0.0, np.clip(np.nan_to_num(severity, nan=2) + rng.normal(0, 0.5, size), 0, 5))
    own = SetDrives(np.arange(each, dtype=np.int64) % drives)
    return AnsweredFrames(
        set_names=(*(name if s == 0 else f"{name} {s:g}" for name, s in cells[:-1]), "dusk_photographs"),
        place=place,
        kind=kind,
        severity=severity,
        in_fit=np.isin(kind, names),
        truth=true,
        expected=expected,
        low=low,
        high=high,
        cause=cause,
        probability=np.where(lost, np.nan, rng.uniform(0.3, 1, size)),
        right_in_set=(cause == kind) | ((rng.random(size) < 0.5) & ~lost & np.isin(kind, names)),
        told_severity=np.where(lost, np.nan, told),
        tiles=(rng.random((size, *GRID)) < (0.05 * np.nan_to_num(severity, nan=2.0))[:, None, None])
        & ~lost[:, None, None],
        tiles_known=~lost,
        score=rng.normal(size=size) - 3 * np.nan_to_num(true),
        drives=(own,) * (len(cells) - 1) + (SetDrives(own.units, sample=1),),
    )
