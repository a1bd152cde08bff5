# SPDX-License-Identifier: Apache-2.0
"""Summary of an evaluation in a few sentences."""

from export.evaluation.result import BLIND, Evaluation

NAMED = 6
"""Number of drives that a sentence names at most."""

FEW_DRIVES = 10
"""Number of drives below which intervals over drives are said to be too narrow."""


def interval_basis(result: Evaluation) -> str:
    """Say what the intervals were computed from, and so what they hold for."""
    count = len(result.drive_alarms)
    if not count:
        why = "no --group-by" if result.options.group_by == "none" else "a single drive"
        return f"Intervals from blocks of consecutive frames ({why}): they hold for these drives, not for new ones."
    few = f"; {count} are few for that, so they are too narrow" if count < FEW_DRIVES else ""
    return f"Intervals from resampling the {count} in-distribution drives whole: they hold for new drives of this kind{few}."


def _drive_sentence(result: Evaluation) -> str:
    alarms = result.drive_alarms
    any_flagged, flagged = sum(row.flagged > 0 for row in alarms), sum(row.flagged for row in alarms)
    sentence = (
        f"By drive: {flagged / len(alarms):.2f} false alarms a drive, {any_flagged} of {len(alarms)} drives with one, "
        f"{len(result.mostly_flagged)} flagged on more than half of their frames"
    )
    named = ", ".join(f"{row.drive} ({row.flagged} of {row.frames})" for row in result.mostly_flagged[:NAMED])
    more = len(result.mostly_flagged) - NAMED
    return sentence + (f": {named}" if named else "") + (f" and {more} more" if more > 0 else "") + "."


def summary(result: Evaluation) -> list[str]:
    """Summarise an evaluation in sentences."""
    rate, point = result.false_alarm_rate, result.manifest.operating_points[result.operating_point]
    sentences = [
        f"False alarms: {rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%}) of {len(result.ind.features)} in-distribution "
        f"frames, target {point.false_alarm_rate:.1%}."
    ]
    if result.drive_alarms:
        sentences.append(_drive_sentence(result))
    sentences.append(interval_basis(result))
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
