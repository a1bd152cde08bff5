# SPDX-License-Identifier: Apache-2.0
"""Stage ``convert``: convert the sampled network to ONNX."""

from dataclasses import dataclass

from onnx import ModelProto

from export.graphs.evaluation_outputs import evaluation_features
from export.graphs.noise import seed_noise
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.pipeline.resolve import ExportInputs
from export.pipeline.sample import SampledNetwork


@dataclass(frozen=True, eq=False)
class ConvertedNetwork:
    """The sampled network in PyTorch and in ONNX.

    Attributes:
        network: frame to segmentation and latent samples, in PyTorch.
        evaluation: the same in ONNX with every feature, see :mod:`export.graphs.evaluation_outputs`.
    """

    network: MonitoredNetwork
    evaluation: ModelProto


def convert_network(inputs: ExportInputs, sampled: SampledNetwork) -> ConvertedNetwork:
    """Convert the sampled network to ONNX.

    Raises:
        ConversionError: the network has no ONNX form.
    """
    options = inputs.options
    height, width = inputs.frames.shape[:2]
    sampler = sampled.sampler
    features = evaluation_features(sampler.layers, segmented=sampler.with_output)
    observed = sampler.observe([key for key in features if key.is_of_layers])
    whole = MonitoredNetwork(inputs.preprocessing, observed, options.segmentation, features)
    evaluation = segmentation_graph(whole, height, width, sampled.graph_noise)
    seed_noise(evaluation, options.seed)
    network = MonitoredNetwork(inputs.preprocessing, sampler.module, options.segmentation)
    return ConvertedNetwork(network=network, evaluation=evaluation)
