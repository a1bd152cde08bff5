# SPDX-License-Identifier: Apache-2.0
"""Find out whether a network normalises its input itself.

By running it with the mean and deviation that it keeps taken out, and by watching what it computes of its input first.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from export.checkpoint.chosen_output import whole_network
from export.checkpoint.probe import run_once
from export.errors import UsageError
from export.pipeline.hyper_parameters import NORMALISATION_NAMES
from export.pipeline.inner_arithmetic import input_arithmetic
from export.pipeline.normalisation_scale import check_scale
from lsood_runtime.offline import printable

Use = Literal["input", "none", "other"]

_NAMES = (*NORMALISATION_NAMES, ("_mean", "_std"))
_SAME = 1e-3
"""Difference of two outputs, as a share of the greatest value, that rounding may make."""


@dataclass(frozen=True)
class InnerNormalisation:
    """Mean and deviation that a module of the network keeps, or that stand in its code.

    Attributes:
        place: the module's and its attributes' names, or the arithmetic, for messages.
        mean: one number, or one for each channel.
        std: likewise.
        use: ``input`` where the network normalises its input by them, ``none`` where its forward reads neither, ``other``.
        white: level of white that the network takes, 1 or 255, where it normalises its input.
        certain: False where arithmetic of the network's code is taken for a normalisation.
    """

    place: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    use: Use
    white: float
    certain: bool = True


def inner_normalisation(network: nn.Module, shape: tuple[int, int, int]) -> InnerNormalisation | None:
    """Look for a module that keeps mean and deviation of the input, and measure what the network does with them.

    With mean 0 and deviation 1 in their place, a network that normalises its input gives for a normalised input what it
    gave before, and one that never reads them gives for the same input what it gave before. Where no module's constants
    normalise the input, the arithmetic before the network's first layer may: numbers in its code, tensors under other names.

    Args:
        network: in evaluation mode; it is as before afterwards.
        shape: ``(C, H, W)`` of its input.

    Returns:
        The first that normalises the input, else the first of any use; None where there are no such constants.

    Raises:
        ConversionError: the network raises an exception.
    """
    found = [_measured(network, shape, *candidate) for candidate in _candidates(network, shape[0])]
    normalising = next((each for each in found if each.use == "input"), None) or _in_code(network, shape)
    return normalising or (found[0] if found else None)


def _in_code(network: nn.Module, shape: tuple[int, int, int]) -> InnerNormalisation | None:
    arithmetic = input_arithmetic(network, torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)))
    if arithmetic is None or arithmetic.white is None:
        return None
    place = f"its code computes {arithmetic} of its input x first"
    return InnerNormalisation(place, arithmetic.mean, arithmetic.std, "input", arithmetic.white, certain=False)


def _candidates(network: nn.Module, channels: int) -> Iterator[tuple[nn.Module, str, tuple[str, str]]]:
    for place, layer in network.named_modules():
        module = whole_network(layer)
        for names in _NAMES:
            values = [_constants(module, name) for name in names]
            fits = all(value is not None and len(value) in (1, channels) for value in values)
            if (
                fits
                and min(values[1] or (0,)) > 0
                and values != [(0,) * len(values[0] or ()), (1,) * len(values[1] or ())]
            ):
                yield module, place, names


def _constants(module: nn.Module, name: str) -> tuple[float, ...] | None:
    """Numbers that a module keeps under a name, as a buffer or as a plain list or tuple; None where it has none."""
    value = dict(module.named_buffers(recurse=False)).get(name, vars(module).get(name))
    if isinstance(value, Tensor):
        shape = [length for length in value.shape if length != 1]
        return tuple(map(float, value.detach().flatten().tolist())) if len(shape) <= 1 and value.numel() else None
    if isinstance(value, list | tuple) and value and all(isinstance(each, float | int) for each in value):
        return tuple(map(float, value))
    return None


def _measured(
    network: nn.Module, shape: tuple[int, int, int], module: nn.Module, place: str, names: tuple[str, str]
) -> InnerNormalisation:
    mean, std = (_constants(module, name) or () for name in names)
    scales = {white: tuple(value / white for value in mean) for white in (1.0, 255.0)}
    white = next((level for level, scaled in scales.items() if _fits(scaled, [value / level for value in std])), 1.0)
    image = white * torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    offset, scale = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
    before = _tensors(run_once(network, image))
    with _without(module, names):
        same = _tensors(run_once(network, image))
        moved = _tensors(run_once(network, (image - offset) / scale))
        levels = _tensors(run_once(network, 255 * (image - offset) / scale))
    in_levels = _tensors(run_once(network, 255 * image)) if white == 1 else None
    unread, by_itself = _close(before, same), _close(before, moved)
    use: Use = "none" if unread and not by_itself else "input" if by_itself and not unread else "other"
    if use == "other" and not unread and in_levels is not None and _close(in_levels, levels):
        use, white = "input", 255.0
    title = " and ".join(names)
    where = f"{title} of {place}" if place else title
    return InnerNormalisation(printable(where), mean, std, use, white)


def _fits(mean: Sequence[float], std: Sequence[float]) -> bool:
    count = max(len(mean), len(std))
    try:
        check_scale(tuple(mean) * (count // len(mean)), tuple(std) * (count // len(std)))
    except UsageError:
        return False
    return True


@contextmanager
def _without(module: nn.Module, names: tuple[str, str]) -> Iterator[None]:
    """Put mean 0 and deviation 1 in the place of a module's own."""
    own = [getattr(module, name) for name in names]
    try:
        for name, value, neutral in zip(names, own, (0.0, 1.0), strict=True):
            replaced = (
                torch.full_like(value, neutral) if isinstance(value, Tensor) else type(value)([neutral] * len(value))
            )
            setattr(module, name, replaced)
        yield
    finally:
        for name, value in zip(names, own, strict=True):
            setattr(module, name, value)


def _tensors(output: object) -> list[Tensor]:
    """The tensors in a network's output, however nested."""
    if isinstance(output, Tensor):
        return [output]
    inner = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    return [tensor for value in inner for tensor in _tensors(value)]


def _close(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and bool((a - b).abs().max() <= _SAME * a.abs().max())
        for a, b in zip(one, other, strict=True)
    )
