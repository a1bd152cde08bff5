# SPDX-License-Identifier: Apache-2.0
"""Describe in one line each what a bundle answers beside the score, for reports, model cards and terminals."""

import math

from lsood_runtime._bundle.answers_records import (
    MEASURES,
    RATE_CONFIDENCE,
    AnswersRecord,
    CauseRecord,
    ConfidenceRecord,
    MapRecord,
    QualityRecord,
    TilesRecord,
)
from lsood_runtime._text.counted import counted

_RATE = 0.05
_ROUNDING = 1e-9

_OF = {
    "miou": "mean intersection over union, fitted with labels",
    "agreement": "share of pixels of the clean frame's class, fitted without labels",
}


def answer_sentences(answers: AnswersRecord | None) -> dict[str, str]:
    """A sentence for each answer by its subject, such as ``expected mIoU``; nothing where the bundle answers nothing."""
    if answers is None:
        return {}
    found, parts = {}, "drives" if answers.drives > 1 else "contiguous blocks of the one drive"
    if answers.quality is not None:
        found[f"expected {MEASURES[answers.quality.measure]}"] = _quality_sentence(answers.quality, parts)
    if answers.cause is not None:
        found["cause"] = _cause_sentence(answers.cause, parts)
    if answers.tiles is not None:
        found["abnormal tiles"] = _tiles_sentence(answers.tiles, answers)
    if answers.map is not None:
        found["unknown objects"] = _map_sentence(answers.map, answers)
    if answers.confidence is not None:
        found["confidence"] = _confidence_sentence(answers.confidence)
    found["answers from"] = _origin_sentence(answers)
    return found


def _origin_sentence(answers: AnswersRecord) -> str:
    made_of = f"made of {counted(answers.frames, 'frame')} of {counted(answers.drives, 'drive')}"
    if answers.novelty_limit is None:
        changed = ["with a part replaced"] * (answers.tiles is not None) + ["with objects pasted"] * (
            answers.map is not None
        )
        return f"{counted(answers.rows, 'frame')}, clean and {' or '.join(changed)}, {made_of}"
    own = () if answers.cause is None else tuple(answers.cause.own)
    with_own = f", and frames of {', '.join(own)}" if own else ""
    return (
        f"{counted(answers.rows, 'frame')}, clean and with {counted(len(answers.kinds), 'kind')} of degradation, "
        f"{made_of}{with_own}; unknown where the novelty is above {answers.novelty_limit:.4g}"
    )


def _quality_sentence(quality: QualityRecord, parts: str) -> str:
    correlation = "" if quality.spearman is None else f", Spearman {quality.spearman:.2f}"
    return (
        f"{_OF[quality.measure]}; on {parts} and kinds left out together: {quality.coverage:.0%} interval holds "
        f"{quality.covered:.1%}, worst kind {quality.worst_kind} {quality.worst_kind_covered:.1%}; median width "
        f"{quality.median_width:.2f} (the same for every frame {quality.constant_width:.2f}); mean absolute error "
        f"{quality.mean_absolute_error:.3f} (of a constant {quality.constant_error:.3f}){correlation}; far from everything "
        f"seen: {unknown_words(quality.at_most)}{_smallest(quality)}"
    )


def unknown_words(at_most: float) -> str:
    """Say that a quality is unknown, with the most that it may be where this says something: below 1."""
    return f"unknown, at most {at_most:.2f}" if at_most < 1 else "unknown"


def _smallest(quality: QualityRecord) -> str:
    """The smallest quality that few clean frames may be below; nothing where there are too few for the rate."""
    smallest = quality.min_quality(_RATE)
    if not smallest:
        return ""
    return (
        f"; of clean frames at most {_RATE:.0%} are expected below --min-quality {smallest:.3g}"
        f"{new_drives_words(quality, smallest)}"
    )


def new_drives_words(quality: QualityRecord, min_quality: float) -> str:
    """The interval of the rate at which clean frames of new drives are below, in brackets; empty where it is not known."""
    ends = quality.false_alarm_interval(min_quality)
    if ends is None:
        return ""
    return f" (on new drives {ends[0]:.1%} to {ends[1]:.1%}, {RATE_CONFIDENCE:.0%} interval)"


