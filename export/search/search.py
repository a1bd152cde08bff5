# SPDX-License-Identifier: Apache-2.0
"""Search layers, numbers of samples and detectors: test every combination in one pass over the frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from export.anomalies import ANOMALIES, SEVERITIES
from export.anomalies.frame_set import FrameSource
from export.calibration.feature_key import FeatureKind
from export.checkpoint.load import load_checkpoint
from export.data.anomalous import GUIDE_ANOMALIES
from export.detectors.fit import fit_detector
from export.detectors.registry import DETECTORS, detector_spec
from export.errors import CalibrationError, UsageError
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.option_table import command_words
from export.pipeline.constants import resolve_preprocessing
from export.pipeline.resolve import check_options
from export.reporter import SILENT, Reporter
from export.sampling.taps import resolve_taps
from export.search.features import SearchFeatures, collect
from export.search.folds import Fold, two_folds
from export.search.graphs import SearchNetwork, guides_tap
from export.search.options import SearchOptions
from export.search.ranking import GUIDE, Candidate, RankedCandidate, candidates, cross_validate
from export.search.timing import added_ms

PAIRS = 15
"""How many frames are timed, each with and without the monitor."""

_FEWEST_FRAMES = 20
"""Frames in each half: the bandwidth is chosen over ten, and an AUROC of fewer says little."""


@dataclass(frozen=True)
class SearchResult:
    """Result of a search.

    Attributes:
        ranked: all candidates, best first.
        best: the first that an export can make a bundle of.
        guide: the guide's own configuration, on shifts that it was not fitted on; None where it was left out.
        best_beside_guide: the best one on the same shifts.
    """

    ranked: tuple[RankedCandidate, ...]
    best: RankedCandidate | None
    guide: RankedCandidate | None
    best_beside_guide: RankedCandidate | None


@dataclass(frozen=True, eq=False)
class _SearchInputs:
    """Inputs of a search.

    Attributes:
        options: of the search.
        network: makes the graphs.
        taps: names of the layers.
        samples: numbers of samples, ascending.
        files: in-distribution frames.
        folds: indices of the two halves of these.
        shifts: out-of-distribution frames, real or degraded.
        guide_tap: tap of the guide's configuration; None where it is left out.
    """

    options: SearchOptions
    network: SearchNetwork
    taps: tuple[str, ...]
    samples: tuple[int, ...]
    files: FrameFiles
    folds: tuple[Fold, Fold]
    shifts: tuple[FrameSource, ...]
    guide_tap: str | None


def search(options: SearchOptions, reporter: Reporter = SILENT) -> SearchResult:
    """Test every combination of layer, number of samples and detector, and time the best.

    Raises:
        UsageError: options, frames or a layer's constants that cannot be used.
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        TapError: a layer that cannot be sampled.
        ConversionError: a network that has no ONNX form.
        CalibrationError: too few frames, or frames that a detector cannot be fitted on.
    """
    _check(options)
    reporter.stage(f"reading {options.ckpt}")
    inputs = _read_inputs(options)
    if options.guide and inputs.guide_tap is None:
        reporter.stage(
            "without the guide's configuration: it takes one DropBlock layer, and its degradations and others as shifts"
        )

    reporter.stage("converting to ONNX")
    graphs = inputs.network.search_graphs(inputs.taps, inputs.samples, inputs.guide_tap)
    whole = FrameSource("in distribution", inputs.files, tuple(range(len(inputs.files))))
    ind = collect(graphs, whole, reporter)
    shifts = [collect(graphs, shift, reporter) for shift in inputs.shifts]

    reporter.stage("fitting and testing")
    features = [key for key in ind.rows if graphs.guide is None or key != graphs.guide.key]
    listed = candidates(features, options.detectors, options.components)
    ranked = [cross_validate(candidate, ind, shifts, inputs.folds, options.seed) for candidate in listed]
    ranked.sort(key=lambda one: -one.mean_auroc)
    ranked = _timed(ranked, inputs, ind, shifts, reporter)
    best = next((one for one in ranked if _exportable(one.candidate, options)), None)
    guide = None
    if graphs.guide is not None:
        guide = cross_validate(Candidate(graphs.guide.key, GUIDE), ind, shifts, inputs.folds, options.seed)
    # Of the best, too, only shifts that the guide's classifier was not fitted on.
    beside = best.over(list(guide.auroc)) if best and guide else None
    return SearchResult(tuple(ranked), best, guide, beside)


def _check(options: SearchOptions) -> None:
    """Refuse options that are wrong for every checkpoint."""
    for name, values in (
        ("--samples", options.samples),
        ("--detectors", options.detectors),
        ("--pca", options.components),
    ):
        if not values:
            raise UsageError(f"expected one value or more for {name}, got none: leave the flag out for its default")
    for detector in options.detectors:
        detector_spec(detector)
    for count in options.samples:
        check_options(options.export_options(options.taps, count))
    unknown = sorted(set(options.kinds) - set(ANOMALIES))
    if unknown or not (options.kinds or options.ood_frames):
        raise UsageError(
            f"expected degradations among {', '.join(ANOMALIES)}, got {', '.join(unknown) or 'none'}: "
            "choose some by --shifts, or give --ood-frames"
        )
    if options.severity not in SEVERITIES:
        raise UsageError(f"expected --severity from 1 to 5, got {options.severity}: 3 is in the middle")
    if options.every < 1:
        raise UsageError(f"expected --every of at least 1, got {options.every}: 1 degrades every frame")
    if options.timed < 0 or min(options.components) < 0:
        raise UsageError(
            f"expected no negative --timed or --pca, got {options.timed} and {min(options.components)}: 0 is for none"
        )


def _read_inputs(options: SearchOptions) -> _SearchInputs:
    """Read the checkpoint and the list of frames."""
    samples = tuple(sorted(set(options.samples)))
    plain = options.export_options(options.taps, samples[-1])
    checkpoint = load_checkpoint(options.ckpt, options.model, options.model_args, trust=options.trust_checkpoint)
    files = FrameFiles(options.frames, options.channels)
    folds = two_folds(drive_names(files.paths, options.group_by))
    if min(map(len, folds)) < _FEWEST_FRAMES:
        raise CalibrationError(
            f"expected at least {_FEWEST_FRAMES} frames in each half, got {min(map(len, folds))}: search with more frames"
        )
    preprocessing = resolve_preprocessing(plain, checkpoint, files)
    example = preprocessing(torch.from_numpy(np.array(files[0]))[None])
    taps = resolve_taps(checkpoint.network, options.taps)
    network = SearchNetwork(plain, checkpoint, preprocessing, example, files.shape)
    shifts = _shifts(options, files)
    with_guide = options.guide and {*GUIDE_ANOMALIES} < {shift.kind for shift in shifts}
    return _SearchInputs(
        options=options,
        network=network,
        taps=taps,
        samples=samples,
        files=files,
        folds=folds,
        shifts=shifts,
        guide_tap=guides_tap(checkpoint.network) if with_guide else None,
    )


def _shifts(options: SearchOptions, files: FrameFiles) -> tuple[FrameSource, ...]:
    if options.ood_frames:
        ood = FrameFiles(options.ood_frames, files.channels)
        return (FrameSource("out of distribution", ood, tuple(range(len(ood)))),)
    indices = tuple(range(0, len(files), options.every))
    return tuple(FrameSource(kind, files, indices, kind, options.severity, options.seed) for kind in options.kinds)


def _timed(
    ranked: Sequence[RankedCandidate],
    inputs: _SearchInputs,
    ind: SearchFeatures,
    shifts: Sequence[SearchFeatures],
    reporter: Reporter,
) -> list[RankedCandidate]:
    """The candidates in their order, the first that can be exported with what their monitor adds in milliseconds."""
    options, files = inputs.options, inputs.files
    able = [one.candidate for one in ranked if _exportable(one.candidate, options)]
    times = {}
    for candidate in able[: options.timed]:
        frames = [files[i % len(files)] for i in range(PAIRS + 2)]
        tap, samples = tap_and_samples(candidate)
        detector = _fitted(candidate, ind, shifts, options.seed)
        timed = reporter.progress(frames, "timing", len(frames))
        times[candidate] = added_ms(inputs.network, tap, samples, options.neighbors, detector, timed)
    return [replace(one, added_ms=times.get(one.candidate)) for one in ranked]


def _fitted(candidate: Candidate, ind: SearchFeatures, shifts: Sequence[SearchFeatures], seed: int) -> Pipeline:
    """The candidate's detector, fitted on all frames."""
    rows = ind.rows[candidate.features].astype(np.float64)
    ood = None
    if DETECTORS[candidate.detector].needs_ood_frames:
        ood = np.concatenate([shift.rows[candidate.features] for shift in shifts]).astype(np.float64)
    return fit_detector(candidate.detector, rows, ood, pca_components=candidate.pca_components, seed=seed)


def _exportable(candidate: Candidate, options: SearchOptions) -> bool:
    """Whether an export makes a bundle of it: entropies, and out-of-distribution frames where the detector needs them."""
    if candidate.features.kind is not FeatureKind.ENTROPY:
        return False
    return bool(options.ood_frames) or not DETECTORS[candidate.detector].needs_ood_frames


def tap_and_samples(candidate: Candidate) -> tuple[str, int]:
    """The tap and S of a candidate that can be exported."""
    tap, samples = candidate.features.tap, candidate.features.samples
    assert tap is not None  # an export makes bundles of entropies alone
    assert samples is not None
    return tap, samples


def export_command(candidate: Candidate, options: SearchOptions) -> list[str]:
    """Give the words of the export command that makes a bundle of a candidate."""
    tap, samples = tap_and_samples(candidate)
    return command_words(options.export_options([tap], samples, candidate.detector, candidate.pca_components))
