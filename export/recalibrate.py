# SPDX-License-Identifier: Apache-2.0
"""A new detector and new thresholds for the network of a bundle, with ONNX Runtime alone: no torch, no checkpoint."""

import datetime as dt
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from export.atomic_write import atomic_folder
from export.bundle.golden import save_golden_frames, score_golden_frames
from export.bundle.versions import versions
from export.bundle.writer import check_destination, write_bundle
from export.calibration.calibrate import CalibrationResult, calibrate, split_frames
from export.calibration.feature_files import load_features, save_features
from export.calibration.features import EvaluationGraphs, Features, measure
from export.calibration.options import CalibrationOptions
from export.errors import ParityError, UsageError
from export.frames.files import FrameFiles
from export.frames.overlap import check_overlap
from export.graphs.detector import detector_graph, entropy_graph, score_graph
from export.graphs.evaluation_outputs import EVALUATION
from export.graphs.fused import FUSED_FILE, fused_graph
from export.graphs.monitor_forms import cpu_session, two_graphs
from export.graphs.shared_weights import load_graph
from export.reporter import SILENT, Reporter
from lsood_runtime import Manifest
from lsood_runtime.offline import DETECTOR_FILE, SEGMENTATION_FILE, Bundle, GoldenRecord

_BLOCK = 256


@dataclass(frozen=True)
class RecalibrationOptions:
    """What a user may ask of a recalibration.

    Attributes:
        bundle: the old bundle; left as it is.
        out: the new one.
        frames: in-distribution frames, folders and files, in the order of recording.
        features: files of features in place of frames.
        save_features: where to write what was measured of the frames.
        calibration: of detector and thresholds.
        overwrite: replace a bundle at ``out``.
        threads: of ONNX Runtime; None for one a core.
    """

    bundle: Path
    out: Path
    frames: tuple[Path, ...] = ()
    features: tuple[Path, ...] = ()
    save_features: Path | None = None
    calibration: CalibrationOptions = field(default_factory=CalibrationOptions)
    overwrite: bool = False
    threads: int | None = None


@dataclass(frozen=True)
class Recalibration:
    """What was written.

    Attributes:
        manifest: of the new bundle.
        dropped: files of the old bundle that could not be made anew.
    """

    manifest: Manifest
    dropped: tuple[str, ...]


def recalibrate(options: RecalibrationOptions, reporter: Reporter = SILENT) -> Recalibration:
    """Fit detector and thresholds on new frames and write a new bundle around the old network.

    Raises:
        UsageError: frames, files or folders that cannot be used.
        CalibrationError: frames that carry no detector or threshold.
        ParityError: the new graph disagrees with the estimator.
        BundleError: the old bundle is damaged.
    """
    if bool(options.frames) == bool(options.features):
        raise UsageError("expected either --frames or --features, got both or neither")
    if options.save_features and options.features:
        raise UsageError("expected --save-features together with --frames, the features are in files already")
    check_destination(options.out, options.overwrite)
    reporter.stage(f"verifying {options.bundle}")
    graphs = EvaluationGraphs(options.bundle, options.threads)
    manifest = graphs.manifest
    files = FrameFiles(options.frames, manifest.input.channels) if options.frames else None
    stored = None if files else load_features(options.features, manifest.network_sha256)
    paths = files.paths if files else [Path(name) for name in _given(stored).names]
    drives, held_out = split_frames(paths, options.calibration)
    ood = (
        FrameFiles(options.calibration.ood_frames, manifest.input.channels) if options.calibration.ood_frames else None
    )

    warnings = check_overlap(files, options.calibration.train_frames, options.calibration.group_by, reporter)
    features = _measured(graphs, files, reporter, "calibrating") if files else _given(stored)
    if options.save_features:
        save_features(options.save_features, features, manifest.network_sha256)
    strange = None if ood is None else _measured(graphs, ood, reporter, "out of distribution").entropy
    reporter.stage("fitting detector and thresholds")
    calibration = calibrate(features.entropy, drives, held_out, options.calibration, strange, warnings)
    _check_agreement(manifest, calibration, features)

    reporter.stage(f"writing {options.out}")
    return _write(options, graphs.contents, calibration)


def _given(features: Features | None) -> Features:
    assert features is not None  # either frames or features were given
    return features


def _measured(graphs: EvaluationGraphs, files: FrameFiles, reporter: Reporter, what: str) -> Features:
    named = zip(map(str, files.paths), reporter.progress(files, what, len(files)), strict=True)
    return Features.collect(measure(graphs, named))


def _check_agreement(manifest: Manifest, calibration: CalibrationResult, features: Features) -> None:
    """Compare the new graph of the score with the estimator, on the entropies that it was made from."""
    session = cpu_session(score_graph(calibration.detector, manifest.tap.channels))
    blocks = [
        features.entropy[i : i + _BLOCK] for i in range(0, len(features.entropy), _BLOCK)
    ]  # each against every point
    scores = np.concatenate([session.run(["score"], {"entropy": block})[0] for block in blocks])
    expected = -calibration.detector.score_samples(features.entropy.astype(np.float64))
    worst, allowed = float(np.abs(scores - expected).max()), calibration.tolerance
    if not worst <= allowed:
        raise ParityError(f"the detector's graph is off by {worst:.3g} from the estimator, allowed is {allowed:.3g}")


def _write(options: RecalibrationOptions, old: Bundle, calibration: CalibrationResult) -> Recalibration:
    manifest, stored = old.manifest, {SEGMENTATION_FILE: old.segmentation, EVALUATION: old.files[EVALUATION]}
    graphs = {name: load_graph(contents, old.weights) for name, contents in stored.items()}
    for graph in graphs.values():
        del graph.metadata_props[:]  # the old manifest
    channels, masks = manifest.tap.channels, manifest.masks
    entropy = entropy_graph(masks.count, channels, manifest.entropy.neighbors, manifest.entropy.min_dist)
    graphs[DETECTOR_FILE] = detector_graph(entropy, score_graph(calibration.detector, channels))
    if FUSED_FILE in manifest.files:
        graphs[FUSED_FILE] = fused_graph(graphs[SEGMENTATION_FILE], graphs[DETECTOR_FILE])
    golden = score_golden_frames(
        two_graphs(cpu_session(graphs[SEGMENTATION_FILE]), cpu_session(graphs[DETECTOR_FILE])),
        old.golden.frames,
        old.golden.noise,
        mode=masks.mode,
        spread=calibration.spread,
    )
    asked = {
        "frames": [str(path) for path in options.frames],
        "features": [str(path) for path in options.features],
        "calibration": options.calibration.asdict(),
    }
    renewed = replace(
        manifest,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        detector=calibration.detector_record,
        operating_point=calibration.operating_point,
        operating_points=dict(calibration.points),
        calibration=calibration.calibration_record,
        golden=GoldenRecord(golden.tolerance),
        versions=manifest.versions | versions(),
        config=manifest.config | {"recalibration": asked},
    )
    with atomic_folder(options.out) as folder:
        save_golden_frames(folder, golden)
        written = write_bundle(folder, renewed, graphs)
    return Recalibration(written, tuple(sorted(manifest.files.keys() - written.files.keys())))