def _cause_sentence(cause: CauseRecord, parts: str) -> str:
    own = "".join(f", {name} {share:.0%}" for name, share in sorted(cause.own.items()))
    by_severity = ", ".join(f"severity {name} {share:.0%}" for name, share in sorted(cause.right.items()))
    return (
        f"{', '.join(cause.names[1:])}, or {cause.names[0]}; on {parts} left out: clean frames called {cause.names[0]} "
        f"{cause.clean_kept:.1%}, degraded ones by their kind: {by_severity or 'not measured'}{own}; severity off by "
        f"{cause.severity_error:.2f}; the set of causes is made to hold the right one for {cause.coverage:.0%}"
    )


def _tiles_sentence(tiles: TilesRecord, answers: AnswersRecord) -> str:
    read = (*tiles.layers, *["the picture"] * tiles.picture)
    return (
        f"{tiles.rows} x {tiles.columns}, read from {', '.join(read)}; {_promise(tiles, answers)}; "
        f"{_left_out(tiles, 'limit')} {tiles.clean_kept:.1%} had none"
    )


def _map_sentence(told: MapRecord, answers: AnswersRecord) -> str:
    scores = ", ".join(name.replace("_", " ") for name in told.slopes)
    layers = f" (of the logits and {', '.join(told.layers)})" if told.layers else ""
    smooth = f", averaged over {told.smoothing} x {told.smoothing} cells" if told.smoothing > 1 else ""
    return (
        f"regions of {counted(told.smallest_object, 'cell')} or more above {told.object_limit:.3g} in a map of {told.rows} x "
        f"{told.columns} cells, by {scores}{layers}{smooth}; {_promise(told, answers)}; {_left_out(told, 'limit')} "
        f"{told.clean_kept:.1%} had none; cut-outs of kinds left out, {_left_out(told, 'choice')}: average "
        f"precision {told.average_precision:.2f} (best single score, {told.best_single.replace('_', ' ')}, "
        f"{told.best_single_average_precision:.2f}), false pixels at 95 % found {told.fpr95:.0%} "
        f"({told.best_single_fpr95:.0%}){_own_sentence(told)}"
    )


def _own_sentence(told: MapRecord) -> str:
    """Say how many cut-outs of a user's own were learnt from; nothing where there were none."""
    own = told.own_objects
    return f"; learnt from drawn objects and {counted(own, 'cut-out')} of the user's own" if own else ""


def _promise(told: TilesRecord | MapRecord, answers: AnswersRecord) -> str:
    """How many clean frames are expected to have one, and which frames say so: n of them no less than 1 / (n + 1)."""
    of = "a new drive" if told.guarantee == "drives" else "known drives (too few drives for new ones)"
    rate = max(told.false_alarm_rate, 1 / ((told.limit_frames or answers.frames) + 1))
    by = (
        f", by {counted(told.limit_frames, 'frame')} of {counted(told.limit_drives, 'drive')}"
        if told.limit_frames
        else ""
    )
    return f"at most {at_most_words(rate)} of clean frames of {of} are expected to have one{by}"


def at_most_words(share: float) -> str:
    """A share in per cent, rounded up to a tenth: it is not promised that fewer are.

    Example:
        >>> at_most_words(0.05), at_most_words(1 / 12)
        ('5%', '8.4%')
    """
    return f"{math.ceil(share * 1000 - _ROUNDING) / 10:g}%"


_MADE_BY = {"limit": "set the limit", "choice": "chose the map"}


def _left_out(told: TilesRecord | MapRecord, what: str) -> str:
    """Which frames figures are of: those that were left out of a limit or a choice, or that made it, in older bundles."""
    if not told.limit_frames:
        return f"on the frames that {_MADE_BY[what]}"
    parts = "drives" if told.limit_drives > 1 else "contiguous blocks of the one drive"
    return f"on {parts} left out of the {what}"


def _confidence_sentence(told: ConfidenceRecord) -> str:
    parts = "drives" if told.drives > 1 else "contiguous blocks of the one drive"
    frames, drives = counted(told.frames, "frame"), counted(told.drives, "drive")
    return (
        f"largest softmax of the logits over {told.temperature:.3g}, fitted with labels of {frames} of {drives}; on {parts} "
        f"left out: expected calibration error {told.error:.3f} (as they are {told.error_before:.3f}), negative "
        f"log-likelihood {told.loss:.3f} ({told.loss_before:.3f}), accuracy {told.accuracy:.3f}"
    )
