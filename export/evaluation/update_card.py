# SPDX-License-Identifier: Apache-2.0
"""Write the figures of an evaluation into its bundle: manifest and model card change, and nothing else."""

from pathlib import Path

from export.atomic_write import atomic_folder
from export.bundle.evaluation_record import EvaluationRecord, ShiftRecord
from export.bundle.writer import seal_bundle
from export.evaluation.result import Evaluation
from lsood_runtime import BundleError, Manifest
from lsood_runtime.offline import open_bundle


def update_card(bundle: Path, evaluation: Evaluation) -> Manifest:
    """Replace the bundle by one with the figures; graphs and golden frames are copied as they are.

    Args:
        bundle: the folder; the old one stays if the write is interrupted.
        evaluation: of this bundle.

    Raises:
        BundleError: the bundle is damaged, or another one than was evaluated.
    """
    manifest = evaluation.manifest
    contents = open_bundle(bundle)
    if contents.manifest != manifest:
        raise BundleError(f"expected the bundle that was evaluated at {bundle}, got another one: evaluate it again")
    with atomic_folder(bundle) as folder:
        for name, verified in contents.files.items():
            if name != "README.md":
                (folder / name).write_bytes(verified)
        return seal_bundle(folder, manifest, evaluation_record(evaluation))


def evaluation_record(evaluation: Evaluation) -> EvaluationRecord:
    """Collect the figures that the manifest keeps and the card shows."""
    rate = evaluation.false_alarm_rate
    return EvaluationRecord(
        created=evaluation.created,
        operating_point=evaluation.operating_point,
        ind_frames=len(evaluation.ind.features),
        false_alarm_rate=(rate.value, rate.low, rate.high),
        mean_auroc=evaluation.mean_auroc if evaluation.not_fitted else None,
        shifts=tuple(
            ShiftRecord(
                name=shift.name,
                frames=len(shift.frames.features),
                auroc=shift.figures["auroc"].value,
                miss_rate=shift.figures["miss_rate"].value,
                mean_iou=shift.frames.mean_iou,
            )
            for shift in evaluation.shifts
        ),
        blind=tuple(shift.name for shift in evaluation.blind_spots),
    )
