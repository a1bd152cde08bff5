# SPDX-License-Identifier: Apache-2.0
"""Count the operations of a sampled network against those of the same network without samples; neither is run."""

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from export.sampling.sampler import Sampler


def operation_ratio(sampler: Sampler, example: Tensor) -> float | None:
    """Operations of one pass with the latent samples, as a multiple of those of the network alone.

    Counted are convolutions and matrix products, which take most of a network's time. They are counted on the captured graph,
    by shapes, since a network that keeps what it computes would keep tensors without values.

    Args:
        sampler: the network; its masks are fixed or drawn in the graph, or given as noise.
        example: ``(B, 3, H, W)`` float, an input of the network.

    Returns:
        A little above 1 where only the tap is sampled; None where the network's output was not asked for, or counts nothing.
    """
    if not sampler.with_output:
        return None
    noise = []
    if sampler.mode == "input":
        noise = [torch.rand(len(example), sampler.samples, *site.noise_shape) for site in sampler.sites]
    alone = _operations(sampler.observe([]), example, *noise)
    return _operations(sampler.module, example, *noise) / alone if alone else None


def _operations(module: fx.GraphModule, *inputs: Tensor) -> int:
    mode, counter = FakeTensorMode(allow_non_fake_inputs=True), FlopCounterMode(display=False)
    with torch.no_grad(), mode, counter:
        module(*map(mode.from_tensor, inputs))
    return int(counter.get_total_flops())
