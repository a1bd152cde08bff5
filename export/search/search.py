# SPDX-License-Identifier: Apache-2.0
"""Which layer, how many samples, which detector? Every combination, judged in one pass over the frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from torch import nn

from export.anomalies import ANOMALIES, SEVERITIES
from export.anomalies.frame_set import FrameSource
from export.calibration.feature_key import FeatureKey, FeatureKind
from export.checkpoint.load import load_checkpoint
from export.data.anomalous import GUIDE_ANOMALIES
from export.detectors.fit import fit_detector
from export.detectors.registry import DETECTORS
from export.errors import CalibrationError, UsageError
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.layers.dropblock import is_drop_block
from export.option_table import command_words
from export.pipeline.constants import resolve_preprocessing
from export.pipeline.resolve import check_options
from export.reporter import SILENT, Reporter
from export.sampling.taps import resolve_taps
from export.search.features import GUIDE_SAMPLES, GuideGraph, SearchFeatures, SearchGraphs, collect, two_folds
from export.search.options import SearchOptions
from export.search.ranking import GUIDE, Candidate, Ranked, candidates, judge
from export.search.timing import Workshop

PAIRS = 15
_FEWEST = 20
"""Frames in each half: the bandwidth is chosen over ten, and an AUROC of fewer says little."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        ranked: all candidates, best first.
        best: the first that an export can make a bundle of.
        guide: the guide's own configuration, on shifts that it was not fitted on; None where it was not looked at.
        best_beside_guide: the best one on the same shifts.
    """

    ranked: tuple[Ranked, ...]
    best: Ranked | None
    guide: Ranked | None
    best_beside_guide: Ranked | None


def search(options: SearchOptions, reporter: Reporter = SILENT) -> SearchResult:
    """Judge every combination.

    Raises:
        ExportError: one of its classes for each cause.
    """
    _check(options)
    reporter.stage(f"reading {options.ckpt}")
    samples = tuple(sorted(set(options.samples)))
    plain = options.export_options(options.taps, samples[-1])
    checkpoint = load_checkpoint(options.ckpt, options.model, options.model_args, trust=options.trust_checkpoint)
    files = FrameFiles(options.frames, options.channels)
    folds = two_folds(drive_names(files.paths, options.group_by))
    if min(map(len, folds)) < _FEWEST:
        raise CalibrationError(
            f"expected at least {_FEWEST} frames in each half, got {min(map(len, folds))}: search with more frames"
        )
    preprocessing = resolve_preprocessing(plain, checkpoint, files)
    example = preprocessing(torch.from_numpy(np.array(files[0]))[None])
    taps = resolve_taps(checkpoint.network, options.taps)
    shifts = _shifts(options, files)
    own_tap = (
        guides_tap(checkpoint.network) if options.guide and {*GUIDE_ANOMALIES} < {s.kind for s in shifts} else None
    )
    if options.guide and own_tap is None:
        reporter.stage(
            "without the guide's configuration: it takes one DropBlock layer, and its anomalies and others as shifts"
        )

    reporter.stage("converting to ONNX")
    workshop = Workshop(plain, checkpoint, preprocessing, example, files.shape)
    whole = workshop.sampler(taps, samples[-1])
    guide = None
    if own_tap is not None:
        session = workshop.session(workshop.sampler([own_tap], GUIDE_SAMPLES, fresh=True))
        guide = GuideGraph(session, FeatureKey.entropy(own_tap, GUIDE_SAMPLES, "fresh"))
    graphs = SearchGraphs(
        workshop.session(whole),
        guide,
        workshop.slices(taps),
        samples,
        options.neighbors,
    )
    ind = collect(graphs, FrameSource("in distribution", files, tuple(range(len(files)))), reporter)
    found = [collect(graphs, shift, reporter) for shift in shifts]

    reporter.stage("fitting and judging")
    own = [key for key in ind.rows if guide is None or key != guide.key]
    listed = list(candidates(own, options.detectors, options.components))
    ranked = [judge(candidate, ind, found, folds, options.seed) for candidate in listed]
    ranked.sort(key=lambda one: -one.mean_auroc)
    by_guide = None if guide is None else judge(Candidate(guide.key, GUIDE), ind, found, folds, options.seed)
    able = [one for one in ranked if _exportable(one.candidate, options)]
    pairs = [ind.frames[i % len(files)] for i in range(PAIRS + 2)]
    times = {
        one.candidate: workshop.added_ms(
            *tap_and_samples(one.candidate),
            _fitted(one.candidate, ind, found, options.seed),
            reporter.progress(pairs, "timing", len(pairs)),
        )
        for one in able[: options.timed]
    }
    ranked = [replace(one, added_ms=times.get(one.candidate)) for one in ranked]
    best = next((one for one in ranked if _exportable(one.candidate, options)), None)
    # Of the best, too, only shifts that the guide's classifier did not learn.
    beside = best.over(list(by_guide.auroc)) if best and by_guide else None
    return SearchResult(tuple(ranked), best, by_guide, beside)


def guides_tap(network: nn.Module) -> str | None:
    """The network's one DropBlock layer; None where it has none or several."""
    found = [name for name, module in network.named_modules() if is_drop_block(module)]
    return found[0] if len(found) == 1 else None


