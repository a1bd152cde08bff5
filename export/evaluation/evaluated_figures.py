# SPDX-License-Identifier: Apache-2.0
"""Collect the figures of a bundle's answers that manifest, card, terminal and report say in the same words."""

from export.bundle.evaluated_answers import (
    EvaluatedAnswers,
    EvaluatedCauses,
    EvaluatedGroup,
    EvaluatedMasks,
    EvaluatedObjects,
    EvaluatedQuality,
    EvaluatedTiles,
    Share,
)
from export.evaluation.answer_figures import CONFIDENT, FIT, OTHER, AnswerFigures
from export.evaluation.interval import Interval
from export.evaluation.mask_judge import MaskFigures
from export.evaluation.object_rate import ObjectRate
from lsood_runtime.offline import MapRecord

NAMED = 3
"""Sets that are named, at most."""


def evaluated_answers(figures: AnswerFigures) -> EvaluatedAnswers:
    """The figures of quality, causes and tiles."""
    return EvaluatedAnswers(_quality(figures), _causes(figures), _tiles(figures))


def evaluated_objects(rate: ObjectRate | None, record: MapRecord | None) -> EvaluatedObjects | None:
    """How many frames in distribution show an unknown object; None where the bundle tells none."""
    if rate is None or record is None:
        return None
    return EvaluatedObjects(
        share=_known(rate.share),
        promised=record.false_alarm_rate,
        guarantee=record.guarantee,
        frames=rate.frames,
        holding=rate.holding,
        unknown=rate.unknown,
    )


def evaluated_masks(figures: MaskFigures) -> EvaluatedMasks:
    """The figures of a set with masks."""
    return EvaluatedMasks(
        set_name=figures.set_name,
        frames=len(figures.frames),
        unknown_share=None if figures.pixels is None else figures.pixels.unknown_share,
        average_precision=_known(figures.figure("average_precision")),
        fpr95=_known(figures.figure("fpr95")),
        auroc=_known(figures.figure("auroc")),
        objects=figures.objects,
        caught=figures.caught,
        false_objects=figures.false_objects,
        siou=_known(figures.figure("siou")),
        ppv=_known(figures.figure("ppv")),
        mean_f1=_known(figures.figure("mean_f1")),
    )


def share_of(figure: Interval) -> Share:
    """A share with its interval; 0 to 1 where there is none."""
    return (figure.value, figure.low, figure.high) if figure.known else (figure.value, 0.0, 1.0)


def _known(figure: Interval | None) -> Share | None:
    return None if figure is None else share_of(figure)


def _quality(figures: AnswerFigures) -> EvaluatedQuality | None:
    record, worst = figures.record.quality, figures.worst_kind
    if record is None or not figures.quality:
        return None
    groups = {"of kinds of the fit": FIT, "of kinds not in the fit": OTHER}
    return EvaluatedQuality(
        measure=record.measure,
        promised=record.coverage,
        groups=tuple(
            EvaluatedGroup(
                where=where,
                frames=own.frames,
                unknown=own.unknown,
                error=share_of(own.error),
                constant_error=own.constant_error,
                covered=share_of(own.covered),
                median_width=own.median_width,
            )
            for where, name in groups.items()
            if (own := figures.quality.get(name)) is not None
        ),
        worst_kind=None if worst is None else worst.name,
        worst_covered=None if worst is None else _known(worst.covered),
        worst_frames=0 if worst is None else worst.counted,
    )


def _causes(figures: AnswerFigures) -> EvaluatedCauses | None:
    causes = figures.causes
    if causes is None:
        return None
    return EvaluatedCauses(
        clean_kept=_known(causes.clean_kept),
        right={str(level): share_of(share) for level, share in causes.right.items()},
        own={name: share_of(share) for name, share in causes.right_own.items()},
        sets_hold=_known(causes.sets_hold),
        severity_error=_known(causes.severity_error),
        others=causes.others,
        others_unknown=_known(causes.others_unknown),
        others_none=_known(causes.others_none),
        others_confident=_known(causes.others_confident),
        confident=CONFIDENT,
    )


def _tiles(figures: AnswerFigures) -> EvaluatedTiles | None:
    record, tiles = figures.record.tiles, figures.tiles
    if record is None or tiles is None:
        return None
    told = [(group.abnormal.value, group.name) for group in figures.by_set[1:] if group.abnormal is not None]
    most = sorted(told, key=lambda pair: -pair[0])[:NAMED] if any(share for share, _ in told) else []
    return EvaluatedTiles(
        clean_kept=_known(tiles.clean_kept),
        promised=record.false_alarm_rate,
        guarantee=record.guarantee,
        most={name: share for share, name in most},
    )
