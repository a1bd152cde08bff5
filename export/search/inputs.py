# SPDX-License-Identifier: Apache-2.0
"""Check the options of a search, and read its checkpoint and frames."""

from dataclasses import dataclass

import numpy as np
import torch

from export.anomalies import ANOMALIES, SEVERITIES
from export.anomalies.frame_set import FrameSource
from export.data.anomalous import GUIDE_ANOMALIES
from export.detectors.registry import detector_spec
from export.errors import CalibrationError, UsageError
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.frames.repeated import read_each_once
from export.pipeline.load_network import load_network
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.output_choice import choose_network_output
from export.pipeline.resolve import check_options
from export.pipeline.settle_downloads import settle_downloads
from export.reporter import SILENT, Reporter
from export.sampling.feature_layers import resolve_feature_layers
from export.sampling.taps import resolve_taps
from export.search.graphs import SearchNetwork, guides_tap
from export.search.options import SearchOptions

_FEWEST_FRAMES = 40
"""Four fifths of them fit each detector: a bandwidth is chosen over ten, and an AUROC of fewer frames says little."""

_FEWEST_DEGRADED = 10


@dataclass(frozen=True, eq=False)
class SearchInputs:
    """Inputs of a search.

    Attributes:
        options: of the search.
        network: makes the graphs.
        taps: names of the sampled layers.
        observed: for each tap, the layers that an export of it observes beside it.
        samples: numbers of samples, ascending.
        files: in-distribution frames.
        drives: name of the drive of each.
        shifts: out-of-distribution frames, real or degraded.
        guide_tap: tap of the guide's configuration; None where it is left out.
    """

    options: SearchOptions
    network: SearchNetwork
    taps: tuple[str, ...]
    observed: dict[str, tuple[str, ...]]
    samples: tuple[int, ...]
    files: FrameFiles
    drives: tuple[str, ...]
    shifts: tuple[FrameSource, ...]
    guide_tap: str | None


def check_search(options: SearchOptions) -> None:
    """Refuse options that are wrong for every checkpoint.

    Raises:
        UsageError: a value is missing or out of range.
    """
    if options.segmentation == "none":
        raise UsageError(
            "expected a --segmentation for a search, got none: its class maps tell which shifts hurt; give none to the "
            "export alone"
        )
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
    wrong = sorted(set(options.severity) - set(SEVERITIES))
    if wrong or not options.severity:
        raise UsageError(
            f"expected --severity from 1 to 5, got {', '.join(map(str, wrong)) or 'none'}: 3 is in the middle"
        )
    if options.every < 1:
        raise UsageError(f"expected --every of at least 1, got {options.every}: 1 degrades every frame")
    if options.timed < 0 or min(options.components) < 0:
        raise UsageError(
            f"expected no negative --timed or --pca, got {options.timed} and {min(options.components)}: 0 is for none"
        )


def read_inputs(options: SearchOptions, reporter: Reporter = SILENT) -> SearchInputs:
    """Read the checkpoint and the list of frames, and look at each frame.

    Raises:
        UsageError: frames or constants that cannot be used, or a frame that is there twice.
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        TapError: a layer that does not exist.
        ConversionError: the network does not run, or gives no logits of classes.
        CalibrationError: too few frames.
    """
    samples = tuple(sorted(set(options.samples)))
    plain = options.export_options(options.taps, samples[-1])
    checkpoint = load_network(options, reporter)
    files = FrameFiles(options.frames, options.channels, options.reading.rules)
    drives = drive_names(files.paths, options.group_by)
    if len(files) < _FEWEST_FRAMES:
        raise CalibrationError(f"expected at least {_FEWEST_FRAMES} frames, got {len(files)}: search with more frames")
    checkpoint = settle_downloads(options, checkpoint, files, reporter)
    preprocessing = resolve_preprocessing(plain, checkpoint, files, reporter)
    example = preprocessing(torch.from_numpy(np.array(files[0]))[None])
    taps = resolve_taps(checkpoint.network, options.taps)
    checkpoint, _ = choose_network_output(options, checkpoint, preprocessing, files, reporter)
    network = SearchNetwork(plain, checkpoint, preprocessing, example, files)
    shifts = _shifts(options, files)
    for each in dict.fromkeys([files, *(shift.files for shift in shifts)]):
        read_each_once(each, reporter)
    with_guide = options.guide and {*GUIDE_ANOMALIES} < {shift.kind for shift in shifts}
    return SearchInputs(
        options=options,
        network=network,
        taps=taps,
        observed={
            tap: resolve_feature_layers(checkpoint.network, example, options.feature_layers, [tap]) for tap in taps
        },
        samples=samples,
        files=files,
        drives=drives,
        shifts=shifts,
        guide_tap=guides_tap(checkpoint.network) if with_guide else None,
    )


def _shifts(options: SearchOptions, files: FrameFiles) -> tuple[FrameSource, ...]:
    if options.ood_frames:
        ood = FrameFiles(options.ood_frames, files.channels, files.rules)
        return (FrameSource("out of distribution", ood, tuple(range(len(ood)))),)
    indices = tuple(range(0, len(files), options.every))
    if len(indices) < _FEWEST_DEGRADED:
        raise UsageError(
            f"expected {_FEWEST_DEGRADED} or more degraded frames of each kind, got {len(indices)}: lower --every"
        )
    return tuple(
        FrameSource(f"{kind} {severity}", files, indices, kind, severity, options.seed)
        for kind in options.kinds
        for severity in options.severity
    )
