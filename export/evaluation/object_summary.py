# SPDX-License-Identifier: Apache-2.0
"""Sentences about the unknown objects that a bundle tells, by frames in distribution and by masks."""

from collections.abc import Iterator

from export.evaluation.mask_judge import MaskFigures
from export.evaluation.result import Evaluation
from lsood_runtime.offline import counted


def object_sentences(result: Evaluation) -> list[str]:
    """Say how often frames in distribution show an object, and how well maps and objects are those of the masks."""
    return [*_false_objects(result), *map(_masked, result.masks)]


def _false_objects(result: Evaluation) -> Iterator[str]:
    record = None if result.manifest.answers is None else result.manifest.answers.map
    rate = result.object_rate
    if rate is None or record is None:
        return
    where = "a new drive" if record.guarantee == "drives" else "known drives"
    told = "nothing is known of the frames in distribution"
    if rate.share is not None:
        told = (
            f"{rate.share.text('.1%', '.1%')} of {counted(rate.frames, 'in-distribution frame')} show one, promised at most "
            f"{record.false_alarm_rate:.1%} of frames of {where}"
        )
    left_out = [
        f"{counted(count, 'frame')} {why}"
        for count, why in ((rate.holding, "whose mask holds an object"), (rate.unknown, "whose map is unknown"))
        if count
    ]
    others = f"; left out: {' and '.join(left_out)}" if left_out else ""
    yield f"Unknown objects: {told}{others}."


def _masked(figures: MaskFigures) -> str:
    frames = counted(len(figures.frames), "frame")
    found = f"{figures.caught} of {counted(figures.objects, 'object')} found in part or whole"
    false = f"{counted(figures.false_objects, 'false object')}"
    return f"Masks of {figures.set_name}, {frames}: {_pixels(figures)}; {found}, {false}; {_components(figures)}."


def _pixels(figures: MaskFigures) -> str:
    pixels = figures.pixels
    if pixels is None:
        return "no figures of pixels, which take unknown and known ones"
    return (
        f"average precision {pixels.average_precision:.3f} ({pixels.unknown_share:.3f} by chance), false pixels at 95 % "
        f"found {pixels.fpr95:.1%}, AUROC {pixels.auroc:.3f}"
    )


def _components(figures: MaskFigures) -> str:
    components = figures.components
    return ", ".join(
        f"{name} {'-' if value is None else f'{value:.3f}'}"
        for name, value in (
            ("sIoU", components.mean_siou),
            ("PPV", components.mean_ppv),
            ("mean F1", components.mean_f1),
        )
    )
