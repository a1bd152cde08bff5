# SPDX-License-Identifier: Apache-2.0
"""Search layers, features, numbers of samples and detectors: test every combination in one pass over the frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from export.anomalies.frame_set import FrameSource
from export.detectors.fitted import FittedDetector, OnePart, fit_part
from export.detectors.fused import fit_fused
from export.detectors.registry import FUSED
from export.errors import ExportError, refuse_exit
from export.evaluation.detector_ranking import CrossFit, Figures, joined_rows
from export.option_table import command_words
from export.reporter import SILENT, Reporter
from export.sampling.full_precision import without_autocast
from export.search.candidates import SearchCandidate, candidates, exported_key
from export.search.features import SearchFeatures, collect
from export.search.flag_names import SearchReporter, told_as_of_search
from export.search.guide import guide_figures
from export.search.inputs import SearchInputs, search_inputs
from export.search.options import SearchOptions
from export.search.plan import plan_search
from export.search.ranked import LeftOutCandidate, RankedCandidate, rank
from export.search.timing import added_ms

PAIRS = 15
"""How many frames are timed, each with and without the monitor."""


@dataclass(frozen=True)
class SearchResult:
    """Result of a search.

    Attributes:
        ranked: all candidates that can be fitted, best first.
        best: the first that an export can make a bundle of; one that learns from degraded frames needs ``--ood-frames``.
        guide: of the guide's own configuration, on shifts that it was not fitted on; None where it was left out.
        best_beside_guide: of the best one on the same shifts.
        options: of the search, with the tap and the masks that were chosen where it names none.
        left_out: candidates that cannot be fitted on these frames, each with the reason.
    """

    ranked: tuple[RankedCandidate, ...]
    best: RankedCandidate | None
    guide: Figures | None
    best_beside_guide: Figures | None
    options: SearchOptions
    left_out: tuple[LeftOutCandidate, ...] = ()


def search(options: SearchOptions, reporter: Reporter = SILENT, network: nn.Module | None = None) -> SearchResult:
    """Test every combination of feature, number of samples and detector, and time the best.

    Args:
        options: what to search among, and on which frames.
        reporter: told each stage as it begins, and how far the loops over frames have come.
        network: any module with its weights, in place of a checkpoint: then ``options.ckpt`` is None. A copy is searched, and
            the module is left as it is.

    Raises:
        UsageError: options, frames or a layer's constants that cannot be used.
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        TapError: a layer that cannot be sampled or observed.
        ConversionError: a network that has no ONNX form.
        CalibrationError: too few frames, or frames that no detector can be fitted on.
    """
    with told_as_of_search(), refuse_exit(ExportError, "the code of the network"), without_autocast():
        return _search(options, SearchReporter(reporter), network)


def _search(options: SearchOptions, reporter: Reporter, network: nn.Module | None) -> SearchResult:
    plan = plan_search(options, reporter, network)
    reporter.found(*plan.findings)
    if plan.problems and plan.next_words is not None:
        reporter.completed(plan.next_words)
    inputs = search_inputs(options, plan, reporter)
    if options.guide and inputs.guide_tap is None:
        reporter.stage(
            "without the guide's configuration: it takes one DropBlock layer, and its degradations and others as shifts"
        )

    reporter.stage("converting to ONNX")
    layers = list(dict.fromkeys(layer for observed in inputs.observed.values() for layer in observed))
    graphs = inputs.network.search_graphs(inputs.taps, layers, inputs.samples, inputs.guide_tap)
    whole = FrameSource("in distribution", inputs.files, tuple(range(len(inputs.files))))
    features = collect(graphs, whole, inputs.shifts, reporter)

    reporter.stage("fitting and testing")
    cross_fit = CrossFit(features.ind, inputs.drives, features.shifts, seed=options.seed)
    listed = [
        one
        for one in candidates(inputs.observed, inputs.samples, options.detectors, options.components)
        if one.pca is None or one.pca <= features.ind[one.keys[0]].shape[1]
    ]
    ranked, left_out = rank(cross_fit, listed, reporter)
    ranked = _timed(ranked, inputs, features, reporter)
    best = next((one for one in ranked if _exportable(one.candidate, options)), None)
    guide = None if graphs.guide is None else guide_figures(cross_fit, features, graphs.guide.key)
    # Of the best, too, only shifts that the guide's classifier was not fitted on.
    beside = best.figures.over(cell.kind for cell in guide.cells) if best and guide else None
    return SearchResult(tuple(ranked), best, guide, beside, inputs.options, tuple(left_out))


def _timed(
    ranked: Sequence[RankedCandidate], inputs: SearchInputs, features: SearchFeatures, reporter: Reporter
) -> list[RankedCandidate]:
    """The candidates in their order, the first that can be exported with what their monitor adds in milliseconds."""
    options, files = inputs.options, inputs.files
    able = [one.candidate for one in ranked if _exportable(one.candidate, options)]
    times = {}
    for candidate in able[: options.timed]:
        frames = [files[i % len(files)] for i in range(PAIRS + 2)]
        detector = _fitted(candidate, inputs, features)
        timed = reporter.progress(frames, "timing", len(frames))
        times[candidate] = added_ms(
            inputs.network, candidate.tap, candidate.samples, options.neighbors, detector, timed
        )
    return [replace(one, added_ms=times.get(one.candidate)) for one in ranked]


def _fitted(candidate: SearchCandidate, inputs: SearchInputs, features: SearchFeatures) -> FittedDetector:
    """The detector that an export makes, fitted on all frames."""
    seed = inputs.options.seed
    rows = {exported_key(key): features.ind[key] for key in candidate.keys}
    if candidate.detector == FUSED:
        return fit_fused(candidate.exported_parts, rows, inputs.drives, seed=seed)
    ood = None
    if candidate.needs_ood_frames:
        joined = joined_rows([(cell, np.arange(len(cell))) for cell in features.shifts], candidate.keys)
        ood = {exported_key(key): values for key, values in joined.items()}
    (part,) = candidate.exported_parts
    return OnePart(fit_part(part, rows, inputs.drives, ood, seed=seed))


def _exportable(candidate: SearchCandidate, options: SearchOptions) -> bool:
    """Whether an export makes a bundle of it: out-of-distribution frames are given where the detector needs them."""
    return bool(options.ood_frames) or not candidate.needs_ood_frames


def export_command(candidate: SearchCandidate, options: SearchOptions) -> list[str]:
    """Give the words of the export command that makes a bundle of a candidate."""
    return command_words(
        options.export_options(
            [candidate.tap], candidate.samples, candidate.detector, reads=candidate.reads, pca=candidate.pca
        )
    )
