# SPDX-License-Identifier: Apache-2.0
"""The answers of a recalibrated bundle: fitted to its new frames, or kept as the old bundle has them."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from export.anomalies.own_cutouts import read_cutouts
from export.answers.fit import answer_keys
from export.bundle.answer_parity import checked_answers
from export.calibration.answer_options import (
    CAUSE,
    MAP,
    QUALITY,
    TILES,
    changed_frames,
    check_road_classes,
    reads_degraded,
)
from export.calibration.bundle_answers import BundleAnswers
from export.calibration.cutout_fit import calibrate_map
from export.calibration.degraded_rows import Labels, check_labelled, measure_degraded
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.frame_split import FrameSplit, split_frames
from export.calibration.limit_findings import limit_findings
from export.calibration.measured_folder import MeasuringOptions
from export.calibration.measuring import Measure, MeasuredFrame, Spread, one_process
from export.calibration.measuring_processes import GraphsMeasure, SeveralProcesses
from export.calibration.own_causes import OwnCause, own_causes
from export.calibration.patched_rows import measure_patched
from export.calibration.recalibration_options import RecalibrationOptions
from export.errors import UsageError
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.frames.files import FrameFiles
from export.frames.labels import label_files
from export.graphs.shared_weights import load_graph
from export.reporter import Reporter
from lsood_runtime.offline import DETECTOR_FILE, AnswersRecord


def check_answer_options(options: RecalibrationOptions, graphs: EvaluationGraphs) -> None:
    """Refuse, before the long work begins, answers that cannot be fitted, and labels that no answer is fitted to.

    Raises:
        UsageError: answers without frames, without features, or of a quality without a segmentation; labels, causes or
            objects without them, or frames without a label; no labels, and no frames of a kind or cut-outs of a user's own,
            where the bundle has them; a cut-out that cannot be used.
        CalibrationError: too few frames of a kind of a user's own.
    """
    asked, wanted = options.answers.wanted, _wanted(options, graphs.manifest.answers)
    if asked and not options.frames:
        raise UsageError(
            "expected --frames with --answers, got --features: it degrades frames; give frames, or drop --answers to keep "
            "those of the bundle"
        )
    if asked and len(graphs.available) == 1:
        raise UsageError(
            f"expected a bundle that gives several features for --answers, {options.bundle} gives entropies alone: export it "
            "again"
        )
    if QUALITY in asked and graphs.manifest.segmentation.kind == "none":
        raise UsageError(
            f"expected a bundle with a segmentation for --answers {QUALITY}, got one without: name --answers {CAUSE} alone"
        )
    if TILES in asked and not graphs.tiles:
        raise UsageError(
            f"expected a bundle that was exported with --answers {TILES}, got {options.bundle}: its graphs give no features "
            "of tiles; export it again"
        )
    if MAP in asked and not graphs.maps:
        raise UsageError(
            f"expected a bundle that was exported with --answers {MAP}, got {options.bundle}: its graphs give no maps; "
            "export it again"
        )
    if options.answers.labels and (wanted.isdisjoint((QUALITY, MAP)) or not options.frames):
        raise UsageError(
            f"expected --labels with --frames and --answers {QUALITY} or {MAP}, got them without: add what is missing, "
            "or drop --labels"
        )
    if options.answers.causes and (CAUSE not in wanted or not options.frames):
        raise UsageError(
            f"expected --cause with --frames and --answers {CAUSE}, got it without: add what is missing, or drop --cause"
        )
    if options.answers.road_classes and (MAP not in wanted or not options.frames):
        raise UsageError(
            f"expected --road-class with --frames and --answers {MAP}, got it without: add what is missing, or drop "
            "--road-class"
        )
    check_road_classes(options.answers.road_classes, graphs.manifest.segmentation.num_classes)
    if options.answers.objects and (MAP not in wanted or not options.frames):
        raise UsageError(
            f"expected --objects with --frames and --answers {MAP}, got it without: add what is missing, or drop --objects"
        )
    read_cutouts(options.answers.objects)
    _check_measure(options, graphs.manifest.answers)
    _check_confidence(options, graphs.manifest.answers)
    _check_own_kinds(options, graphs.manifest.answers)
    _check_own_objects(options, graphs.manifest.answers)
    bundle_causes(options, graphs)
    if options.answers.labels:
        files = _files(options, graphs)
        check_labelled(files, split_frames(files.paths, options.calibration).fitted, _labels(options, graphs))


def _check_measure(options: RecalibrationOptions, old: AnswersRecord | None) -> None:
    """Refuse to fit a quality without labels that the bundle has with them, unless it is asked for by name.

    It would become another number under the same names, and a ``min_quality`` in use would mean something else.
    """
    was = None if old is None or old.quality is None else old.quality.measure
    if was != "miou" or not options.frames or options.answers.answers or options.answers.labels:
        return
    names = " ".join(name for name in (QUALITY, CAUSE, TILES, MAP) if name in _wanted(options, old))
    raise UsageError(
        f"expected --labels for the new frames, got none: the expected quality of {options.bundle} is the mIoU with labels, "
        "and without them it would be the agreement with the clean frame's class map, for which a --min-quality means "
        f"something else; add --labels DIR, or accept the agreement with --answers {names}"
    )


def _check_confidence(options: RecalibrationOptions, old: AnswersRecord | None) -> None:
    """Refuse to fit a map anew without the labels that the bundle's confidence is calibrated by, unless it is named.

    The confidence of the classes would be gone, and whoever reads it would find nothing.
    """
    had = old is not None and old.confidence is not None
    if not had or not options.frames or options.answers.answers or options.answers.labels:
        return
    names = " ".join(name for name in (QUALITY, CAUSE, TILES, MAP) if name in _wanted(options, old))
    raise UsageError(
        f"expected --labels for the new frames, got none: the confidence of classes that {options.bundle} tells is "
        f"calibrated by them; add --labels DIR, or accept its loss with --answers {names}"
    )


def _check_own_kinds(options: RecalibrationOptions, old: AnswersRecord | None) -> None:
    """Refuse to fit causes without a kind of a user's own that the bundle has, unless they are asked for by name.

    Its frames would be called by another kind, and nobody would be told.
    """
    own = () if old is None or old.cause is None else tuple(old.cause.own)
    lost = [name for name in own if name not in options.answers.causes]
    if not lost or not options.frames or options.answers.answers:
        return
    names, flags = (
        " ".join(sorted(_wanted(options, old), reverse=True)),
        " ".join(f"--cause {name}=DIR" for name in lost),
    )
    raise UsageError(
        f"expected frames of {', '.join(lost)}, which {options.bundle} tells as causes, got none: add {flags}, or accept "
        f"their loss with --answers {names}"
    )


def _check_own_objects(options: RecalibrationOptions, old: AnswersRecord | None) -> None:
    """Refuse to fit a map without cut-outs of a user's own where the old one has some, unless it is asked for by name."""
    own = 0 if old is None or old.map is None else old.map.own_objects
    if not own or not options.frames or options.answers.answers or options.answers.objects:
        return
    names = " ".join(sorted(_wanted(options, old), reverse=True))
    raise UsageError(
        f"expected --objects, as the map of {options.bundle} has learnt from {own} cut-outs of the user's own, got none: add "
        f"--objects DIR, or accept a map without them with --answers {names}"
    )


