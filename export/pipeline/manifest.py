# SPDX-License-Identifier: Apache-2.0
"""The manifest of a new bundle, from what each stage of the export found."""

import datetime as dt
from importlib.metadata import version

from export.bundle.golden import golden_tolerance
from export.bundle.versions import versions
from export.calibration.calibrate import CalibrationResult
from export.checkpoint.load import Checkpoint
from export.detectors.entropy_constants import MIN_DIST
from export.frames.files import FrameFiles
from export.layers.dropblock import DropBlockRandomness
from export.layers.preprocessing import Preprocessing
from export.pipeline.options import ExportOptions
from export.precision.reduce import Reduction
from export.sampling.sampler import Sampler
from lsood_runtime import SCHEMA, Manifest
from lsood_runtime.offline import (
    EntropyRecord,
    InputContract,
    MasksRecord,
    ParityRecord,
    PrecisionRecord,
    SegmentationRecord,
    TapRecord,
)


def bundle_manifest(
    *,
    options: ExportOptions,
    checkpoint: Checkpoint,
    preprocessing: Preprocessing,
    sampler: Sampler,
    logits: tuple[int, int, int] | None,
    calibration: CalibrationResult,
    parity: ParityRecord,
    reduction: Reduction | None,
    frames: FrameFiles,
    chance: float,
    network_sha256: str,
) -> Manifest:
    """Build the manifest, without evaluation and without the records of files, which writing the bundle adds."""
    return Manifest(
        schema=SCHEMA,
        name=type(checkpoint.network).__name__,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        input=_input_contract(options, preprocessing, frames),
        segmentation=SegmentationRecord(options.segmentation, *(logits or (None, None, None))),
        tap=TapRecord(sampler.taps, sampler.channels),
        masks=_masks(options, sampler),
        network_sha256=network_sha256,
        entropy=EntropyRecord(neighbors=options.neighbors, min_dist=MIN_DIST),
        detector=calibration.detector_record,
        operating_point=calibration.operating_point,
        operating_points=dict(calibration.points),
        calibration=calibration.calibration_record,
        parity=parity,
        golden=golden_tolerance(calibration.spread, chance),
        evaluation={},
        versions={"torch": version("torch"), "onnxscript": version("onnxscript"), **versions()},
        config=options.asdict() | {"sites": [site.describe() for site in sampler.sites]},
        files={},
        precision=_precision(options, reduction),
    )


def _input_contract(options: ExportOptions, preprocessing: Preprocessing, frames: FrameFiles) -> InputContract:
    return InputContract(
        channels=preprocessing.channels,
        frame_height=frames.shape[0],
        frame_width=frames.shape[1],
        network_height=preprocessing.height,
        network_width=preprocessing.width,
        crop=options.crop,
        resize="bilinear-antialias",
        mean=preprocessing.mean,
        std=preprocessing.std,
    )


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


def _precision(options: ExportOptions, reduction: Reduction | None) -> PrecisionRecord:
    if reduction is None:
        return PrecisionRecord(options.precision.kind)
    loss = reduction.loss
    return PrecisionRecord(
        kind=options.precision.kind,
        float_layers=reduction.float_layers,
        frames=loss.frames,
        flips=loss.flips,
        auroc_loss=loss.auroc_loss,
        pixel_changes=loss.pixel_changes,
    )
