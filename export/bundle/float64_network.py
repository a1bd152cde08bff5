# SPDX-License-Identifier: Apache-2.0
"""Run a network in float64 for a while, to see how much of what it computes in float32 is rounding."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn


@contextmanager
def in_float64(network: nn.Module) -> Iterator[None]:
    """Hold a network's float32 weights in float64 inside; afterwards it holds the very tensors that it held before."""
    weights = [
        tensor
        for tensor in chain(nn.Module.parameters(network), nn.Module.buffers(network))
        if tensor.dtype in (torch.float32, torch.float16)
    ]
    kept = [tensor.data for tensor in weights]
    try:
        for tensor in weights:
            tensor.data = tensor.data.double()
        yield
    finally:
        for tensor, data in zip(weights, kept, strict=True):
            tensor.data = data
