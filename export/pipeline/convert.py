# SPDX-License-Identifier: Apache-2.0
"""Stage ``convert``: convert the sampled network to ONNX."""

from collections.abc import Sequence
from dataclasses import dataclass

from onnx import ModelProto

from export.features.key import FeatureKey
from export.graphs.evaluation_outputs import evaluation_features
from export.graphs.noise import seed_noise
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork


@dataclass(frozen=True, eq=False)
class ConvertedNetwork:
    """The sampled network in ONNX.

    Attributes:
        evaluation: with every feature, see :mod:`export.graphs.evaluation_outputs`.
    """

    evaluation: ModelProto


def convert_network(inputs: ExportInputs, sampled: SampledNetwork) -> ConvertedNetwork:
    """Convert the sampled network to ONNX.

    Raises:
        ConversionError: the network has no ONNX form.
    """
    height, width = inputs.frames.shape[:2]
    sampler = sampled.sampler
    features = evaluation_features(
        sampler.layers, segmented=sampler.with_output, tiles=sampled.tiles, maps=sampled.maps
    )
    whole = monitored_network(inputs, sampled, features)
    evaluation = segmentation_graph(whole, height, width, sampled.graph_noise)
    seed_noise(evaluation, inputs.options.seed)
    return ConvertedNetwork(evaluation=evaluation)


def monitored_network(
    inputs: ExportInputs, sampled: SampledNetwork, features: Sequence[FeatureKey]
) -> MonitoredNetwork:
    """Make the PyTorch module that gives the segmentation and some features.

    Args:
        inputs: preprocessing and kind of the segmentation.
        sampled: the network.
        features: keys, in the order of the outputs.
    """
    inside = sampled.sampler.observe([key for key in features if key.is_of_layers])
    return MonitoredNetwork(inputs.preprocessing, inside, inputs.options.segmentation, features, sampled.output)
