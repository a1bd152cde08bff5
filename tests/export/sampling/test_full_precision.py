# SPDX-License-Identifier: Apache-2.0
"""Networks that ask for fewer bits in their own forward: autocast is off for all that follows them, bfloat16 is refused."""

import re
import threading
from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.errors import ConversionError
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.preprocessing import Preprocessing
from export.sampling.full_precision import without_autocast
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from tests.networks import CLASSES, HEIGHT, WIDTH, block, settled

Step = Callable[[nn.Module, Tensor], Tensor]


class WithStep(nn.Module):
    """Does one step with its convolution as the caller says."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.first, self.inner, self.head, self.step = block(3, 4), nn.Conv2d(4, 4, 3), nn.Conv2d(4, CLASSES, 1), step

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.step(self.inner, self.first(x)))
        return logits


def plain(layer: nn.Module, x: Tensor) -> Tensor:
    return torch.relu(layer(x))


def in_a_block(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return torch.relu(layer(x)).float()


def in_nested_blocks(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.amp.autocast("cpu"):
        with torch.autocast("cpu", enabled=False):
            x = torch.relu(x)
        return torch.relu(layer(x)).to(x.dtype)


@torch.autocast("cpu", dtype=torch.bfloat16)  # type: ignore[untyped-decorator]
def by_a_decorator(layer: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = layer(x)
    return torch.relu(y).float()


def by_half(layer: nn.Module, x: Tensor) -> Tensor:
    return torch.relu(layer(x.half().float()))


def by_bfloat16(layer: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(layer, nn.Conv2d) and layer.bias is not None  # noqa: PT018
    return F.conv2d(x.bfloat16(), layer.weight.bfloat16(), layer.bias.bfloat16()).relu().float()


def product_in_bfloat16(layer: nn.Module, x: Tensor) -> Tensor:
    return torch.relu(layer((x.bfloat16() * 2).float() / 2))


def stored_in_bfloat16(layer: nn.Module, x: Tensor) -> Tensor:
    flat = x.bfloat16().permute(0, 2, 3, 1).flatten(1, 2)
    return torch.relu(layer(flat.transpose(1, 2).reshape(x.shape).float()))


def check_graph(step: Step, reference: Step, tolerance: float) -> None:
    """The graph in ONNX Runtime against a network with the reference's step, and one pass against S passes."""
    torch.manual_seed(2)
    network = settled(WithStep(plain))
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    network.step = step
    sampler = build_sampler(network, x, ["first"], mc_samples=4, drop_prob=0.6, block_size=2)
    with torch.no_grad():
        torch.testing.assert_close(sampler.module(x)[1], sample_passes(network, x, sampler), rtol=0, atol=1e-5)
    preprocessing = Preprocessing(HEIGHT, WIDTH, (0.5,) * 3, (0.25,) * 3)
    model = segmentation_graph(MonitoredNetwork(preprocessing, sampler.module, "logits"), HEIGHT, WIDTH)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    frames = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    network.step = reference
    with torch.no_grad():
        wanted = network(preprocessing(torch.from_numpy(frames)))
    np.testing.assert_allclose(session.run(None, {"frame": frames})[0], wanted.numpy(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("step", [in_a_block, in_nested_blocks, by_a_decorator])
def test_without_autocast_of_a_network_that_switches_it_on_gives_its_graph_in_float32_and_says_so(step: Step) -> None:
    with without_autocast() as noted:
        check_graph(step, plain, 1e-5)
    (finding,) = noted.findings
    assert (finding.value, finding.origin) == ("float32", "found")
    assert re.search(r"autocast at .*test_full_precision\.py:\d+ \(`.+`\) is switched off", finding.reason)
    x = torch.ones(1, 4, 8, 8)
    layer = nn.Conv2d(4, 4, 3)
    assert not torch.equal(step(layer, x), plain(layer, x))  # and is on again


@pytest.mark.parametrize("step", [by_half, stored_in_bfloat16])
def test_build_sampler_of_a_number_format_that_rounds_has_the_same_rounding_in_the_graph(step: Step) -> None:
    with without_autocast() as noted:
        check_graph(step, step, 2e-2)
    assert not noted.findings


@pytest.mark.parametrize("step", [by_bfloat16, product_in_bfloat16])
def test_build_sampler_of_computations_in_bfloat16_names_the_line_and_the_remedy_helps(step: Step) -> None:
    with pytest.raises(ConversionError, match=r"bfloat16 in aten\.\w+.* leave the cast to bfloat16 out") as raised:
        check_graph(step, step, 0)
    assert re.search(r"test_full_precision\.py:\d+ \(`", str(raised.value))
    check_graph(plain, plain, 1e-5)


def test_without_autocast_leaves_the_autocast_of_another_thread_on() -> None:
    seen: list[torch.dtype] = []
    layer, x = nn.Conv2d(4, 4, 3), torch.ones(1, 4, 8, 8)

    def other() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen.append(layer(x).dtype)
        seen.append(layer(x).dtype)

    with without_autocast():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert seen == [torch.bfloat16, torch.float32]


def test_without_autocast_inside_an_autocast_of_the_caller_computes_in_float32() -> None:
    layer, x = nn.Conv2d(4, 4, 3), torch.ones(1, 4, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with without_autocast():
            assert layer(x).dtype == torch.float32
        assert layer(x).dtype == torch.bfloat16
