# SPDX-License-Identifier: Apache-2.0
"""Fit a new detector and new thresholds to the network of a bundle, with ONNX Runtime alone: no torch, no checkpoint."""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.atomic_write import atomic_folder, scratch_folder
from export.bundle.golden import save_golden_frames, score_golden_frames
from export.bundle.renewed_answers import bundle_causes, check_answer_options, renewed_answers
from export.bundle.versions import versions
from export.bundle.writer import check_destination, write_bundle
from export.calibration.calibrate import CalibrationResult, calibrate
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.calibration.detector_choice import DetectorChoice, choose_parts
from export.calibration.evaluation_graphs import EvaluationGraphs, measure
from export.calibration.frame_split import FrameSplit, see_frames, split_frames
from export.calibration.measured_folder import MeasuringOptions, begin_folder, measure_into_folder
from export.calibration.options import AUTO
from export.calibration.recalibration_options import RecalibrationOptions
from export.destination import check_not_read, check_place, claimed, real_path
from export.detectors.registry import FUSED
from export.errors import ParityError, UsageError
from export.evaluation.automatic_choice import FITTED_FRAMES, MeasuredFrame, choose_automatically, degraded_frames
from export.features.equal_rows import check_rows_differ
from export.features.files import check_features_path, is_one_file, open_features, save_features
from export.features.folder import FrameTable
from export.features.frames import Features
from export.features.rows import StoredFeatures
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.frames.overlap import check_overlap
from export.frames.repeated import read_each_once
from export.graphs.detector import scores_graph
from export.graphs.evaluation_outputs import EVALUATION
from export.graphs.fused import FUSED_FILE
from export.graphs.monitor_forms import cpu_session, two_graphs
from export.graphs.shared_weights import load_graph
from export.option_table import check_limits
from export.reporter import SILENT, Reporter
from lsood_runtime import Manifest
from lsood_runtime.offline import (
    DETECTOR_FILE,
    SEGMENTATION_FILE,
    TOLERANCE_SHARES,
    Bundle,
    GoldenRecord,
    pixel_tolerance,
)

_COMPARED = 1024
"""Frames on which graph and detector are compared, at most."""


@dataclass(frozen=True)
class RecalibrationResult:
    """The result of a recalibration.

    Attributes:
        manifest: of the new bundle.
        dropped: files of the old bundle that only an export can make anew.
    """

    manifest: Manifest
    dropped: tuple[str, ...]


def recalibrate(options: RecalibrationOptions, reporter: Reporter = SILENT) -> RecalibrationResult:
    """Fit detector and thresholds to new frames and write a new bundle around the old network.

    Args:
        options: of the recalibration.
        reporter: told each stage as it begins, and how far the loops over frames have come.

    Raises:
        UsageError: frames, files or folders that cannot be used.
        CalibrationError: frames that do not suffice for a detector or a threshold.
        ParityError: the new graph disagrees with the estimator.
        BundleError: the old bundle is damaged.
    """
    check_limits(options)
    if bool(options.frames) == bool(options.features):
        raise UsageError("expected either --frames or --features, got both or neither: choose one of the two")
    if options.features and options.calibration.detector == AUTO:
        raise UsageError(
            f"expected --frames with --detector {AUTO}, got --features: it degrades frames; name a detector, or give frames"
        )
    if options.save_features and options.features:
        raise UsageError(
            "expected --save-features together with --frames, got it with --features: these are in files already"
        )
    if options.features and options.workers != 1:
        raise UsageError(
            f"expected --workers with --frames alone, got {options.workers} with --features: no frame is measured; leave it "
            "out"
        )
    with ExitStack() as claims:
        claims.enter_context(claimed(options.destination, "choose another --out"))
        check_destination(options.destination, options.overwrite)
        saved = options.save_features
        if saved:
            if real_path(saved) == real_path(options.destination):
                raise UsageError(
                    f"expected features and bundle at two places, got {saved} for both: rename one of them"
                )
            check_features_path(saved)
            check_not_read(saved, options, "choose another --save-features")
            claims.enter_context(claimed(saved, "choose another --save-features", folder=not is_one_file(saved)))
        return _recalibrate(options, reporter)


