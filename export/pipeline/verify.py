# SPDX-License-Identifier: Apache-2.0
"""Stage ``verify``: compare every form of the monitor with the PyTorch network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from export.bundle.answer_parity import check_answers_agree
from export.bundle.feature_parity import (
    FEATURE_TOLERANCE,
    FeatureReference,
    check_feature_parity,
    measure_feature_parity,
)
from export.bundle.input_reference import InputReference
from export.bundle.logits_reference import LogitsReference
from export.bundle.parity import PAIR, compare_forms
from export.bundle.parity_causes import likely_causes
from export.bundle.parity_check import Tolerances, check_parity, raised
from export.bundle.reference_monitor import ReferenceMonitor
from export.bundle.rounding_floor import RoundingFloor, UnknownFloorError, measure_feature_floor, measure_floor
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.graphs.evaluation_outputs import evaluation_features
from export.graphs.monitor_forms import Form
from export.graphs.noise import NoiseSource
from export.graphs.segmentation_kinds import bundle_kind
from export.pipeline.forms import evaluation_form, runnable_forms
from export.pipeline.input_contract import input_contract
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork
from export.pipeline.unseen_frames import unseen_frames
from export.precision.reduce import Reduction
from export.reporter import Reporter
from export.sampling.reference_passes import sample_passes
from lsood_runtime.offline import ParityRecord

PARITY_FRAMES, FEATURE_FRAMES = 8, 3


@dataclass(frozen=True, eq=False)
class VerifiedMonitor:
    """A monitor whose forms agree with the PyTorch network.

    Attributes:
        monitor: the monitor.
        graphs: what the bundle will hold of it, by the names of the files.
        traced: the monitor in TorchScript, where the options ask for it.
        parity: the differences that were measured in float32.
        reduction: the monitor's conversion to fewer bits; None in float32.
    """

    monitor: CalibratedMonitor
    graphs: Mapping[str, ModelProto]
    traced: torch.jit.ScriptModule | None
    parity: ParityRecord
    reduction: Reduction | None = None


def verify_monitor(
    inputs: ExportInputs,
    sampled: SampledNetwork,
    monitor: CalibratedMonitor,
    traced: torch.jit.ScriptModule | None,
    reporter: Reporter,
) -> VerifiedMonitor:
    """Compare every form of the monitor with the PyTorch network.

    Raises:
        ParityError: a difference above its tolerance.
    """
    options, network, frames = inputs.options, inputs.checkpoint.network, inputs.frames
    detector = monitor.calibration.detector
    preprocess = InputReference(input_contract(inputs.preprocessing, frames))
    logits, kind = LogitsReference(sampled.output), bundle_kind(options.segmentation)
    channels_last = sampled.sampler.channels_last
    reference = ReferenceMonitor(
        features=FeatureReference(preprocess, network, _without_entropy(detector.keys), logits, channels_last),
        sample=lambda images, noise: sample_passes(network, images, sampled.sampler, noise),
        detector=detector,
        neighbors=options.neighbors,
        kind=kind,
    )
    graphs = monitor.graphs(fuse=options.fuse)
    unseen = list(unseen_frames(frames, inputs.split, PARITY_FRAMES))
    chosen = reporter.progress(unseen, "comparing with PyTorch", len(unseen))

    def forms() -> Iterator[Form]:
        yield from runnable_forms(graphs, sampled, traced)
        yield evaluation_form(graphs, sampled)

    def floor(shown: Sequence[int]) -> RoundingFloor:
        reporter.stage("measuring the network's own rounding, float32 against float64")
        return measure_floor(reference, comparison, shown)

    comparison = compare_forms(reference, forms(), chosen, sampled.site_noise)
    if comparison.unpaired:
        reporter.stage(
            "warning: it was not checked that the network treats two frames of a batch alike, which would take "
            f"{comparison.unpaired / 1e9:.1f} GB more: do not run the bundle on batches, or export it where they are free"
        )
    parity = check_parity(
        comparison,
        Tolerances(score=monitor.calibration.tolerance),
        floor,
        lambda: likely_causes(network, monitor.evaluation),
    )
    every = evaluation_features(
        sampled.sampler.layers, segmented=inputs.logits_shape is not None, tiles=sampled.tiles, maps=sampled.maps
    )
    plain = FeatureReference(preprocess, network, _without_entropy(every), logits, channels_last)
    _verify_features(plain, evaluation_form(graphs, sampled), unseen[:FEATURE_FRAMES], sampled.site_noise, reporter)
    check_answers(monitor, graphs, inputs, sampled)
    return VerifiedMonitor(monitor=monitor, graphs=graphs, traced=traced, parity=parity)


def check_answers(
    monitor: CalibratedMonitor, graphs: Mapping[str, ModelProto], inputs: ExportInputs, sampled: SampledNetwork
) -> None:
    """Check that every form of a monitor gives the same answers beside the score, where it gives any.

    Raises:
        ParityError: two forms answer differently.
    """
    if monitor.answers is None:
        return
    frames = np.stack(list(unseen_frames(inputs.frames, inputs.split, PAIR)))
    noise = sampled.site_noise.draw(len(frames))
    check_answers_agree(runnable_forms(graphs, sampled), frames, noise, monitor.answers.record.ranges())


def _verify_features(
    reference: FeatureReference,
    evaluation: Form,
    frames: Sequence[NDArray[np.uint8]],
    noise: NoiseSource,
    reporter: Reporter,
) -> None:
    """Compare every feature; where one is above the usual tolerance, with what the network's own rounding leaves of it."""
    differences = measure_feature_parity(reference, evaluation, frames, noise)
    tolerances: dict[FeatureKey, float] = {}
    if max(differences.values(), default=0.0) > FEATURE_TOLERANCE:
        try:
            floors = [measure_feature_floor(reference, frame[None]) for frame in frames]
        except UnknownFloorError as error:
            reporter.stage(f"the network's own rounding is not known, the usual tolerances hold: {error}")
        else:
            tolerances = {
                key: raised(FEATURE_TOLERANCE, max(floor[key] for floor in floors)) for key in reference.features
            }
    check_feature_parity(differences, tolerances)


def _without_entropy(keys: Sequence[FeatureKey]) -> list[FeatureKey]:
    return [key for key in keys if key.output != LATENT_SAMPLES]
