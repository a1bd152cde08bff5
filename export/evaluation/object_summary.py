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
    if result.object_rate is None or record is None:
        return
    share = result.object_rate.text(".1%", ".1%")
    where = "a new drive" if record.guarantee == "drives" else "known drives"
    yield (
        f"Unknown objects: {share} of the in-distribution frames show one, promised at most {record.false_alarm_rate:.1%} of "
        f"frames of {where}."
    )


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
