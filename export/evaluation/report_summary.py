# SPDX-License-Identifier: Apache-2.0
"""Summary of an evaluation in a few sentences."""

from collections.abc import Iterator, Sequence

import numpy as np

from export.evaluation.blind_spots import FEW_HURT, MISSED
from export.evaluation.hurting import rule_sentence
from export.evaluation.hurting_split import HurtingSplit
from export.evaluation.interval import FEWEST_DRIVES, DriveCount, Interval
from export.evaluation.picture_baseline import NAME as BASELINE
from export.evaluation.result import Evaluation

NAMED = 6
"""Number of drives or shifts that a sentence names at most."""


def summary(result: Evaluation) -> list[str]:
    """Summarise an evaluation in sentences."""
    return [*_false_alarms(result), *_network(result), *_caveats(result), *_hurting(result), *_baseline(result)]


def interval_basis(result: Evaluation) -> str:
    """Say what the intervals were computed from, and so what they hold for; or why there are none."""
    count, options = len(result.drive_alarms), result.options
    needed = f"an interval needs at least {FEWEST_DRIVES} drives of comparable size"
    if not count:
        told = "no --group-by tells drives apart" if options.group_by == "none" else "a single drive"
        return f"No intervals ({told}): {needed}, since frames of a drive resemble each other."
    drives = DriveCount.of_sizes(np.array([row.frames for row in result.drive_alarms], np.int64))
    if not drives.enough:
        return (
            f"No intervals ({count} drives, which tell as much as {drives.effective:.1f} of equal size): {needed}, since "
            "fewer do not show how drives differ."
        )
    return (
        f"Intervals by leaving out the {count} in-distribution drives one at a time: they hold for new drives of this kind. "
        f"Where one is missing, {needed} on either side."
    )


def blind_rule() -> str:
    """Say which shifts are listed as blind spots."""
    return f"Blind spots: of the frames that hurt more than {MISSED:.0%} are missed at the threshold"


def missing_baseline() -> str:
    """Say what the baseline without a network needs."""
    return (
        "No baseline without a network: name frames to fit it on by --fit-frames, such as those of the calibration, to see "
        "which shifts colour and contrast alone tell apart."
    )


def _false_alarms(result: Evaluation) -> Iterator[str]:
    rate, point = result.false_alarm_rate, result.manifest.operating_points[result.operating_point]
    if len(result.ind) == 1:
        flagged_or_not = "flagged" if rate.value else "not flagged"
        yield (
            f"The one in-distribution frame is {flagged_or_not}; of one frame no rate can be stated, and no figure against "
            "it: give the frames of a drive."
        )
        return
    yield (
        f"False alarms: {_percent(rate)} of {len(result.ind)} in-distribution frames, "
        f"target {point.false_alarm_rate:.1%}."
    )
    alarms = result.drive_alarms
    if alarms:
        flagged, with_one = sum(row.flagged for row in alarms), sum(row.flagged > 0 for row in alarms)
        alone = sum(row.frames == 1 for row in result.mostly_flagged)
        single = f", {alone} of them drives of one frame" if alone else ""
        named = _list([f"{row.drive} ({row.flagged} of {row.frames})" for row in result.mostly_flagged])
        yield (
            f"By drive: {flagged / len(alarms):.2f} false alarms a drive, {with_one} of {len(alarms)} drives with one, "
            f"{len(result.mostly_flagged)} flagged on more than half of their frames{single}{f': {named}' if named else ''}."
        )
    yield interval_basis(result)


def _network(result: Evaluation) -> Iterator[str]:
    if result.ind_iou is not None:
        yield f"The network's mIoU there is {_figure(result.ind_iou)}."
    if result.accepted_iou is not None:
        yield f"The frames that the monitor accepts, of all sets, have a mean mIoU of {result.accepted_iou:.3f}."


