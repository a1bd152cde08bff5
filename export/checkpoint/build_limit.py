# SPDX-License-Identifier: Apache-2.0
"""Stop the construction of a network that grows far beyond the weights that are there to fill it.

All weights of a network come from its checkpoint. A hyper-parameter that is wrong by many orders of magnitude, such as a
number of classes of 10^9, would fill the memory of the machine, or take days, before the weights could be compared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from export.checkpoint.state_dicts import StateDict
from export.errors import CheckpointError

FACTOR, MOST_TENSORS = 64, 1_000_000
"""Numbers that a construction may make for each number of the checkpoint, and tensors that it may make in all."""

_ROOM = 2**29
"""Numbers that any construction may make: tables and initial values that no checkpoint keeps."""

_SIZE_FIRST = frozenset({"empty", "zeros", "ones", "full", "rand", "randn", "randint", "randperm", "arange", "eye"})


@contextmanager
def limited_construction(sources: Sequence[StateDict]) -> Iterator[None]:
    """Watch the tensors that are made within.

    Args:
        sources: the weights that are there.

    Raises:
        CheckpointError: they become too large or too many; raised before the tensor is made.
    """
    there = sum(value.numel() for source in sources for value in source.weights.values() if isinstance(value, Tensor))
    with _Watched(_ROOM + FACTOR * there):
        yield


class _Watched(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, most: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._most, self._made, self._count = most, 0, 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self._count += 1
        if func.overloadpacket.__name__ in _SIZE_FIRST and args:
            self._made += _numbers(args)
        if self._made > self._most or self._count > MOST_TENSORS:
            raise CheckpointError(
                f"expected hyper-parameters of the network whose weights the checkpoint holds, a network built with them "
                f"makes more than {self._most:,} numbers or {MOST_TENSORS:,} tensors: correct them by --model-arg key=value"
            )
        return func(*args, **(kwargs or {}))


def _numbers(args: Sequence[Any]) -> int:
    size = [args[0]] if isinstance(args[0], int | float) else args[0]
    return math.prod(int(side) for side in size) if isinstance(size, list | tuple) else 0
