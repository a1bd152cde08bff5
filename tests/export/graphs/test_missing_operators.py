# SPDX-License-Identifier: Apache-2.0
"""An operation without an ONNX form is named with its layer and line; another that does the same converts."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

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


def slow(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


EDGES = torch.linspace(-1, 1, 5)


class Applied(nn.Module):
    def __init__(self, apply: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.apply_it = apply

    def forward(self, x: Tensor) -> Tensor:
        return x * self.apply_it(x).float().mean(dim=(1, 2, 3), keepdim=True)


@pytest.mark.parametrize(
    ("missing", "values"),
    [
        (lambda x: x.median(dim=1, keepdim=True)[0], {"dim": 1}),
        slow(lambda x: x.median(dim=3, keepdim=True)[0], {"dim": 3}),
        (lambda x: x.kthvalue(2, dim=2, keepdim=True)[0], {"dim": 2, "k": 2}),
        slow(lambda x: torch.cdist(x, x), {}),
        slow(lambda x: functional.adaptive_max_pool2d(x, 3), {"rows": 3, "columns": 3}),
        (lambda x: functional.adaptive_max_pool2d(x, (5, 7)), {"rows": 5, "columns": 7}),
        slow(lambda x: x.cummax(2)[0], {"dim": 2}),
        slow(lambda x: x.cummin(1)[0], {"dim": 1}),
        slow(lambda x: x.cumprod(1), {"dim": 1}),
        (lambda x: torch.searchsorted(EDGES, x), {"s": EDGES}),
        slow(lambda x: torch.isin(x, EDGES), {"s": EDGES}),
        slow(lambda x: torch.hypot(x, x), {}),
    ],
)
def test_segmentation_graph_of_an_operation_with_a_replacement_names_one_that_agrees_and_converts(
    missing: Callable[[Tensor], Tensor], values: dict[str, Any]
) -> None:
    with pytest.raises(ConversionError, match="in its place") as raised:
        convert(Applied(missing))
    written = re.search(r"; write (.+?)(?:, with n = (.+?),|, with s = the values,)? in its place", str(raised.value))
    assert written is not None

    def replaced(x: Tensor) -> Tensor:
        names: dict[str, Any] = {"torch": torch, "x": x, "y": x, **values}
        if written[2]:
            names["n"] = eval(written[2], names)
        output: Tensor = eval(written[1], names)
        return output

    features = torch.randn(2, 5, HEIGHT, WIDTH)
    features[0] = (2 * features[0]).round() / 2  # some are the edges
    torch.testing.assert_close(replaced(features), missing(features), rtol=1e-4, atol=1e-2)
    convert(Applied(replaced))


class Rotated(nn.Module):
    """Mixes channels by a matrix made of a constant one, in each call or once."""

    def __init__(self, make: Callable[[Tensor], Tensor], once: bool) -> None:
        super().__init__()
        constant = torch.randn(5, 5, generator=torch.Generator().manual_seed(0)) + 4 * torch.eye(5)
        self.make, self.once = make, once
        self.register_buffer("mix", make(constant @ constant.T) if once else constant @ constant.T)

    def forward(self, x: Tensor) -> Tensor:
        mix: Any = self.mix
        mixed: Tensor = torch.einsum("dc,bchw->bdhw", mix if self.once else self.make(mix), x)
        return mixed


@pytest.mark.parametrize(
    "make",
    [
        torch.linalg.inv,
        slow(torch.linalg.cholesky),
        slow(torch.linalg.matrix_exp),
        slow(lambda x: torch.linalg.solve(x, x + 1)),
        slow(lambda x: torch.linalg.qr(x)[0]),
        slow(lambda x: torch.linalg.svd(x)[0]),
    ],
)
def test_segmentation_graph_of_linear_algebra_on_constants_asks_for_a_buffer_which_converts(
    make: Callable[[Tensor], Tensor],
) -> None:
    with pytest.raises(ConversionError, match="compute it once, in __init__, and keep it in a buffer"):
        convert(Rotated(make, once=False))
    convert(Rotated(make, once=True))