def _caveats(result: Evaluation) -> Iterator[str]:
    if result.calibration_frames:
        yield (
            f"Careful: {result.calibration_frames} of these frames fitted the detector or set its thresholds, so the figures "
            "are better than on new frames."
        )
    single = [shift.frames.source.name for shift in result.shifts if len(shift.frames) == 1]
    if single:
        yield f"No AUROC and no rate can be stated of one frame, and none is shown, of {_list(single)}: give more frames."
    fitted = [shift.frames.source.name for shift in result.shifts if shift.fitted_on]
    if fitted:
        yield f"The detector was fitted on {', '.join(fitted)}: left out of the means."
    elif result.manifest.detector.fit_ood_frames:
        yield "The detector was fitted on out-of-distribution frames: shifts of their kind say little here."


def _hurting(result: Evaluation) -> Iterator[str]:
    split = result.split
    if split is not None:
        yield rule_sentence(split.rule)
        if result.judged:
            yield from _split(split)
    elif result.shifts:
        yield "It is not known which shifts hurt the segmentation: that takes degraded frames, or labels."
    if result.blind_spots:
        few = (
            f" (shifts of which less than {FEW_HURT:.0%} of the frames hurt are left out)" if split is not None else ""
        )
        yield f"{blind_rule()}{few}: {_list([spot.sentence for spot in result.blind_spots])}."
    elif split is not None and split.hurting_frames is None and all(shift.harm is not None for shift in result.shifts):
        yield "Whether there are blind spots cannot be told by shifts that do not hurt: take severer ones."
    elif result.shifts:
        counted = "its frames" if split is None else "its frames that hurt"
        yield f"No blind spots: no shift has more than {MISSED:.0%} of {counted} missed at the threshold."


def _that_hurt(count: int) -> str:
    return f"{count} {'frame that hurts' if count == 1 else 'frames that hurt'}"


def _split(split: HurtingSplit) -> Iterator[str]:
    frames, cells = split.hurting_frames, split.hurting_cells
    if frames is None:
        yield "None of the frames hurts."
    else:
        yield (
            f"Of the {_that_hurt(frames.frames)} {_percent(frames.missed)} are missed at the threshold, most of "
            f"{frames.most_missed_kind} ({frames.most_missed:.0%}); AUROC {_figure(frames.auroc)}, lowest of "
            f"{frames.worst_kind} ({frames.worst_auroc:.3f})."
        )
    if cells is not None:
        yield (
            f"{cells.cells} cells hurt: mean AUROC {_figure(cells.auroc)}, worst kind {cells.worst_kind} "
            f"({cells.worst_auroc:.3f}); {_percent(cells.missed)} missed on average, most of {cells.most_missed_kind} "
            f"({cells.most_missed:.0%})."
        )
    if split.harmless_frames is not None:
        count = split.harmless_frames.frames
        yield (
            f"Of the {count} shifted {'frame that does' if count == 1 else 'frames that do'} not hurt "
            f"{1 - split.harmless_frames.missed.value:.1%} are flagged."
        )


def _baseline(result: Evaluation) -> Iterator[str]:
    if not result.judged:
        return
    if BASELINE not in result.ind.peers:
        yield missing_baseline()
        return
    sentence = (
        f"Without any network, 27 numbers of the colour and contrast of the picture reach a mean AUROC of "
        f"{result.mean_peer(BASELINE):.3f} (this monitor {result.mean_auroc:.3f})"
    )
    if result.split is not None and result.split.hurting_cells is not None:
        hurting = {score.name: score.hurting_cells for score in result.split.scores}
        own = result.split.scores[0].hurting_cells
        sentence += f", and of {hurting[BASELINE]:.3f} over the cells that hurt (this monitor {own:.3f})"
    yield sentence + "."
    real = [shift for shift in result.shifts if shift.frames.source.kind is None and result.is_stated(shift)]
    if real:
        named = _list(
            [
                f"{shift.frames.source.name} {shift.peers[BASELINE]:.2f} ({shift.figures['auroc'].value:.2f})"
                for shift in real
            ]
        )
        yield (
            f"AUROC of the same numbers on the real shifts, with this monitor's in brackets: {named}. Where they tell a "
            "shift apart, the monitor's AUROC there is no evidence that it sees more than another camera or light."
        )


def _list(items: Sequence[str]) -> str:
    more = len(items) - NAMED
    return ", ".join(items[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _figure(figure: Interval) -> str:
    return figure.text(".3f", ".3f")


def _percent(figure: Interval) -> str:
    return figure.text(".1%", ".1%")