def _recalibrate(options: RecalibrationOptions, reporter: Reporter) -> RecalibrationResult:
    reporter.stage(f"verifying {options.bundle}")
    graphs = EvaluationGraphs(options.bundle, options.threads)
    options = replace(options, reading=options.reading.completed_by(graphs.manifest.pixels))
    measuring = MeasuringOptions.of_recalibration(options, graphs)
    size = sum(record.bytes for record in graphs.manifest.files.values())
    check_place(options.destination, "choose another --out", size=size)
    chosen, channels = options.calibration, graphs.manifest.input.channels
    ood_files = FrameFiles(chosen.ood_frames, channels, options.reading.rules) if chosen.ood_frames else None
    if ood_files is not None:
        read_each_once(ood_files, reporter)
    choice = choose_parts(chosen, graphs.available, graphs.manifest.tap.layers)
    if chosen.detector == FUSED and not chosen.parts and len(graphs.available) == 1:
        raise UsageError(
            f"expected a bundle that gives several features for --detector {FUSED}, {options.bundle} gives entropies alone: "
            "export it again, or name --detector kde"
        )
    check_answer_options(options, graphs)
    with _frames(graphs, options, measuring, reporter) as measured:
        ood = None if ood_files is None else _features(graphs, ood_files, reporter, "out of distribution").values
        reporter.stage("fitting detector and thresholds")
        features = measured.table.values
        if chosen.detector == AUTO:
            choice = _choose(graphs, options, choice, measured, reporter)
        calibration = calibrate(features, measured.split, chosen, choice, ood, measured.warnings)
        monitor = _monitor(graphs.contents, calibration)
        _check_agreement(monitor, features)
        answers = renewed_answers(options, graphs, measured.split, reporter)
        monitor = monitor if answers is None else monitor.answering(answers)

        reporter.stage(f"writing {options.destination}")
        return _write(options, graphs.contents, monitor)


@dataclass(frozen=True, eq=False)
class _MeasuredFrames:
    """Features of the in-distribution frames, and their roles."""

    table: FrameTable
    split: FrameSplit
    warnings: tuple[str, ...]


@contextmanager
def _frames(
    graphs: EvaluationGraphs, options: RecalibrationOptions, measuring: MeasuringOptions, reporter: Reporter
) -> Iterator[_MeasuredFrames]:
    """Features of the frames, for as long as their files are needed."""
    saved = options.save_features
    if not options.frames:
        yield _load_frames(graphs, options, reporter)
    elif saved is not None and not is_one_file(saved):
        yield _measure_frames(graphs, options, measuring, saved, reporter)
    else:
        with scratch_folder(options.destination) as folder:
            yield _measure_frames(graphs, options, measuring, folder, reporter)


def _measure_frames(
    graphs: EvaluationGraphs,
    options: RecalibrationOptions,
    measuring: MeasuringOptions,
    path: Path,
    reporter: Reporter,
) -> _MeasuredFrames:
    chosen, manifest, saved = options.calibration, graphs.manifest, options.save_features
    files = FrameFiles(options.frames, manifest.input.channels, options.reading.rules)
    causes = bundle_causes(options, graphs)
    split, still = see_frames(files, split_frames(files.paths, chosen), reporter, causes)
    warnings = still + check_overlap(files, chosen.train_frames, chosen.group_by, reporter)
    folder = begin_folder(path, graphs, files)
    measure_into_folder(folder, graphs, files, measuring, reporter)
    if saved is not None and is_one_file(saved):
        save_features(saved, folder.in_memory(), manifest.network_sha256)
    table = open_features([path], manifest.network_sha256)
    return _MeasuredFrames(table=table, split=split, warnings=tuple(warnings))


def _load_frames(graphs: EvaluationGraphs, options: RecalibrationOptions, reporter: Reporter) -> _MeasuredFrames:
    chosen = options.calibration
    table = open_features(options.features, graphs.manifest.network_sha256)
    check_rows_differ(table)
    split = split_frames([Path(name) for name in table.names], chosen)
    warnings = check_overlap(None, chosen.train_frames, chosen.group_by, reporter)
    return _MeasuredFrames(table=table, split=split, warnings=tuple(warnings))


def _choose(
    graphs: EvaluationGraphs,
    options: RecalibrationOptions,
    default: DetectorChoice,
    measured: _MeasuredFrames,
    reporter: Reporter,
) -> DetectorChoice:
    """The detector that ranks first, by degraded frames of drives left out."""
    files, split, seed = (
        FrameFiles(options.frames, graphs.manifest.input.channels, options.reading.rules),
        measured.split,
        options.calibration.seed,
    )
    indices = evenly_spaced(split.fitted, FITTED_FRAMES)

    def measure(frame: NDArray[np.uint8]) -> MeasuredFrame:
        features = graphs(frame)
        return {key: features.values[key] for key in default.keys}, features.segmentation

    shifts = degraded_frames(files, indices, measure, seed, reporter)
    ind = {key: measured.table.values[key][indices] for key in default.keys}
    return choose_automatically(default, ind, split.names(indices), shifts, seed, reporter)


