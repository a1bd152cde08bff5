# SPDX-License-Identifier: Apache-2.0
"""The graphs that the exporter writes for the networks of ``tests.networks``, each made once in a test run."""

from functools import cache

import torch
from onnx import ModelProto

from export.graphs.noise import NoiseSource
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.mask_mode import Mode
from export.layers.preprocessing import Preprocessing
from export.sampling.sampler import build_sampler
from tests.export.sampling.test_sampler import CASES
from tests.networks import HEIGHT, WIDTH, settled

SAMPLES = 6
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


@cache
def network_graph(case: str, mode: Mode) -> ModelProto:
    """``segmentation.onnx`` of a case of ``test_sampler``, kind ``logits``, S = 6. Shared: do not change it."""
    make, taps, options, _ = CASES[case]
    torch.manual_seed(0)
    preprocessing = Preprocessing(HEIGHT, WIDTH, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))
    example = preprocessing(torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8))
    sampler = build_sampler(settled(make()), example, taps, mc_samples=SAMPLES, mode=mode, **options)
    noise = NoiseSource([site.noise_shape for site in sampler.sites] if mode == "input" else [], SAMPLES)
    return segmentation_graph(MonitoredNetwork(preprocessing, sampler.module, "logits"), HEIGHT, WIDTH, noise)
