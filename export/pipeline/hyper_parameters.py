# SPDX-License-Identifier: Apache-2.0
"""Read sizes and normalisation constants from a checkpoint's hyper-parameters, in the forms in which projects write them."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import SupportsFloat, SupportsIndex

from export.errors import UsageError

_SIZE = re.compile(r"\s*(\d+)(?:\s*[x,]\s*(\d+))?\s*")
_CHANNELS = (1, 3, 4)


def known_input_size(hyper_parameters: Mapping[str, object]) -> tuple[int, int] | None:
    """Rows and columns of the network's input by ``input_size``; None where it is not stated.

    Understood are 512 for a square, ``[360, 480]``, ``"360x480"`` with the rows first, and shapes with the channels before or
    behind, ``[3, 360, 480]`` and ``[360, 480, 3]``, also with a batch of 1 in front.

    Raises:
        UsageError: it is of another form.
    """
    value = hyper_parameters.get("input_size")
    if value is None:
        return None
    sizes = _whole_numbers(value)
    if sizes is not None and len(sizes) == 4 and sizes[0] == 1:
        sizes = sizes[1:]
    if sizes is not None and len(sizes) == 3 and sizes[0] in _CHANNELS:
        sizes = sizes[1:]
    elif sizes is not None and len(sizes) == 3 and sizes[2] in _CHANNELS:
        sizes = sizes[:2]
    if sizes is None or len(sizes) not in (1, 2):
        raise UsageError(
            f"expected rows and columns as the checkpoint's input_size, got {value!r}: give --input-size H W in its place"
        )
    return sizes[0], sizes[-1]


def known_triple(hyper_parameters: Mapping[str, object], name: str) -> tuple[float, float, float] | None:
    """A constant of each channel by its hyper-parameter, one number standing for all three; None where it is not stated.

    Args:
        hyper_parameters: of the checkpoint.
        name: ``mean`` or ``std``.

    Raises:
        UsageError: it is no number and no three of them.
    """
    value = hyper_parameters.get(name)
    if value is None:
        return None
    numbers = _numbers(value)
    if numbers is None or len(numbers) not in (1, 3):
        raise UsageError(
            f"expected one number or three as the checkpoint's {name}, got {value!r}: give --{name} R G B in its place"
        )
    return numbers[0], numbers[len(numbers) // 2], numbers[-1]


def _whole_numbers(value: object) -> tuple[int, ...] | None:
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        return None if found is None else tuple(int(text) for text in found.groups() if text is not None)
    numbers = _numbers(value)
    if numbers is None or not all(number.is_integer() for number in numbers):
        return None
    return tuple(int(number) for number in numbers)


def _numbers(value: object) -> tuple[float, ...] | None:
    """The finite numbers of a number or a sequence, as lists, arrays and tensors are; None where it holds anything else."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    numbers = []
    for item in value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]:
        if isinstance(item, bool) or not isinstance(item, SupportsFloat | SupportsIndex):
            return None
        try:
            numbers.append(float(item))
        except (TypeError, ValueError, OverflowError):
            return None
    return tuple(numbers) if all(map(math.isfinite, numbers)) else None
