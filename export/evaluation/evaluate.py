# SPDX-License-Identifier: Apache-2.0
"""Evaluate a bundle on frames of known kinds: which shifts its score detects, and whether the network fails there."""

import datetime as dt

import numpy as np

from export.anomalies.frame_set import FrameSource
from export.calibration.features import EvaluationGraphs
from export.detectors.auroc import auroc
from export.errors import UsageError
from export.evaluation.draws import Draws
from export.evaluation.drive_alarms import drive_alarms
from export.evaluation.failure_prediction import FailurePrediction, failure_prediction
from export.evaluation.frame_sources import calibration_files, count_known, frame_sources
from export.evaluation.ood_metrics import RESAMPLES, shift_figures
from export.evaluation.options import EvaluationOptions
from export.evaluation.peers import fitted_peers, output_peers
from export.evaluation.result import Evaluation, Shift
from export.evaluation.scored_sets import FrameSet, label_files, score_set
from export.evaluation.shown_frames import shown_frames
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.reporter import SILENT, Reporter


def evaluate(options: EvaluationOptions, reporter: Reporter = SILENT) -> Evaluation:
    """Score every set and relate the scores to the sets and, with labels, to the network's failures.

    Raises:
        UsageError: sets, labels or options that cannot be used.
        BundleError: a damaged bundle, or one without the operating point.
    """
    reporter.stage(f"verifying {options.bundle}")
    graphs = EvaluationGraphs(options.bundle, options.threads)
    manifest = graphs.manifest
    point = manifest.choose_operating_point(options.operating_point)
    sources = list(frame_sources(options, manifest.input.channels))
    labels = label_files(options.labels)
    if labels and manifest.segmentation.kind == "none":
        raise UsageError(
            "expected a bundle with a segmentation to compare with labels, this one has none: drop --labels"
        )
    fit_files = FrameFiles(options.fit_frames, manifest.input.channels) if options.fit_frames else None

    for source in sources:  # a name that the rule cannot group is refused before any frame is scored
        drive_names([source.files.paths[i] for i in source.indices], options.group_by)
    sets = [score_set(graphs, source, labels, options.ignored_labels, options.group_by, reporter) for source in sources]
    ind, others = sets[0], sets[1:]
    peers = list(output_peers(ind.features))
    if fit_files is not None:
        fitted = FrameSource("fit frames", fit_files, tuple(range(len(fit_files))))
        peers += fitted_peers(score_set(graphs, fitted, {}, (), "none", reporter).features)

    reporter.stage("figures and intervals")
    threshold = manifest.operating_points[point].value
    calibrated, fitted_ood = calibration_files(manifest)
    draws = _draws(sets, options.seed)
    shifts = tuple(
        Shift(
            other,
            shift_figures(ind.features.score, other.features.score, threshold, draws=(draws[0], drawn)),
            {peer.name: auroc(peer(ind.features), peer(other.features)) for peer in peers},
            other.source.kind is None and count_known(other.source, fitted_ood) > 0,
        )
        for other, drawn in zip(others, draws[1:], strict=True)
    )
    flagged = ind.features.score > threshold
    failures, accepted = _failures([frames for frames in sets if frames.iou is not None], threshold)
    highest, lowest = shown_frames(graphs, sets)
    return Evaluation(
        options,
        manifest,
        point,
        dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        ind,
        draws[0].share(flagged, ind.features.score),
        drive_alarms(ind.drives, flagged),
        count_known(ind.source, calibrated),
        shifts,
        failures,
        accepted,
        highest,
        lowest,
    )


def _draws(sets: list[FrameSet], seed: int) -> list[Draws]:
    """Resamples of every set; degraded frames are drawn with the in-distribution drives that they were made of."""
    rng = np.random.default_rng(seed)
    ind = Draws.of_set(sets[0].drives, sets[0].features.score, RESAMPLES, rng)
    return [ind] + [
        ind.take(other.source.indices)
        if other.source.kind is not None and ind.whole_drives
        else Draws.of_set(other.drives, other.features.score, RESAMPLES, rng)
        for other in sets[1:]
    ]


def _failures(sets: list[FrameSet], threshold: float) -> tuple[tuple[FailurePrediction, ...], float | None]:
    """Failure prediction over all labelled frames by each score, and the mean mIoU of the frames that the bundle accepts."""
    if not sets:
        return (), None
    iou = np.concatenate([frames.iou for frames in sets if frames.iou is not None])
    known = np.isfinite(iou)
    score = np.concatenate([frames.features.score for frames in sets])
    scores = {"latent entropy": score} | {
        peer.name: np.concatenate([peer(frames.features) for frames in sets]) for peer in output_peers(sets[0].features)
    }
    if known.sum() < 2:
        return (), None
    predictions = tuple(failure_prediction(name, values[known], iou[known]) for name, values in scores.items())
    accepted = iou[known & (score <= threshold)]
    return predictions, float(accepted.mean()) if len(accepted) else None
