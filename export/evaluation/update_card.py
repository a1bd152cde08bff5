# SPDX-License-Identifier: Apache-2.0
"""Write the figures of an evaluation into its bundle: manifest and model card change, and nothing else."""

import os
from dataclasses import replace
from pathlib import Path

from export.atomic_write import atomic_folder
from export.bundle.evaluated_answers import EvaluatedAnswers
from export.bundle.evaluation_record import BlindRecord, EvaluationRecord, HurtingRecord, ShiftRecord
from export.bundle.writer import CARD_FILE, seal_bundle
from export.errors import UsageError
from export.evaluation.evaluated_figures import evaluated_answers, share_of
from export.evaluation.hurting import rule_sentence
from export.evaluation.object_summary import object_figures
from export.evaluation.result import Evaluation
from lsood_runtime import BundleError, Manifest
from lsood_runtime.offline import open_bundle


def update_card(bundle: Path, evaluation: Evaluation) -> Manifest:
    """Replace the bundle by one with the figures; graphs and golden frames are copied as they were verified.

    The manifest goes on recording the digests of the files that were evaluated: one that is damaged is never sealed again.
    A detached signature is left out, since it does not hold for the new manifest.

    Args:
        bundle: the folder; the old one stays if the write is interrupted.
        evaluation: of this bundle.

    Raises:
        BundleError: the bundle is damaged, or another one than was evaluated.
        UsageError: it is an archive.
    """
    refuse_archive(bundle)
    manifest = evaluation.manifest
    contents = open_bundle(bundle)
    if contents.manifest != manifest:
        raise BundleError(f"expected the bundle that was evaluated at {bundle}, got another one: evaluate it again")
    with atomic_folder(bundle) as folder:
        for name, verified in contents.files.items():
            if name != CARD_FILE:
                (folder / name).write_bytes(verified)
        return seal_bundle(folder, manifest, evaluation_record(evaluation))


def refuse_archive(bundle: Path) -> None:
    """Refuse a bundle in an archive, which is not changed.

    Raises:
        UsageError: it is one.
    """
    if os.path.isfile(bundle):  # noqa: PTH113  of a name that no file system takes it is False as well
        raise UsageError(
            f"expected the folder of a bundle to update its card, got the file {bundle}: unpack it, and pack the folder anew "
            "by `lsood pack` afterwards"
        )


def evaluation_record(evaluation: Evaluation) -> EvaluationRecord:
    """Collect the figures that the manifest keeps and the card shows."""
    rate = evaluation.false_alarm_rate
    return EvaluationRecord(
        created=evaluation.created,
        operating_point=evaluation.operating_point,
        ind_frames=len(evaluation.ind),
        false_alarm_rate=share_of(rate),
        mean_auroc=evaluation.mean_auroc if evaluation.judged else None,
        shifts=tuple(
            ShiftRecord(
                name=shift.name,
                frames=len(shift.frames),
                auroc=shift.figures["auroc"].value,
                miss_rate=shift.figures["miss_rate"].value,
                mean_iou=shift.frames.mean_iou,
                hurting_share=shift.hurting_share,
            )
            for shift in evaluation.shifts
        ),
        blind=tuple(
            BlindRecord(
                name=spot.name,
                kind=spot.kind,
                severity=spot.severity,
                frames=spot.frames,
                missed=spot.missed,
                auroc=spot.auroc,
                known_to_hurt=spot.known,
            )
            for spot in evaluation.blind_spots
        ),
        drives=len(evaluation.drive_alarms),
        mostly_flagged_drives=len(evaluation.mostly_flagged),
        hurting=_hurting(evaluation),
        answers=_answers(evaluation),
    )


def _answers(evaluation: Evaluation) -> EvaluatedAnswers | None:
    """Figures of all answers; None where the bundle answers nothing."""
    if evaluation.answers is None:
        return None
    objects = object_figures(evaluation)
    return replace(evaluated_answers(evaluation.answers), objects=objects.objects, masks=objects.masks)


def _hurting(evaluation: Evaluation) -> HurtingRecord | None:
    split = evaluation.split
    if split is None or split.hurting_frames is None:
        return None
    frames, cells = split.hurting_frames, split.hurting_cells
    return HurtingRecord(
        rule=rule_sentence(split.rule),
        frames=frames.frames,
        auroc=frames.auroc.value,
        missed=share_of(frames.missed),
        cells=0 if cells is None else cells.cells,
        mean_auroc=None if cells is None else cells.auroc.value,
        worst_kind=None if cells is None else cells.worst_kind,
        worst_auroc=None if cells is None else cells.worst_auroc,
    )
