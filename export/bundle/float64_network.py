# SPDX-License-Identifier: Apache-2.0
"""Run a network in float64 for a while, to see how much of what it computes in float32 is rounding."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

_ATEN = torch.ops.aten
_WHOLE = (_ATEN.conv1d.default, _ATEN.conv2d.default, _ATEN.conv3d.default)
"""What inference mode does not take apart into ``aten.convolution``."""

_UNFOLDED = 2**28
"""Bytes of an unfolded input above which a convolution in float64 is made in several."""


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
        with _ChannelsInTurn():  # type: ignore[no-untyped-call]
            yield
    finally:
        for tensor, data in zip(weights, kept, strict=True):
            tensor.data = data


class _ChannelsInTurn(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Make a large convolution in float64 as a sum over some of the input's channels at a time.

    PyTorch unfolds the input of such a convolution: 2.9 GB for a decoder's 304 channels on 256x512 cells.
    """

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in _WHOLE:
            with self:
                return func.decompose(*args, **given)
        if func is not _ATEN.convolution.default or given or args[6] or args[8] != 1:
            return func(*args, **given)
        images, weight, bias, *others = args
        parts = _parts(images, weight, *others[:3])
        if images.dtype != torch.float64 or parts == 1:
            return func(*args)
        channels = zip(images.tensor_split(parts, dim=1), weight.tensor_split(parts, dim=1), strict=True)
        total: Tensor = func(*next(channels), bias, *others)
        for some, their in channels:
            total += func(some, their, None, *others)
        return total


def _parts(images: Tensor, weight: Tensor, stride: list[int], padding: list[int], dilation: list[int]) -> int:
    """Into how many groups of channels a convolution falls, so that the unfolded input of each keeps below ``_UNFOLDED``."""
    kernel = weight.shape[2:]
    cells = len(images)
    for i, size in enumerate(images.shape[2:]):
        s, p, d = (values[i % len(values)] for values in (stride, padding, dilation))
        cells *= (size + 2 * p - d * (kernel[i] - 1) - 1) // s + 1
    unfolded = math.prod(kernel) * cells * images.shape[1] * images.element_size()
    return min(images.shape[1], -(-unfolded // _UNFOLDED)) if math.prod(kernel) > 1 else 1