def bundle_causes(options: RecalibrationOptions, graphs: EvaluationGraphs) -> tuple[OwnCause, ...]:
    """Find the frames of the kinds of a user's own.

    Args:
        options: of the recalibration.
        graphs: of the old bundle.

    Raises:
        UsageError: frames that cannot be those of a kind beside the calibration frames.
        CalibrationError: too few of them.
    """
    causes = options.answers.causes
    return own_causes(causes, _files(options, graphs)) if causes else ()


def renewed_answers(
    options: RecalibrationOptions, graphs: EvaluationGraphs, split: FrameSplit, reporter: Reporter
) -> BundleAnswers | None:
    """Fit the answers that are asked for, or else those of the old bundle, anew; without frames keep them as they are.

    Args:
        options: of the recalibration.
        graphs: of the old bundle.
        split: of the new frames.
        reporter: told how far the passes have come.

    Raises:
        UsageError: labels that cannot be used.
        CalibrationError: frames that no answer can be fitted on.
        ParityError: the graph of the answers disagrees with them.
    """
    old, wanted = graphs.manifest.answers, _wanted(options, graphs.manifest.answers)
    if not wanted:
        return None
    if not options.frames and old is not None:
        reporter.stage("keeping the answers beside the score as they are: features are given, and no frames to degrade")
        return BundleAnswers.kept(load_graph(graphs.contents.files[DETECTOR_FILE], graphs.contents.weights), old)
    files, seed = _files(options, graphs), options.calibration.seed
    keys = answer_keys([key for key in graphs.available if key.output != LATENT_SAMPLES], graphs.tap_layers)

    measuring = MeasuringOptions.of_recalibration(options, graphs)

    def by(how: GraphsMeasure) -> tuple[Measure, Spread]:
        spread: Spread = SeveralProcesses(measuring, graphs, how) if measuring.workers > 1 else one_process
        return partial(how, graphs), spread

    reporter.stage(f"fitting {' and '.join(sorted(wanted))} to {changed_frames(wanted)}")
    for finding in limit_findings(split.fitted, split.names, wanted, seed):
        reporter.found(finding)
    rows = patched = of_unknown = None
    if reads_degraded(wanted):
        labels, causes = _labels(options, graphs), bundle_causes(options, graphs)
        measure, spread = by(partial(_of_frames, keys))
        rows = measure_degraded(files, split.fitted, split.names, measure, labels, seed, reporter, causes, spread)
    if TILES in wanted:
        measure, spread = by(_of_tiles)
        contract = graphs.manifest.input
        patched = measure_patched(files, split.fitted, split.names, measure, contract, seed, reporter, spread)
    if MAP in wanted:
        measure, spread = by(EvaluationGraphs.of_maps)
        of_unknown = calibrate_map(
            files,
            split.fitted,
            split.names,
            measure,
            graphs.manifest.input,
            seed,
            reporter,
            _road_classes(options, old),
            read_cutouts(options.answers.objects),
            _labels(options, graphs),
            spread,
        )
    return checked_answers(rows, wanted, seed, graphs.tap_layers, patched, of_unknown, reporter)


