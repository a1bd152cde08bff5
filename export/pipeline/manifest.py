# SPDX-License-Identifier: Apache-2.0
"""Build the manifest of a new bundle from the results of the stages before it."""

import datetime as dt
from importlib.metadata import version

from torch import nn

from export.bundle.versions import versions
from export.checkpoint.chosen_output import network_name, output_choice
from export.detectors.entropy_constants import MIN_DIST
from export.graphs.segmentation_kinds import bundle_kind
from export.layers.dropblock import DropBlockRandomness
from export.pipeline.input_contract import input_contract
from export.pipeline.options import ExportOptions
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.pipeline.verify import VerifiedMonitor
from export.precision.reduce import Reduction
from export.sampling.sampler import Sampler
from lsood_runtime import SCHEMA, Manifest
from lsood_runtime.offline import (
    EntropyRecord,
    GoldenFrames,
    GoldenRecord,
    MasksRecord,
    PrecisionRecord,
    SegmentationRecord,
    TapRecord,
)


def new_manifest(
    *,
    inputs: ExportInputs,
    sampled: SampledNetwork,
    verified: VerifiedMonitor,
    golden: GoldenFrames,
    network_sha256: str,
) -> Manifest:
    """Build the manifest of a new bundle, without the records of its files, which writing it adds.

    Args:
        inputs: checkpoint, frames and options.
        sampled: the network and its masks.
        verified: the monitor.
        golden: frames to replay.
        network_sha256: digest of the network's graph.
    """
    options, sampler, calibration = inputs.options, sampled.sampler, verified.monitor.calibration
    return Manifest(
        schema=SCHEMA,
        name=network_name(inputs.checkpoint.network),
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        input=input_contract(inputs.preprocessing, inputs.frames),
        segmentation=SegmentationRecord(
            bundle_kind(options.segmentation), *(inputs.logits_shape or (None, None, None))
        ),
        tap=TapRecord(layers=sampler.taps, channels=sampler.channels),
        masks=_masks(options, sampler),
        features=verified.monitor.features,
        network_sha256=network_sha256,
        entropy=EntropyRecord(neighbors=options.neighbors, min_dist=MIN_DIST),
        detector=calibration.detector_record,
        operating_point=calibration.operating_point,
        operating_points=dict(calibration.points),
        calibration=calibration.calibration_record,
        parity=verified.parity,
        golden=GoldenRecord(golden.tolerance, golden.pixel_changes, golden.answer_tolerance),
        evaluation={},
        versions={"torch": version("torch"), "onnxscript": version("onnxscript"), **versions()},
        config=options.asdict()
        | _called(inputs.checkpoint.network, options)
        | {"sites": [site.describe() for site in sampler.sites]},
        files={},
        pixels=options.reading.record(),
        precision=precision_record(options.precision.kind, verified.reduction),
        answers=None if verified.monitor.answers is None else verified.monitor.answers.record,
    )


def _called(network: nn.Module, options: ExportOptions) -> dict[str, object]:
    """The options that take a network's output, as they were found where they were not given."""
    return {"output": ".".join(output_choice(network).names) or options.output}


def _masks(options: ExportOptions, sampler: Sampler) -> MasksRecord:
    first = sampler.sites[0].randomness
    return MasksRecord(
        mode=sampler.mode,
        count=sampler.samples,
        seed=options.seed,
        drop_prob=first.drop_prob,
        block_size=first.block_size if isinstance(first, DropBlockRandomness) else None,
        sha256=sampler.sha256,
        noise=tuple(site.noise_shape for site in sampler.sites) if sampler.mode == "input" else (),
    )


def precision_record(kind: str, reduction: Reduction | None) -> PrecisionRecord:
    """The manifest's entry for the precision of the network."""
    if reduction is None:
        return PrecisionRecord(kind)
    loss = reduction.loss
    return PrecisionRecord(
        kind=kind,
        float_layers=reduction.float_layers,
        frames=loss.frames,
        flips=loss.flips,
        auroc_loss=loss.auroc_loss,
        pixel_changes=loss.pixel_changes,
    )
