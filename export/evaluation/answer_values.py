# SPDX-License-Identifier: Apache-2.0
"""JSON-ready figures of a bundle's answers."""

from export.evaluation.answer_figures import AnsweredGroup, AnswerFigures, CauseFigures, QualityFigures, TileFigures
from export.evaluation.interval import Interval
from lsood_runtime.offline import finite_or_none


def answer_figure_values(figures: AnswerFigures) -> dict[str, object]:
    """All figures; those that cannot be stated are None, and so is an interval of too few drives."""
    quality, worst = figures.record.quality, figures.worst_kind
    return {
        "kinds_of_the_fit": list(figures.record.kinds),
        "quality": None
        if quality is None
        else {
            "measure": quality.measure,
            "promised_coverage": quality.coverage,
            "worst_kind": None if worst is None else worst.name,
            "groups": {name: _quality(group) for name, group in figures.quality.items()},
        },
        "causes": None if figures.causes is None else _causes(figures.causes),
        "tiles": None if figures.tiles is None else _tiles(figures.tiles),
        "kinds": [_group(group) for group in figures.by_kind],
        "sets": [_group(group) for group in figures.by_set],
    }


def _quality(figures: QualityFigures) -> dict[str, object]:
    lower, score = figures.rankings
    return {
        "frames": figures.frames,
        "unknown": figures.unknown,
        "mean_absolute_error": _figure(figures.error),
        "constant_error": figures.constant_error,
        "spearman": _figure(figures.spearman),
        "covered": _figure(figures.covered),
        "median_width": figures.median_width,
        "at_most_held": figures.most_held,
        "aurc_lower_end": _figure(lower.aurc),
        "aurc_score": _figure(score.aurc),
        "aurc_oracle": lower.oracle_aurc,
        "aurc_random": lower.random_aurc,
    }


def _causes(figures: CauseFigures) -> dict[str, object]:
    return {
        "kinds": list(figures.kinds),
        "causes": list(figures.causes),
        "counts": figures.counts.tolist(),
        "clean_kept": _figure(figures.clean_kept),
        "right_by_severity": {str(level): _figure(share) for level, share in figures.right.items()},
        "right_of_own_kinds": {name: _figure(share) for name, share in figures.right_own.items()},
        "sets_hold": _figure(figures.sets_hold),
        "severity_error": _figure(figures.severity_error),
        "not_in_the_fit": {
            "frames": figures.others,
            "unknown": _figure(figures.others_unknown),
            "none": _figure(figures.others_none),
            "confidently_wrong": _figure(figures.others_confident),
            "severity_error": _figure(figures.others_severity_error),
        },
    }


def _tiles(figures: TileFigures) -> dict[str, object]:
    return {
        "clean_kept": _figure(figures.clean_kept),
        "shares_by_kind": {name: grid.tolist() for name, grid in figures.grids.items()},
    }


def _group(group: AnsweredGroup) -> dict[str, object]:
    return {
        "name": group.name,
        "in_the_fit": group.in_fit,
        "frames": group.frames,
        "unknown_quality": group.unknown_quality,
        "unknown_cause": group.unknown_cause,
        "frames_with_both": group.counted,
        "mean_expected": group.expected,
        "mean_true": group.truth,
        "covered": _figure(group.covered),
        "unknown_tiles": group.unknown_tiles,
        "with_an_abnormal_tile": _figure(group.abnormal),
        "share_of_tiles": group.tile_share,
    }


def _figure(figure: Interval | None) -> list[float | None] | None:
    return None if figure is None else [finite_or_none(end) for end in (figure.value, figure.low, figure.high)]
