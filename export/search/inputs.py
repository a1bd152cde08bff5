# SPDX-License-Identifier: Apache-2.0
"""Make the inputs of a search from its plan: the network, its taps, the frames and the shifts."""

from dataclasses import dataclass, replace

from export.anomalies.frame_set import FrameSource
from export.data.anomalous import GUIDE_ANOMALIES
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.frames.repeated import read_each_once
from export.pipeline.plan import ExportPlan
from export.reporter import SILENT, Reporter
from export.sampling.feature_layers import resolve_feature_layers
from export.search.graphs import SearchNetwork, guides_tap
from export.search.options import SearchOptions

_FEWEST_DEGRADED = 10


@dataclass(frozen=True, eq=False)
class SearchInputs:
    """Inputs of a search.

    Attributes:
        options: of the search, with the tap and the masks that were chosen where it names none.
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


def search_inputs(options: SearchOptions, plan: ExportPlan, reporter: Reporter = SILENT) -> SearchInputs:
    """Take network, taps and frames from the plan, and look at each frame.

    Args:
        options: as the user gave them.
        plan: of the search.
        reporter: told how far the loop over the frames has come.

    Raises:
        ExportError: the plan has problems.
        UsageError: too few degraded frames, or a frame that is there twice or cannot be read.
    """
    inputs, sampled = plan.ready()
    files, chosen, checkpoint = inputs.frames, inputs.options, inputs.checkpoint
    taps = sampled.sampler.taps
    shifts = _shifts(options, files)
    for each in dict.fromkeys([files, *(shift.files for shift in shifts)]):
        read_each_once(each, reporter)
    with_guide = options.guide and {*GUIDE_ANOMALIES} < {shift.kind for shift in shifts}
    return SearchInputs(
        options=replace(
            options,
            taps=chosen.tap,
            only_tap=chosen.only_tap,
            drop_prob=chosen.drop_prob,
            block_size=chosen.block_size,
        ),
        network=SearchNetwork(inputs, sampled.output),
        taps=taps,
        observed={
            tap: resolve_feature_layers(
                checkpoint.network, inputs.example, options.feature_layers, [tap], inputs.listed
            )
            for tap in taps
        },
        samples=tuple(sorted(set(options.samples))),
        files=files,
        drives=inputs.split.drives,
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
