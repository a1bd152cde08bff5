# SPDX-License-Identifier: Apache-2.0
"""What an evaluation says of a bundle's answers, in report, terminal and model card alike."""

from collections.abc import Iterator

from export.bundle.evaluated_answers import (
    EvaluatedAnswers,
    EvaluatedCauses,
    EvaluatedMasks,
    EvaluatedObjects,
    EvaluatedQuality,
    EvaluatedTiles,
    Share,
)
from lsood_runtime.offline import NO_CAUSE, at_most_words, counted, measure_name

CLEAN = "in distribution"


def shown_kind(kind: str) -> str:
    """Name of a kind for a reader."""
    return CLEAN if kind == NO_CAUSE else kind.replace("_", " ")


def shown_measure(measure: str) -> str:
    """Name of an expected quality at the beginning of a sentence."""
    name = measure_name(measure)
    return f"{name[0].upper()}{name[1:]}"


def evaluated_sentences(figures: EvaluatedAnswers) -> list[str]:
    """Say how good the answers are; nothing of those that are not there."""
    return [
        *([] if figures.quality is None else _quality(figures.quality)),
        *([] if figures.causes is None else _causes(figures.causes)),
        *([] if figures.tiles is None else _tiles(figures.tiles)),
        *([] if figures.objects is None else [_objects(figures.objects)]),
        *map(_masks, figures.masks),
    ]


def _quality(figures: EvaluatedQuality) -> Iterator[str]:
    for group in figures.groups:
        unknown = f", {group.unknown} of them unknown" if group.unknown else ""
        yield (
            f"{shown_measure(figures.measure)}, {group.frames} frames {group.where}{unknown}: mean absolute error "
            f"{_number(group.error)}, of a constant {group.constant_error:.3f}; the interval holds the truth of "
            f"{_percent(group.covered)}, promised {figures.promised:.0%}, with a median width of {group.median_width:.3f}."
        )
    if figures.worst_kind is not None and figures.worst_covered is not None:
        yield (
            f"The interval holds least of {shown_kind(figures.worst_kind)}: {_percent(figures.worst_covered)} of "
            f"{figures.worst_frames} frames."
        )


def _causes(figures: EvaluatedCauses) -> Iterator[str]:
    kept = figures.clean_kept
    parts = [] if kept is None else [f"{_percent(kept)} of frames in distribution called none"]
    parts += [f"{_percent(share)} right at severity {level}" for level, share in figures.right.items()]
    parts += [f"{_percent(share)} of {name} called by it" for name, share in figures.own.items()]
    if figures.sets_hold is not None:
        parts.append(f"the set of causes holds the right one of {_percent(figures.sets_hold)}")
    if figures.severity_error is not None:
        parts.append(f"severity wrong by {_number(figures.severity_error, '.2f')} on average")
    if parts:
        yield f"Cause, kinds of the fit: {', '.join(parts)}."
    if figures.others_unknown and figures.others_none and figures.others_confident:
        yield (
            f"Cause, {figures.others} frames of kinds not in the fit: {_percent(figures.others_unknown)} called unknown, "
            f"{_percent(figures.others_none)} none, {_percent(figures.others_confident)} another kind with a probability of "
            f"{figures.confident:g} or more."
        )


def _tiles(figures: EvaluatedTiles) -> Iterator[str]:
    if figures.clean_kept is not None:
        yield (
            f"Abnormal tiles: {_percent(figures.clean_kept)} of frames in distribution have none, "
            f"{_promise(figures)} have one."
        )
    if figures.most:
        named = ", ".join(f"{name} ({share:.0%})" for name, share in figures.most.items())
        yield f"Frames with an abnormal tile are most common in {named}."


def _objects(figures: EvaluatedObjects) -> str:
    told = "nothing is known of the frames in distribution"
    if figures.share is not None:
        frames = counted(figures.frames, "in-distribution frame")
        told = f"{_percent(figures.share)} of {frames} show one, {_promise(figures)} do"
    left_out = [
        f"{counted(count, 'frame')} {why}"
        for count, why in (
            (figures.holding, "whose mask holds an object"),
            (figures.unknown, "whose map is unknown"),
        )
        if count
    ]
    others = f"; left out: {' and '.join(left_out)}" if left_out else ""
    return f"Unknown objects: {told}{others}."


def _promise(figures: EvaluatedTiles | EvaluatedObjects) -> str:
    """How many frames may have or show something, by the bundle."""
    where = "a new drive" if figures.guarantee == "drives" else "known drives"
    return f"promised is that at most {at_most_words(figures.promised)} of frames of {where}"


def _masks(figures: EvaluatedMasks) -> str:
    frames = counted(figures.frames, "frame")
    found = f"{figures.caught} of {counted(figures.objects, 'object')} found in part or whole"
    false = counted(figures.false_objects, "false object")
    parts = ", ".join(
        f"{name} {'-' if figure is None else _number(figure)}"
        for name, figure in (("sIoU", figures.siou), ("PPV", figures.ppv), ("mean F1", figures.mean_f1))
    )
    return f"Masks of {figures.set_name}, {frames}: {_pixels(figures)}; {found}, {false}; {parts}."


def _pixels(figures: EvaluatedMasks) -> str:
    precision, false, auroc = figures.average_precision, figures.fpr95, figures.auroc
    if precision is None or false is None or auroc is None or figures.unknown_share is None:
        return "no figures of pixels, which take unknown and known ones"
    return (
        f"average precision {_number(precision)}, {figures.unknown_share:.3f} by chance, false pixels at 95 % found "
        f"{_percent(false)}, AUROC {_number(auroc)}"
    )


def _number(figure: Share, text: str = ".3f") -> str:
    return _with_ends(figure, text)


def _percent(figure: Share) -> str:
    return _with_ends(figure, ".1%")


def _with_ends(figure: Share, text: str) -> str:
    value, low, high = (format(each, text) for each in figure)
    return value if figure[1:] == (0, 1) else f"{value} ({low} to {high})"
