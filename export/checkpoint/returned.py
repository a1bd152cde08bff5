# SPDX-License-Identifier: Apache-2.0
"""The tensors that a network returns: one, or several in mappings, tuples, lists and data classes, at any depth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class ReturnedTensor:
    """A tensor in what a network returned.

    Attributes:
        names: the way to it, a key, a field or an index at each depth; none where the network returned it alone.
        tensor: the tensor.
    """

    names: tuple[str, ...]
    tensor: Tensor

    def __str__(self) -> str:
        return f"{self.label} {describe(self.tensor)}"

    @property
    def label(self) -> str:
        """The way to it as ``--output`` takes it: ``out.0``."""
        return ".".join(self.names)


def describe(tensor: Tensor) -> str:
    """Shape of a tensor, and its type where that is not float32: ``(1, 12, 180, 240)``."""
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{tuple(tensor.shape)}" + (f" {kind}" if kind != "float32" else "")


def returned_tensors(output: object, names: tuple[str, ...] = ()) -> Iterator[ReturnedTensor]:
    """Yield the tensors in their order; what is neither a tensor nor a container of some is passed over."""
    if isinstance(output, Tensor):
        yield ReturnedTensor(names, output)
    for name, value in items_of(output):
        yield from returned_tensors(value, (*names, name))


def items_of(output: object) -> Sequence[tuple[str, object]]:
    """The parts of a container by key, field or index; none of anything else."""
    if isinstance(output, Mapping):
        return [(str(name), value) for name, value in output.items()]
    if isinstance(output, tuple | list):
        names: Sequence[object] = getattr(output, "_fields", range(len(output)))
        return [(str(name), value) for name, value in zip(names, output, strict=True)]
    if is_dataclass(output) and not isinstance(output, type):
        return [(item.name, getattr(output, item.name)) for item in fields(output)]
    return []


def find_part(output: object, text: str) -> tuple[tuple[str, ...], object] | None:
    """Find a part of what a network returned by its way, at each depth a name or an index: ``out``, ``1``, ``out.0``.

    Returns:
        The names on the way and the part; None where there is none.
    """
    for i, (name, value) in enumerate(items_of(output)):
        for label in (name, str(i)):
            if text == label:
                return (name,), value
            if text.startswith(f"{label}.") and (found := find_part(value, text.removeprefix(f"{label}."))):
                return (name, *found[0]), found[1]
    return None


def take(output: object, names: Sequence[str]) -> object:
    """The part of what a network returned that lies at the end of a way of names."""
    for name in names:
        output = dict(items_of(output))[name]
    return output
