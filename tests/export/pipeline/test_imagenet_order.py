# SPDX-License-Identifier: Apache-2.0
"""A mean that is ImageNet's in one order of channels contradicts the other order, and no other mean does."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from export.checkpoint.load import Checkpoint
from export.pipeline.imagenet_order import contradiction, imagenet_order
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.options import ExportOptions
from tests.export.pipeline.told_reporter import ToldReporter

RGB = np.array((0.485, 0.456, 0.406))
ORDERS = {"rgb": RGB, "bgr": RGB[::-1]}


class PixelMean(nn.Module):
    """Keeps buffers outside the weights, as detectors do, and normalises by them where ``reads`` says so."""

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, mean: Any, reads: bool) -> None:
        super().__init__()
        self.layer, self.reads = nn.Conv2d(3, 4, 1), reads
        values = torch.tensor(np.array(mean), dtype=torch.float32).view(3, 1, 1)
        self.register_buffer("pixel_mean", values, persistent=False)
        self.register_buffer("pixel_std", torch.full((3, 1, 1), 57.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer((x - self.pixel_mean) / self.pixel_std if self.reads else x)
        return out


def told(network: nn.Module, **given: Any) -> ToldReporter:
    reporter = ToldReporter()
    options = ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"), **given)
    frames: Any = SimpleNamespace(shape=(16, 16, 3))
    resolve_preprocessing(options, Checkpoint(network.eval(), {}, Path("x.ckpt")), frames, reporter)
    return reporter


@given(
    st.sampled_from(["rgb", "bgr"]),
    st.sampled_from([1, 255]),
    st.lists(st.floats(-0.019, 0.019), min_size=3, max_size=3),
)
def test_imagenet_order_of_values_near_imagenets_tells_their_order(order: str, white: int, off: list[float]) -> None:
    mean = (white * ORDERS[order] * (1 + np.array(off))).tolist()
    other = "bgr" if order == "rgb" else "rgb"
    assert imagenet_order(mean) == order
    assert contradiction(mean, order) is None
    assert f"--network-channels {order}" in (contradiction(mean, other) or "")
    assert contradiction(mean, "grey") is None


@given(st.floats(0, 255), st.lists(st.floats(-0.03, 0.03), min_size=3, max_size=3))
def test_imagenet_order_of_greyish_values_tells_none(grey: float, off: list[float]) -> None:
    assert imagenet_order((grey * (1 + np.array(off))).tolist()) is None


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("reads", [True, False])
def test_resolve_preprocessing_of_pixel_means_in_another_order_warns_and_the_flag_ends_it(
    order: str, reads: bool
) -> None:
    network = PixelMean(255 * ORDERS[order], reads)
    other = "bgr" if order == "rgb" else "rgb"
    reporter = told(network, network_channels=None if other == "rgb" else other)
    (warning,) = (line for line in reporter.lines if "ImageNet" in line)
    found = re.search(r"--network-channels (\w+)", warning)
    assert found is not None
    assert not [line for line in told(network, network_channels=found[1]).lines if "ImageNet" in line]
    if order == "bgr":
        finding = reporter.findings["channels"]
        assert (finding.value, finding.origin) == ("rgb", "guessed")
        assert finding.reason in warning


@pytest.mark.parametrize(("mean", "warns"), [(RGB[::-1], True), (RGB, False), (np.full(3, 0.45), False)])
def test_resolve_preprocessing_of_a_given_mean_in_another_order_warns(mean: Any, warns: bool) -> None:
    lines = told(nn.Conv2d(3, 4, 1), mean=tuple(mean.tolist()), std=(0.2,) * 3).lines
    assert bool([line for line in lines if "--network-channels bgr" in line]) == warns
