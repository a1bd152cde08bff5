# SPDX-License-Identifier: Apache-2.0
"""Find mean and deviation in the arithmetic that a network does on its input before its first layer, by watching it run."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from export.checkpoint.probe import run_once
from export.errors import ConversionError
from export.pipeline.stated_preprocessing import words

_LEAST_MEAN = 0.02
_LEAST_STD = 1 / 32
"""Bounds of mean and deviation of frames in [0, 1]."""

_SIGNS = {"add": 1, "sub": -1}
_COPIES = {"clone", "detach", "alias", "lift_fresh", "_to_copy", "contiguous", "to"}
"""Operations whose result has the values of their input."""

_SPATIAL = {"pad", "constant_pad_nd", "replication_pad2d", "reflection_pad2d"}
"""Operations that change the size of a picture, not its values."""


@dataclass(frozen=True)
class InputArithmetic:
    """What reaches the first layer of a network: ``(x - mean) / std``.

    Attributes:
        mean: one number for each channel, in the unit of the network's input.
        std: likewise; not 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def white(self) -> float | None:
        """Level of white, 1 or 255, for which these are mean and deviation of frames; None for arithmetic of another kind."""
        for white in (1.0, 255.0):
            mean, std = ([value / white for value in values] for values in (self.mean, self.std))
            centred = all(_LEAST_MEAN <= value <= 1 - _LEAST_MEAN for value in mean)
            if (centred and all(_LEAST_STD <= value <= 1 or value * white == 1 for value in std)) or (
                white > 1 and not any(mean) and all(_LEAST_STD <= value <= 2 for value in std)
            ):
                return white
        return None

    def __str__(self) -> str:
        """As a formula."""
        mean, std = (
            f"{values[0]:.6g}" if len(set(values)) == 1 else f"[{words(values)}]" for values in (self.mean, self.std)
        )
        return f"(x - {mean}) / {std}" if any(self.mean) else f"x / {std}"


def input_arithmetic(network: nn.Module, image: Tensor) -> InputArithmetic | None:
    """Run a network up to the first operation that is no addition, multiplication or the like of its input by constants.

    Args:
        network: in evaluation mode.
        image: ``(1, C, H, W)``, an input of it.

    Returns:
        What is done with the input until then; None where it is taken as it is, or the network raises an exception before.
    """
    watch = _FollowedInput(image.clone())
    # what a network raises is told where its output is looked at; a scripted part turns the end of the run into such an error
    with suppress(_SeenError, ConversionError), watch:
        run_once(network, watch.image)
    if watch.seen is None:
        return None
    scale, offset = watch.seen
    if bool((scale == 0).any()) or (bool((scale == 1).all()) and bool((offset == 0).all())):
        return None
    mean, std = -offset / scale + 0.0, 1 / scale  # adding zero makes no -0
    return InputArithmetic(tuple(mean.tolist()), tuple(std.tolist()))


class _SeenError(BaseException):
    """Ends the run of a network of which enough was seen; no ``except Exception`` of the network catches it."""


class _FollowedInput(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the input of a network through arithmetic with constants, each channel as ``scale * x + offset``.

    Args:
        image: the input.

    Attributes:
        seen: scale and offset of each channel where the first other operation takes them; None where it takes several such.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.image = image
        self.seen: tuple[Tensor, Tensor] | None = None
        channels = image.shape[1]
        self._known = WeakTensorKeyDictionary()
        self._known[image] = (torch.ones(channels, dtype=torch.float64), torch.zeros(channels, dtype=torch.float64))

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        name = func.overloadpacket.__name__.removesuffix("_")
        followed = [arg for arg in args if isinstance(arg, Tensor) and arg in self._known]
        nested = [item for arg in args if isinstance(arg, list | tuple) for item in arg if isinstance(item, Tensor)]
        if not followed and not any(item in self._known for item in nested):
            return func(*args, **(kwargs or {}))
        after = self._after(name, args, kwargs or {}) if len(followed) == 1 and not nested else None
        if after is None:
            self.seen = self._known[followed[0]] if followed and not nested else None
            raise _SeenError
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self._known[result] = after
        return result

    def _after(self, name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[Tensor, Tensor] | None:
        """Scale and offset of the result; None for an operation that is none of those that are followed."""
        first = args[0]
        of_first = isinstance(first, Tensor) and first in self._known
        scale, offset = self._known[first] if of_first else self._known[args[1]]
        if name in _COPIES:
            return scale, offset
        if name in _SPATIAL or name.startswith(("upsample_", "_upsample_")):
            return scale, offset
        if name == "neg":
            return -scale, -offset
        if len(args) < 2:
            return None
        other = self._constant(args[1] if of_first else first)
        if other is None:
            return None
        if name in ("add", "sub"):
            alpha = kwargs.get("alpha", 1)
            assert isinstance(alpha, int | float)
            factor = _SIGNS[name] * alpha
            return (scale, offset + factor * other) if of_first else (factor * scale, other + factor * offset)
        if name == "rsub":
            return -scale, other - offset
        if name == "mul":
            return scale * other, offset * other
        if name == "div" and of_first and "rounding_mode" not in kwargs:
            return scale / other, offset / other
        return None

    def _constant(self, value: object) -> Tensor | None:
        """One number, or one for each channel, in float64; None for everything else."""
        channels = self.image.shape[1]
        if isinstance(value, int | float):
            return torch.full((channels,), float(value), dtype=torch.float64)
        if not isinstance(value, Tensor):
            return None
        shape = tuple(value.shape)
        if value.numel() == 1 or shape in ((channels, 1, 1), (1, channels, 1, 1)):
            return value.detach().to(torch.float64).flatten().expand(channels).clone()
        return None
