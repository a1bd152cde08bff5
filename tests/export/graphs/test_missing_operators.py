# SPDX-License-Identifier: Apache-2.0
"""An operation without an ONNX form is named with its layer and line; another that does the same converts."""

import pytest
import torch
from torch import Tensor, nn

from export.errors import ConversionError
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.preprocessing import Preprocessing
from export.sampling.sampler import build_sampler
from tests.networks import CLASSES, HEIGHT, WIDTH, block, settled


class Median(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.median(dim=1, keepdim=True)[0]


class SortedMedian(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.sort(dim=1)[0][:, (x.shape[1] - 1) // 2, None]


class Filtered(nn.Module):
    def __init__(self, step: nn.Module) -> None:
        super().__init__()
        self.first, self.step, self.head = block(3, 5), step, nn.Conv2d(5, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.step(self.first(x)))
        return logits


def convert(step: nn.Module) -> None:
    sampler = build_sampler(
        settled(Filtered(step)), torch.zeros(1, 3, HEIGHT, WIDTH), ["first"], mc_samples=4, drop_prob=0.6, block_size=2
    )
    preprocessing = Preprocessing(HEIGHT, WIDTH, (0.5,) * 3, (0.25,) * 3)
    segmentation_graph(MonitoredNetwork(preprocessing, sampler.module, "logits"), HEIGHT, WIDTH)


def test_segmentation_graph_of_an_operation_without_onnx_form_names_layer_and_line() -> None:
    with pytest.raises(
        ConversionError, match=r"aten\.median.*in the layer step at .*test_missing_operators\.py:\d+"
    ) as raised:
        convert(Median())
    assert "`return x - x.median(dim=1, keepdim=True)[0]`" in str(raised.value)
    features = torch.randn(2, 5, 4, 4)
    torch.testing.assert_close(SortedMedian()(features), Median()(features))
    convert(SortedMedian())
