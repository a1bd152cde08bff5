# SPDX-License-Identifier: Apache-2.0
"""Stage ``verify``: compare every form of the monitor with the PyTorch network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from onnx import ModelProto

from export.bundle.feature_parity import FeatureReference, check_feature_parity, measure_feature_parity
from export.bundle.input_reference import InputReference
from export.bundle.logits_reference import LogitsReference
from export.bundle.output_reference import reference_output
from export.bundle.parity import ReferenceMonitor, check_parity, measure_parity
from export.calibration.calibrated_monitor import CalibratedMonitor
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.graphs.evaluation_outputs import evaluation_features
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
        preprocess=preprocess,
        segment=lambda images: preprocess.of_frame(reference_output(network, images)),
        logits=logits,
        sample=lambda images, noise: sample_passes(network, images, sampled.sampler, noise),
        features=FeatureReference(preprocess, network, _without_entropy(detector.keys), logits, channels_last),
        detector=detector,
        neighbors=options.neighbors,
        kind=kind,
    )
    graphs = monitor.graphs(fuse=options.fuse)
    unseen = list(unseen_frames(frames, inputs.split, PARITY_FRAMES))
    chosen = reporter.progress(unseen, "comparing with PyTorch", len(unseen))
    evaluation = evaluation_form(graphs, sampled)
    forms = [*runnable_forms(graphs, sampled, traced), evaluation]
    parity = measure_parity(reference, forms, chosen, sampled.site_noise)
    check_parity(parity, kind, monitor.calibration.tolerance)
    every = evaluation_features(sampled.sampler.layers, segmented=inputs.logits_shape is not None)
    plain = FeatureReference(preprocess, network, _without_entropy(every), logits, channels_last)
    shown = unseen[:FEATURE_FRAMES]
    check_feature_parity(measure_feature_parity(plain, evaluation, shown, sampled.site_noise))
    return VerifiedMonitor(monitor=monitor, graphs=graphs, traced=traced, parity=parity)


def _without_entropy(keys: Sequence[FeatureKey]) -> list[FeatureKey]:
    return [key for key in keys if key.output != LATENT_SAMPLES]
