# SPDX-License-Identifier: Apache-2.0
"""Sampled networks of every kind, behind the project's preprocessing, through ONNX Runtime."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from dropblock import DropBlock2D as PackageDropBlock2D
from torch import nn

from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.mask_mode import Mode
from export.layers.preprocessing import Preprocessing
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from tests.networks import (
    HEIGHT,
    WIDTH,
    DropBlockAtTap,
    DropoutUNet,
    NoDropout,
    SkipAcrossTheCut,
    TransformerSegmenter,
    settled,
)

CASES: dict[str, tuple[Callable[[], nn.Module], str, dict[str, Any], int]] = {
    "DropBlock of the dropblock package": (
        lambda: DropBlockAtTap(PackageDropBlock2D(block_size=2, drop_prob=0.5)),
        "drop_block1",
        {},
        0,
    ),
    "dropout at three depths": (DropoutUNet, "bottleneck", {}, 3),
    "skip connections across the cut": (SkipAcrossTheCut, "up1", {}, 3),
    "no stochastic layer": (NoDropout, "encoder", {"drop_prob": 0.6, "block_size": 2}, 0),
    "attention dropout": (TransformerSegmenter, "encoder_end", {}, 0),
}


@pytest.mark.parametrize(
    ("case", "mode"), [(case, "fixed") for case in CASES] + [("DropBlock of the dropblock package", "fresh")]
)
def test_segmentation_graph_of_a_network_gives_its_output_and_samples(case: str, mode: Mode) -> None:
    make, tap, options, sampled_convolutions = CASES[case]
    torch.manual_seed(0)  # the weights of tests.exported_graphs, whose conversions serve here as well
    network = settled(make())
    preprocessing = Preprocessing(HEIGHT, WIDTH, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))
    example = preprocessing(torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8))
    sampler = build_sampler(network, example, [tap], mc_samples=6, mode=mode, **options)
    model = segmentation_graph(MonitoredNetwork(preprocessing, sampler.module, "logits"), HEIGHT, WIDTH)
    own = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    assert [node.op_type for node in model.graph.node].count("Conv") == own + sampled_convolutions

    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    for frames in (1, 3):
        frame = generator.integers(0, 256, (frames, HEIGHT, WIDTH, 3), dtype=np.uint8)
        logits, latent_samples = session.run(None, {"frame": frame})
        x = preprocessing(torch.from_numpy(frame))
        with torch.no_grad():
            np.testing.assert_allclose(logits, network(x).numpy(), rtol=0, atol=1e-5)
        if mode == "fresh":
            _, again = session.run(None, {"frame": frame})
            assert not np.isclose(latent_samples, again).all(axis=-1).any()
        else:
            np.testing.assert_allclose(latent_samples, sample_passes(network, x, sampler).numpy(), rtol=0, atol=1e-5)
