# SPDX-License-Identifier: Apache-2.0
"""The graphs that the exporter writes for the networks of ``tests.networks``, each made once in a test run."""

from functools import cache

import pytest
import torch
from onnx import ModelProto

from export.features.key import FeatureKey
from export.graphs.evaluation_outputs import evaluation_features
from export.graphs.noise import NoiseSource
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.mask_mode import Mode
from export.layers.preprocessing import Preprocessing
from export.sampling.feature_layers import resolve_feature_layers
from export.sampling.sampler import build_sampler
from tests.export.sampling.test_sampler import CASES
from tests.networks import HEIGHT, WIDTH, settled

SAMPLES = 6
PICTURE_TILES = FeatureKey.picture_tiles(2, 3)
NETWORK_CASES = (
    "DropBlock at the tap",
    "DropBlock of the dropblock package",
    "dropout at three depths",
    "skip connections across the cut",
    "no stochastic layer",
    "attention dropout, heads in the batch",
    "batch second",
    "a flat tap",
)
_QUICK = ("DropBlock at the tap", "skip connections across the cut", "attention dropout, heads in the batch")
CASES_OF_FEATURES = [name if name in _QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETWORK_CASES]
"""The same; the graphs of every feature, which no other test needs, are made for some of them in the fast tests."""


@cache
def network_graph(case: str, mode: Mode, *, every_feature: bool = False) -> ModelProto:
    """``segmentation.onnx`` of a case of ``test_sampler``, kind ``logits``, S = 6. Shared: do not change it.

    ``every_feature``: ``evaluation.onnx``, with the default layers and tiles of the picture.
    """
    make, taps, options, _ = CASES[case]
    torch.manual_seed(0)
    preprocessing = Preprocessing(HEIGHT, WIDTH, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))
    example = preprocessing(torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8))
    network = settled(make())
    layers = resolve_feature_layers(network, example, (), taps) if every_feature else ()
    sampler = build_sampler(network, example, taps, mc_samples=SAMPLES, mode=mode, observed=layers, **options)
    segmented = network(example).dim() == 4
    every = evaluation_features(sampler.layers, segmented=segmented, tiles=[PICTURE_TILES])
    features = every if every_feature else [FeatureKey.entropy()]
    observed = sampler.observe([key for key in features if key.is_of_layers])
    noise = NoiseSource([site.noise_shape for site in sampler.sites] if mode == "input" else [], SAMPLES)
    return segmentation_graph(MonitoredNetwork(preprocessing, observed, "logits", features), HEIGHT, WIDTH, noise)
