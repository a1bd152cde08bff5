# SPDX-License-Identifier: Apache-2.0
"""Sentences on a bundle's answers for report and terminal: those of the model card, and what takes every frame to tell."""

from collections.abc import Iterator

from export.bundle.evaluated_sentences import evaluated_sentences, shown_measure
from export.evaluation.answer_figures import ALL, AnsweredGroup, AnswerFigures
from export.evaluation.evaluated_figures import NAMED, evaluated_answers


def answer_summary(figures: AnswerFigures) -> list[str]:
    """The sentences of the card, why some are missing, how well frames are ranked, and where the monitor does not know."""
    sentences = evaluated_sentences(evaluated_answers(figures))
    return [*_without_truth(figures), *sentences, *_rankings(figures), *_unknown(figures)]


def _without_truth(figures: AnswerFigures) -> Iterator[str]:
    """Why nothing is said of the quality, where nothing is."""
    record = figures.record.quality
    if record is None:
        return
    name = shown_measure(record.measure)
    if not figures.frames.has_truth.any():
        needed = "labels, and there are none" if record.measure == "miou" else "degraded frames, and there are none"
        yield f"{name}: how near it is to the truth is not known, since that takes {needed}."
    elif ALL not in figures.quality:
        yield f"{name}: too few frames have both an expected and a true value to state how near it is."


def _rankings(figures: AnswerFigures) -> Iterator[str]:
    if ALL in figures.quality:
        lower, score = figures.quality[ALL].rankings
        yield (
            f"Frames accepted by the lower end have an AURC of {lower.aurc.text('.4f', '.3f')}, by the score "
            f"{score.aurc.text('.4f', '.3f')}, by an oracle {lower.oracle_aurc:.4f}."
        )


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
    named = ", ".join(f"{group.name} ({count} of {group.frames})" for _, count, group in most[:NAMED])
    more = f" and {len(most) - NAMED} more sets" if len(most) > NAMED else ""
    return f'The monitor says "I do not know" of the {what} of {unknown} of {frames} frames: {named}{more}.'
