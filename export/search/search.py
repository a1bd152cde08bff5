# SPDX-License-Identifier: Apache-2.0
"""Search layers, numbers of samples and detectors: test every combination in one pass over the frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.pipeline import Pipeline

from export.anomalies.frame_set import FrameSource
from export.detectors.fit import fit_detector
from export.detectors.registry import DETECTORS
from export.features.key import FeatureKind
from export.option_table import command_words
from export.reporter import SILENT, Reporter
from export.search.features import SearchFeatures, collect
from export.search.inputs import SearchInputs, check_search, read_inputs
from export.search.options import SearchOptions
from export.search.ranking import GUIDE, Candidate, RankedCandidate, candidates, cross_validate
from export.search.timing import added_ms

PAIRS = 15
"""How many frames are timed, each with and without the monitor."""


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


def search(options: SearchOptions, reporter: Reporter = SILENT) -> SearchResult:
    """Test every combination of layer, number of samples and detector, and time the best.

    Raises:
        UsageError: options, frames or a layer's constants that cannot be used.
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        TapError: a layer that cannot be sampled.
        ConversionError: a network that has no ONNX form.
        CalibrationError: too few frames, or frames that a detector cannot be fitted on.
    """
    check_search(options)
    reporter.stage(f"reading {options.ckpt}")
    inputs = read_inputs(options)
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


def _timed(
    ranked: Sequence[RankedCandidate],
    inputs: SearchInputs,
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
    tap, samples = candidate.features.layer, candidate.features.samples
    assert tap is not None  # an export makes bundles of entropies alone
    assert samples is not None
    return tap, samples


def export_command(candidate: Candidate, options: SearchOptions) -> list[str]:
    """Give the words of the export command that makes a bundle of a candidate."""
    tap, samples = tap_and_samples(candidate)
    return command_words(options.export_options([tap], samples, candidate.detector, candidate.pca_components))
