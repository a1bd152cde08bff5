# SPDX-License-Identifier: Apache-2.0
"""Evaluate a bundle on frames of known kinds: which shifts its score detects, and whether the network fails there."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from export.anomalies.frame_set import FrameSource
from export.calibration.cutout_frames import logits_key
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.detectors.auroc import auroc
from export.errors import UsageError
from export.evaluation.answer_figures import answer_figures
from export.evaluation.answered_frames import AnsweredFrames
from export.evaluation.drive_alarms import drive_alarms
from export.evaluation.failure_prediction import FailurePrediction, failure_prediction, mean_iou_interval
from export.evaluation.frame_sources import (
    calibration_files,
    check_masks_apart,
    count_known,
    frame_sources,
    look_at_sets,
    shared_labels,
)
from export.evaluation.hurting import Harm, harm_of_real_shift
from export.evaluation.hurting_split import Cell, HurtingSplit, hurting_split
from export.evaluation.interval import Interval
from export.evaluation.mask_judge import MaskJudge
from export.evaluation.object_rate import object_rate
from export.evaluation.ood_metrics import shift_figures
from export.evaluation.options import EvaluationOptions, HurtingRule
from export.evaluation.peers import OtherScores
from export.evaluation.reliability_judge import ReliabilityJudge
from export.evaluation.result import Evaluation
from export.evaluation.scored_sets import FrameSet, SetScorer, fit_on
from export.evaluation.set_drives import SetDrives
from export.evaluation.shift import Shift
from export.evaluation.shown_frames import shown_frames
from export.evaluation.shown_masks import shown_masks
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.frames.labels import MASKS, label_files
from export.frames.masks import MaskValues, check_void
from export.frames.repeated import read_each_once
from export.option_table import check_limits
from export.reporter import SILENT, Reporter
from lsood_runtime import Manifest
from lsood_runtime.offline import map_edges


def evaluate(options: EvaluationOptions, reporter: Reporter = SILENT) -> Evaluation:
    """Score every set and relate the scores to the sets and, with labels, to the network's failures.

    Raises:
        UsageError: sets, labels or options that cannot be used.
        BundleError: a damaged bundle, or one without the operating point.
    """
    check_limits(options)
    reporter.stage(f"verifying {options.bundle}")
    graphs = EvaluationGraphs(options.bundle, options.threads)
    manifest = graphs.manifest
    point = manifest.choose_operating_point(options.operating_point)
    options = replace(options, reading=options.reading.completed_by(manifest.pixels))
    sources = list(frame_sources(options, manifest.input.channels))
    labels = label_files(options.labels)
    if labels and manifest.segmentation.kind == "none":
        raise UsageError(
            "expected a bundle with a segmentation to compare with labels, this one has none: drop --labels"
        )
    rule = options.hurting or ("labels" if labels else "agreement")
    if rule == "labels" and not labels:
        raise UsageError("expected labels to tell by what hurts, got none: name their folders by --labels")
    judge = _mask_judge(options, manifest, sources)
    for source in sources:  # a name that cannot be grouped is refused before any frame is scored
        drive_names([source.files.paths[i] for i in source.indices], options.group_by)
    channels, rules = manifest.input.channels, options.reading.rules
    fit_files = FrameFiles(options.fit_frames, channels, rules) if options.fit_frames else None
    drive_names(fit_files.paths if fit_files is not None else [], options.group_by)
    others = OtherScores()
    look_at_sets(sources, options.group_by, reporter)
    for warning in shared_labels(sources, labels):
        reporter.stage(f"warning: {warning}")
    if fit_files is not None:
        read_each_once(fit_files, reporter)
        fitted = FrameSource("fit frames", fit_files, tuple(range(len(fit_files))))
        others = fit_on(graphs, fitted, options.group_by, reporter)

    reliability = None
    if labels and graphs.maps:
        confidence = None if manifest.answers is None else manifest.answers.confidence
        temperature = None if confidence is None else confidence.temperature
        reliability = ReliabilityJudge(logits_key(graphs.maps), temperature, options.ignored_labels)
    score_set = SetScorer(
        graphs, labels, options.ignored_labels, options.group_by, others, judge, reliability, reporter
    )
    ind = score_set(sources[0], keep=bool(options.kinds))
    sets = [ind, *map(score_set, sources[1:])]

    reporter.stage("figures and intervals")
    threshold = manifest.operating_points[point].value
    calibrated, fitted_ood = calibration_files(manifest)
    drives = _drives(sets, options.seed)
    shifts = tuple(
        Shift(
            frames,
            shift_figures(ind.score, frames.score, threshold, drives=(drives[0], own)),
            {name: auroc(ind.peers[name], scores) for name, scores in frames.peers.items()},
            _mean_iou(frames, own),
            frames.source.kind is None and count_known(frames.source, fitted_ood) > 0,
            _harm(frames, ind, rule),
        )
        for frames, own in zip(sets[1:], drives[1:], strict=True)
    )
    shifts = tuple(
        replace(shift, missed_of_hurting=_missed_of_hurting(shift, own, threshold))
        for shift, own in zip(shifts, drives[1:], strict=True)
    )
    flagged = ind.score > threshold
    failures, accepted = _failures(sets, drives, threshold)
    highest, lowest = shown_frames(graphs, sets)
    by_name = {frames.source.name: own for frames, own in zip(sets, drives, strict=True)}
    masks = () if judge is None else judge.figures(by_name)
    return Evaluation(
        options,
        manifest,
        point,
        dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        ind,
        drives[0].share(flagged),
        _mean_iou(ind, drives[0]),
        drive_alarms(ind.drives, flagged),
        count_known(ind.source, calibrated),
        shifts,
        rule,
        _split(rule, ind, shifts, drives, threshold, manifest.operating_points[point].false_alarm_rate),
        failures,
        accepted,
        highest,
        lowest,
        None
        if manifest.answers is None
        else answer_figures(AnsweredFrames.of_sets(sets, drives, manifest.answers), manifest.answers),
        object_rate(ind, drives[0], masks),
        masks,
        () if judge is None else shown_masks(graphs, sets, masks, judge),
        () if reliability is None else reliability.figures(ind.source.name, drives[0]),
    )


def _mask_judge(options: EvaluationOptions, manifest: Manifest, sources: Sequence[FrameSource]) -> MaskJudge | None:
    """Compares anomaly maps with the masks that were given; None where none were.

    Raises:
        UsageError: masks of no frame or of two, numbers of masks without masks or that cannot be told apart, or a bundle
            without an anomaly map.
    """
    files = label_files(options.masks, MASKS)
    given = (options.unknown_values, options.known_values, options.void_values)
    if not files:
        if any(numbers is not None for numbers in given):
            raise UsageError(
                "expected masks with --unknown-mask, --known-mask and --void-mask, which say what their numbers stand for, "
                "got none: name their folders by --masks"
            )
        return None
    record = None if manifest.answers is None else manifest.answers.map
    if record is None:
        raise UsageError(
            "expected a bundle that gives an anomaly map to compare with masks, this one gives none: export it with "
            "--answers map, or drop --masks"
        )
    stems = {source.files.paths[i].stem for source in sources for i in source.indices}
    if not stems & files.keys():
        raise UsageError(
            f"expected masks under the names of the frames, none of {len(files)} has one, such as {min(files)}.png: rename "
            "the masks as the frames"
        )
    check_masks_apart(sources, files)
    values = MaskValues.given(*given)
    if options.void_values is None:
        check_void(values, [files[stem] for stem in sorted(stems & files.keys())])
    edges = map_edges(record, manifest.input, manifest.segmentation)
    return MaskJudge(files, values, edges, record.object_limit, record.smallest_object)


def _drives(sets: list[FrameSet], seed: int) -> list[SetDrives]:
    """The drives of every set; degraded frames are of the in-distribution drives that they were made of."""
    rng = np.random.default_rng(seed)
    ind = SetDrives.of_names(sets[0].drives, rng)
    return [ind] + [
        ind.take(other.source.indices)
        if other.source.kind is not None
        else SetDrives.of_names(other.drives, rng, sample)
        for sample, other in enumerate(sets[1:], 1)
    ]


def _mean_iou(frames: FrameSet, drives: SetDrives) -> Interval | None:
    return mean_iou_interval(frames.overlaps, drives) if frames.overlaps else None


def _harm(frames: FrameSet, ind: FrameSet, rule: HurtingRule) -> Harm | None:
    """Which frames of a set hurt; None where that is not known."""
    if frames.losses is not None:
        return frames.losses.harm(rule)
    return harm_of_real_shift(len(frames), frames.mean_iou, ind.mean_iou) if rule == "labels" else None


def _missed_of_hurting(shift: Shift, drives: SetDrives, threshold: float) -> Interval | None:
    hurt = None if shift.harm is None else shift.harm.frames
    if hurt is None or not hurt.any():
        return None
    return drives.take(hurt).share(shift.frames.score[hurt] <= threshold)


def _split(
    rule: HurtingRule, ind: FrameSet, shifts: tuple[Shift, ...], drives: list[SetDrives], threshold: float, rate: float
) -> HurtingSplit | None:
    """Figures of what hurts and what does not, of shifts that the detector was not fitted on; None where no harm is known."""
    cells = [
        Cell(
            shift.frames.source.name,
            shift.frames.source.kind or shift.frames.source.name,
            shift.frames.score,
            shift.frames.peers,
            shift.harm,
            own,
        )
        for shift, own in zip(shifts, drives[1:], strict=True)
        if not shift.fitted_on
    ]
    if all(cell.harm is None for cell in cells):
        return None
    return hurting_split(rule, ind.score, ind.peers, drives[0], cells, threshold, rate)


def _failures(
    sets: list[FrameSet], drives: list[SetDrives], threshold: float
) -> tuple[tuple[FailurePrediction, ...], float | None]:
    """Failure prediction over all labelled frames by each score, and the mean mIoU of the frames that the bundle accepts."""
    labelled = [(frames, frames.iou, own) for frames, own in zip(sets, drives, strict=True) if frames.iou is not None]
    if not labelled:
        return (), None
    iou = np.concatenate([values for _, values, _ in labelled])
    known = np.isfinite(iou)
    score = np.concatenate([frames.score for frames, _, _ in labelled])
    scores = {"this monitor": score} | {
        name: np.concatenate([frames.peers[name] for frames, _, _ in labelled]) for name in labelled[0][0].peers
    }
    if known.sum() < 2:
        return (), None
    counted = [own.take(np.isfinite(values)) for _, values, own in labelled if np.isfinite(values).any()]
    predictions = tuple(failure_prediction(name, values[known], iou[known], counted) for name, values in scores.items())
    accepted = iou[known & (score <= threshold)]
    return predictions, float(accepted.mean()) if len(accepted) else None