def _of_frames(keys: Sequence[FeatureKey], graphs: EvaluationGraphs, frame: NDArray[np.uint8]) -> MeasuredFrame:
    features = graphs(frame)
    return {key: features.values[key] for key in keys}, features.segmentation


def _of_tiles(graphs: EvaluationGraphs, frame: NDArray[np.uint8]) -> MeasuredFrame:
    return graphs.of_tiles(frame), None


def _wanted(options: RecalibrationOptions, old: AnswersRecord | None) -> frozenset[str]:
    """The answers that are asked for; where the option is not given, those of the old bundle, by the option's names."""
    if options.answers.answers:
        return options.answers.wanted
    if old is None:
        return frozenset()
    told = {QUALITY: old.quality, CAUSE: old.cause, TILES: old.tiles, MAP: old.map}
    return frozenset(name for name, record in told.items() if record is not None)


def _road_classes(options: RecalibrationOptions, old: AnswersRecord | None) -> tuple[int, ...]:
    """The classes that can be driven on; where none are given, those of the old bundle."""
    known = () if old is None or old.map is None else old.map.road_classes
    return options.answers.road_classes or known


def _files(options: RecalibrationOptions, graphs: EvaluationGraphs) -> FrameFiles:
    return FrameFiles(options.frames, graphs.manifest.input.channels, options.reading.rules)


def _labels(options: RecalibrationOptions, graphs: EvaluationGraphs) -> Labels:
    given = options.answers
    return Labels(label_files(given.labels), given.ignored_labels, graphs.manifest.segmentation.num_classes)
