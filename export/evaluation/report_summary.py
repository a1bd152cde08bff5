# SPDX-License-Identifier: Apache-2.0
"""Summary of an evaluation in a few sentences."""

from export.evaluation.result import BLIND, Evaluation


def summary(result: Evaluation) -> list[str]:
    """Summarise an evaluation in sentences."""
    rate, point = result.false_alarm_rate, result.manifest.operating_points[result.operating_point]
    sentences = [
        f"False alarms: {rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%}) of {len(result.ind.features)} in-distribution "
        f"frames, target {point.false_alarm_rate:.1%}."
    ]
    if result.ind.mean_iou is not None:
        sentences.append(f"The network's mIoU there is {result.ind.mean_iou:.3f}.")
    if result.accepted_iou is not None:
        sentences.append(
            f"The frames that the monitor accepts, of all sets, have a mean mIoU of {result.accepted_iou:.3f}."
        )
    if result.calibration_frames:
        sentences.append(
            f"Careful: {result.calibration_frames} of these frames fitted the detector or set its thresholds, so the figures "
            "are better than on new frames."
        )
    fitted = [shift.frames.source.name for shift in result.shifts if shift.fitted_on]
    if fitted:
        sentences.append(f"The detector was fitted on {', '.join(fitted)}: left out of the means.")
    elif result.manifest.detector.fit_ood_frames:
        sentences.append("The detector was fitted on out-of-distribution frames: shifts of their kind say little here.")
    if result.blind_spots:
        named = ", ".join(
            f"{shift.frames.source.name} ({shift.figures['auroc'].value:.2f}"
            + (f", mIoU {shift.frames.mean_iou:.3f}" if shift.frames.mean_iou is not None else "")
            + ")"
            for shift in result.blind_spots
        )
        sentences.append(f"Blind spots, with an AUROC below {BLIND:g}: {named}.")
    return sentences
