# SPDX-License-Identifier: Apache-2.0
"""Sentences about a bundle's answers in an evaluation."""

from collections.abc import Iterator

from export.evaluation.answer_figures import ALL, CONFIDENT, FIT, OTHER, AnsweredGroup, AnswerFigures, CauseFigures
from export.evaluation.interval import Interval
from lsood_runtime.offline import NO_CAUSE, measure_name

CLEAN = "in distribution"
_NAMED = 3


def shown_kind(kind: str) -> str:
    """Name of a kind for a reader."""
    return CLEAN if kind == NO_CAUSE else kind.replace("_", " ")


def answer_summary(figures: AnswerFigures) -> list[str]:
    """Say how good the answers are, and where the monitor does not know."""
    return [*_quality(figures), *_causes(figures.causes), *_tiles(figures), *_unknown(figures)]


def _quality(figures: AnswerFigures) -> Iterator[str]:
    record, frames = figures.record.quality, figures.frames
    if record is None:
        return
    name = measure_name(record.measure).capitalize().replace("miou", "mIoU")
    if not frames.has_truth.any():
        needed = "labels, and there are none" if record.measure == "miou" else "degraded frames, and there are none"
        yield f"{name}: how near it is to the truth is not known, since that takes {needed}."
        return
    if ALL not in figures.quality:
        yield f"{name}: too few frames have both an expected and a true value to state how near it is."
        return
    for group, where in ((FIT, "of kinds of the fit"), (OTHER, "of kinds not in the fit")):
        if group not in figures.quality:
            continue
        own = figures.quality[group]
        unknown = f", {own.unknown} of them unknown" if own.unknown else ""
        yield (
            f"{name}, {own.frames} frames {where}{unknown}: mean absolute error {own.error.text('.3f', '.3f')}, of a "
            f"constant {own.constant_error:.3f}; the interval holds the truth of {_percent(own.covered)}, promised "
            f"{record.coverage:.0%}, with a median width of {own.median_width:.3f}."
        )
    worst = figures.worst_kind
    if worst is not None and worst.covered is not None:
        yield f"The interval holds least of {shown_kind(worst.name)}: {_percent(worst.covered)} of {worst.counted} frames."
    lower, score = figures.quality[ALL].rankings
    yield (
        f"Frames accepted by the lower end have an AURC of {lower.aurc.text('.4f', '.3f')}, by the score "
        f"{score.aurc.text('.4f', '.3f')}, by an oracle {lower.oracle_aurc:.4f}."
    )


def _causes(causes: CauseFigures | None) -> Iterator[str]:
    if causes is None:
        return
    parts = (
        [] if causes.clean_kept is None else [f"{_percent(causes.clean_kept)} of frames in distribution called none"]
    )
    parts += [f"{_percent(share)} right at severity {level}" for level, share in causes.right.items()]
    parts += [f"{_percent(share)} of {name} called by it" for name, share in causes.right_own.items()]
    if causes.severity_error is not None:
        parts.append(f"severity wrong by {causes.severity_error.text('.2f', '.2f')} on average")
    if parts:
        yield f"Cause, kinds of the fit: {', '.join(parts)}."
    if causes.others_unknown and causes.others_none and causes.others_confident:
        yield (
            f"Cause, {causes.others} frames of kinds not in the fit: {_percent(causes.others_unknown)} called unknown, "
            f"{_percent(causes.others_none)} none, {_percent(causes.others_confident)} another kind with a probability of "
            f"{CONFIDENT:g} or more."
        )


def _tiles(figures: AnswerFigures) -> Iterator[str]:
    record, tiles = figures.record.tiles, figures.tiles
    if record is None or tiles is None:
        return
    kept = tiles.clean_kept
    if kept is not None:
        promised = 1 - record.false_alarm_rate
        yield f"Abnormal tiles: {_percent(kept)} of frames in distribution have none, made for {promised:.0%}."
    told = [(group.abnormal.value, group) for group in figures.by_set[1:] if group.abnormal is not None]
    if any(share for share, _ in told):
        most = sorted(told, key=lambda pair: -pair[0])[:_NAMED]
        named = ", ".join(f"{group.name} ({share:.0%})" for share, group in most)
        yield f"Frames with an abnormal tile are most common in {named}."


def _unknown(figures: AnswerFigures) -> Iterator[str]:
    for what, told in (
        ("quality", [(group, group.unknown_quality) for group in figures.by_set]),
        ("cause", [(group, group.unknown_cause) for group in figures.by_set]),
        ("tiles", [(group, group.unknown_tiles) for group in figures.by_set]),
    ):
        shares = [(group, share) for group, share in told if share is not None]
        if shares:
            yield _told_unknown(what, shares)


def _told_unknown(what: str, shares: list[tuple[AnsweredGroup, float]]) -> str:
    counts = [(round(share * group.frames), group) for group, share in shares]
    unknown, frames = sum(count for count, _ in counts), sum(group.frames for _, group in counts)
    if not unknown:
        return f'The monitor says "I do not know" of the {what} of no frame.'
    most = sorted(((count / group.frames, count, group) for count, group in counts if count), key=lambda row: -row[0])
    named = ", ".join(f"{group.name} ({count} of {group.frames})" for _, count, group in most[:_NAMED])
    more = f" and {len(most) - _NAMED} more sets" if len(most) > _NAMED else ""
    return f'The monitor says "I do not know" of the {what} of {unknown} of {frames} frames: {named}{more}.'


def _percent(figure: Interval) -> str:
    return figure.text(".1%", ".1%")