def _features(graphs: EvaluationGraphs, files: FrameFiles, reporter: Reporter, what: str) -> Features:
    named = zip(map(str, files.paths), reporter.progress(files, what, len(files)), strict=True)
    return Features.collect(measure(graphs, named))


def _monitor(old: Bundle, calibration: CalibrationResult) -> CalibratedMonitor:
    """Build the graphs of the new bundle around the old network."""
    evaluation = load_graph(old.files[EVALUATION], old.weights)
    del evaluation.metadata_props[:]  # the old manifest
    record = old.manifest.entropy
    return CalibratedMonitor.around(evaluation, calibration, record.neighbors, record.min_dist)


def _check_agreement(monitor: CalibratedMonitor, features: StoredFeatures) -> None:
    """Compare the new graph of the score with the detector in float64, on features of frames and halfway between them.

    The entropies are fed as they were measured: the graph of the scores is compared, not that of the entropies.

    Raises:
        ParityError: a score, or the share of a part in it, is further from the detector's than the tolerance.
    """
    detector = monitor.calibration.detector
    session = cpu_session(scores_graph(detector, {key: features[key].shape[1] for key in detector.keys}))
    compared = evenly_spaced(np.arange(next(iter(features.values())).shape[0]), _COMPARED)
    rows = {key: _with_midpoints(features[key][compared]) for key in detector.keys}
    count = len(rows[detector.keys[0]])
    names = [value.name for value in session.get_outputs()]
    got = []
    for i in range(count):  # one frame at a time: a density holds its points against every frame of a batch
        frame = {str(key): rows[key][i : i + 1] for key in detector.keys}
        given = dict(zip(names, session.run(names, frame), strict=True))
        got.append(np.column_stack([given["score"], given["parts"] if "parts" in given else given["score"]]))
    expected = np.column_stack([detector.score(rows), detector.part_scores(rows)])
    worst, allowed = float(np.abs(np.concatenate(got) - expected).max()), monitor.calibration.tolerance
    if not worst <= allowed:
        raise ParityError(
            f"expected the detector's graph within {allowed:.3g} of the estimator, got a difference of {worst:.3g}: "
            "report these frames and this detector as a defect"
        )


def _with_midpoints(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of frames and the points halfway between neighbours: a density is flat around the points that it was fitted on."""
    rows = np.asarray(values, np.float32)
    return np.concatenate([rows, (rows[1:] + rows[:-1]) / 2])


def _write(options: RecalibrationOptions, old: Bundle, monitor: CalibratedMonitor) -> RecalibrationResult:
    manifest, calibration = old.manifest, monitor.calibration
    graphs = monitor.graphs(fuse=FUSED_FILE in manifest.files)
    golden = score_golden_frames(
        two_graphs(cpu_session(graphs[SEGMENTATION_FILE]), cpu_session(graphs[DETECTOR_FILE])),
        old.golden.frames,
        old.golden.noise,
        mode=manifest.masks.mode,
        scores=calibration.scores,
        pixel_changes={kind: pixel_tolerance(manifest.parity, manifest.precision, kind) for kind in TOLERANCE_SHARES},
        answers=None if monitor.answers is None else monitor.answers.record,
    )
    given = {
        "frames": [str(path) for path in options.frames],
        "features": [str(path) for path in options.features],
        "calibration": options.calibration.asdict(),
        "answers": options.answers.asdict(),
    }
    renewed = replace(
        manifest,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        features=monitor.features,
        detector=calibration.detector_record,
        operating_point=calibration.operating_point,
        operating_points=dict(calibration.points),
        calibration=calibration.calibration_record,
        pixels=options.reading.record(manifest.pixels),
        golden=GoldenRecord(golden.tolerance, golden.pixel_changes, golden.answer_tolerance),
        answers=None if monitor.answers is None else monitor.answers.record,
        versions=manifest.versions | versions(),
        config=manifest.config | {"recalibration": given},
    )
    with atomic_folder(options.destination, replace=options.overwrite) as folder:
        save_golden_frames(folder, golden)
        written = write_bundle(folder, renewed, graphs)
    return RecalibrationResult(written, tuple(sorted(manifest.files.keys() - written.files.keys())))
