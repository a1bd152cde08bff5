# SPDX-License-Identifier: Apache-2.0
"""Check the options of a search, and read its checkpoint and frames."""

from dataclasses import dataclass

import numpy as np
import torch

from export.anomalies import ANOMALIES, SEVERITIES
from export.anomalies.frame_set import FrameSource
from export.checkpoint.load import load_checkpoint
from export.data.anomalous import GUIDE_ANOMALIES
from export.detectors.registry import detector_spec
from export.errors import CalibrationError, UsageError
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.resolve import check_options
from export.sampling.taps import resolve_taps
from export.search.folds import Fold, two_folds
from export.search.graphs import SearchNetwork, guides_tap
from export.search.options import SearchOptions

_FEWEST_FRAMES = 20
"""Frames in each half: the bandwidth is chosen over ten, and an AUROC of fewer says little."""


@dataclass(frozen=True, eq=False)
class SearchInputs:
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


def check_search(options: SearchOptions) -> None:
    """Refuse options that are wrong for every checkpoint.

    Raises:
        UsageError: a value is missing or out of range.
    """
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


def read_inputs(options: SearchOptions) -> SearchInputs:
    """Read the checkpoint and the list of frames.

    Raises:
        UsageError: frames or constants that cannot be used.
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        TapError: a layer that does not exist.
        ConversionError: the network does not run, or gives no logits of classes.
        CalibrationError: too few frames.
    """
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
    return SearchInputs(
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
