# SPDX-License-Identifier: Apache-2.0
"""Traced monitors whose network reads sizes: they take a batch of any size, as PyTorch does."""

import numpy as np
import pytest
import torch

from export.detectors.fitted import OnePart, PartOptions, fit_part
from export.features.key import FeatureKey
from export.graphs.segmentation import MonitoredNetwork
from export.graphs.torchscript import TorchMonitor, trace_monitor
from export.layers.mask_mode import Mode
from export.layers.preprocessing import Preprocessing
from export.sampling.sampler import build_sampler
from tests.export.sampling.test_sampler import CASES
from tests.networks import HEIGHT, WIDTH, settled

SAMPLES, NEIGHBORS = 8, 3


@pytest.mark.parametrize("mode", ["fixed", "input"])
@pytest.mark.parametrize("case", ["attention dropout, heads in the batch", "batch second"])
def test_trace_monitor_of_a_network_that_reads_sizes_takes_any_batch(case: str, mode: Mode) -> None:
    make, taps, options, _ = CASES[case]
    torch.manual_seed(0)
    preprocessing = Preprocessing(HEIGHT, WIDTH, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))
    example = torch.zeros(1, 3, HEIGHT, WIDTH)
    sampler = build_sampler(settled(make()), example, taps, mc_samples=SAMPLES, mode=mode, **options)
    assert sampler.module.graph.find_nodes(op="call_function", target=torch.ops.aten.sym_size.int)
    network = MonitoredNetwork(preprocessing, sampler.module, "logits")
    entropies = {FeatureKey.entropy(): np.random.default_rng(0).normal(size=(40, sampler.channels))}
    detector = OnePart(fit_part(PartOptions("kde", (FeatureKey.entropy(),)), entropies, ["a"] * 40))
    monitor = TorchMonitor(network, detector, SAMPLES, NEIGHBORS).eval()

    def inputs(frames: int) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(frames)
        frame = torch.randint(0, 256, (frames, HEIGHT, WIDTH, 3), generator=generator, dtype=torch.uint8)
        noise = [site.noise_shape for site in sampler.sites] if mode == "input" else []
        return [frame, *(torch.rand(frames, SAMPLES, *shape, generator=generator) for shape in noise)]

    with torch.inference_mode():
        expected = {frames: monitor(*inputs(frames)) for frames in (1, 2, 3)}
        traced = trace_monitor(monitor, inputs(2))
        for frames, outputs in expected.items():
            torch.testing.assert_close(traced(*inputs(frames)), outputs, rtol=1e-5, atol=1e-5)