def tap_and_samples(candidate: Candidate) -> tuple[str, int]:
    """The tap and S of a candidate's entropies."""
    tap, samples = candidate.features.tap, candidate.features.samples
    assert tap is not None  # export_command is for candidates that an export can make
    assert samples is not None
    return tap, samples


def _exportable(candidate: Candidate, options: SearchOptions) -> bool:
    """Whether an export makes a bundle of it: entropies, and out-of-distribution frames where the detector needs them."""
    if candidate.features.kind is not FeatureKind.ENTROPY:
        return False
    return bool(options.ood_frames) or not DETECTORS[candidate.detector].needs_ood_frames


def _fitted(candidate: Candidate, ind: SearchFeatures, shifts: Sequence[SearchFeatures], seed: int) -> Pipeline:
    rows = ind.rows[candidate.features].astype(np.float64)
    strange = np.concatenate([shift.rows[candidate.features] for shift in shifts]).astype(np.float64)
    ood = strange if DETECTORS[candidate.detector].needs_ood_frames else None
    return fit_detector(candidate.detector, rows, ood, pca_components=candidate.pca_components, seed=seed)


def _check(options: SearchOptions) -> None:
    if not options.samples or not options.detectors or not set(options.detectors) <= set(DETECTORS):
        raise UsageError(f"expected numbers of samples, and detectors among {', '.join(DETECTORS)}")
    for count in options.samples:
        check_options(options.export_options(options.taps, count))
    unknown = sorted(set(options.kinds) - set(ANOMALIES))
    if unknown or not (options.kinds or options.ood_frames):
        raise UsageError(f"expected shifts among {', '.join(ANOMALIES)}, got {', '.join(unknown) or 'none'}")
    if options.severity not in SEVERITIES or options.every < 1 or options.timed < 0 or min(options.components) < 0:
        raise UsageError("expected a severity from 1 to 5, --every of at least 1, and no negative --timed or --pca")


def _shifts(options: SearchOptions, files: FrameFiles) -> list[FrameSource]:
    if options.ood_frames:
        strange = FrameFiles(options.ood_frames, files.channels)
        return [FrameSource("out of distribution", strange, tuple(range(len(strange))))]
    indices = tuple(range(0, len(files), options.every))
    return [FrameSource(kind, files, indices, kind, options.severity, options.seed) for kind in options.kinds]


def export_command(candidate: Candidate, options: SearchOptions) -> list[str]:
    """Arguments of the export that makes a bundle of a candidate."""
    tap, count = tap_and_samples(candidate)
    return command_words(options.export_options([tap], count, candidate.detector, candidate.pca_components))
