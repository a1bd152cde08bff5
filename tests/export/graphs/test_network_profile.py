# SPDX-License-Identifier: Apache-2.0
"""Operators that ONNX Runtime executes, from its profile: the network runs once, whatever S is."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from export.graphs.segmentation import BareNetwork, MonitoredNetwork, segmentation_graph
from export.layers.preprocessing import Preprocessing
from export.sampling.sampler import build_sampler
from tests.networks import HEIGHT, WIDTH, DropBlockAtTap, DropoutUNet, settled

PREPROCESSING = Preprocessing(HEIGHT, WIDTH, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))


def executed_convolutions(network: BareNetwork | MonitoredNetwork, folder: Path) -> tuple[int, int]:
    """How many convolutions one run executes, and how many images go through them in all."""
    options = ort.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(folder / "profile")
    model = segmentation_graph(network, HEIGHT, WIDTH)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session.run(None, {"frame": np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)})
    events = [event for event in json.loads(Path(session.end_profiling()).read_text()) if event.get("cat") == "Node"]
    kinds = Counter(event["args"].get("op_name") for event in events if event["name"].endswith("_kernel_time"))
    images = [
        next(iter(event["args"]["output_type_shape"][0].values()))[0]
        for event in events
        if event["args"].get("op_name") in ("Conv", "FusedConv") and event["name"].endswith("_kernel_time")
    ]
    assert kinds["Conv"] + kinds["FusedConv"] == len(images)
    return len(images), sum(images)


def monitored(network: torch.nn.Module, tap: str, samples: int) -> MonitoredNetwork:
    sampler = build_sampler(network, torch.zeros(1, 3, HEIGHT, WIDTH), [tap], mc_samples=samples)
    return MonitoredNetwork(PREPROCESSING, sampler.module, "logits")


def test_network_profile_of_a_tap_at_the_first_random_layer_has_no_more_convolutions(tmp_path: Path) -> None:
    network = settled(DropBlockAtTap())
    alone = executed_convolutions(BareNetwork(PREPROCESSING, network, "logits"), tmp_path)
    assert alone == (4, 4)  # shallow, deep, two in the head
    for samples in (8, 64):
        assert executed_convolutions(monitored(network, "drop_block1", samples), tmp_path) == alone


@pytest.mark.parametrize("samples", [8, 32])
def test_network_profile_of_a_deeper_tap_repeats_the_layers_behind_the_first_random_one(
    samples: int, tmp_path: Path
) -> None:
    network = settled(DropoutUNet())
    layers, images = executed_convolutions(BareNetwork(PREPROCESSING, network, "logits"), tmp_path)
    behind = 3  # down2, down3, bottleneck
    expected = (layers + behind, images + behind * samples)
    assert executed_convolutions(monitored(network, "bottleneck", samples), tmp_path) == expected
