# SPDX-License-Identifier: Apache-2.0
"""Find the state dicts in what a checkpoint file holds: alone, in a dict under any name, or as a pickled module."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from export.errors import CheckpointError
from export.findings import PLACEHOLDER
from lsood_runtime.offline import printable

StateEntries = Mapping[str, object]
"""Entries of a state dict by name: tensors, and what the extra state of a module or a careless save adds to them."""

_DEPTH = 2  # of dicts within the file's own


@dataclass(frozen=True, eq=False)
class StateDict:
    """A state dict of a checkpoint.

    Attributes:
        key: names of the dicts that lead to it, joined by dots; empty where the file is the state dict itself.
        weights: its entries.
        module: the pickled module whose state it is; None for a plain dict.
    """

    key: str
    weights: StateEntries
    module: nn.Module | None = None

    def holds_as_many_as(self, weights: StateEntries) -> bool:
        """Whether it has at least as many entries, so that it may be another copy of the same network."""
        return len(self.weights) >= len(weights)


def find_state_dicts(contents: object, key: str | None = None) -> tuple[StateDict, ...]:
    """All state dicts of a checkpoint, those nearer to its root first.

    Args:
        contents: of the file.
        key: names the only one to take; dots lead into nested dicts.

    Raises:
        CheckpointError: nothing stands under ``key``, or no state dict does.
    """
    found = tuple(sorted(_walk(contents, "", _DEPTH), key=lambda each: each.key.count(".") if each.key else -1))
    if key is None:
        return tuple(each for each in found if each.key.partition(".")[0] != "hyper_parameters")
    chosen = tuple(each for each in found if each.key == key)
    if not chosen:
        known = [each.key for each in found if each.key]
        near = known if len(known) == 1 else difflib.get_close_matches(key, known, n=2, cutoff=0.8)
        raise CheckpointError(
            f"expected a state dict under --key {key}, found none: the file has {printable(', '.join(known) or 'none')}",
            words=("--key", near[0] if len(near) == 1 else PLACEHOLDER) if known else (),
            without=() if known else ("--key",),
        )
    return chosen


def _walk(value: object, key: str, depth: int) -> Iterator[StateDict]:
    if isinstance(value, nn.Module):
        yield StateDict(key, value.state_dict(), value)
    elif isinstance(value, dict):
        if all(isinstance(name, str) for name in value) and (
            key == "state_dict" or any(isinstance(entry, Tensor) for entry in value.values())
        ):
            yield StateDict(key, value)
        if depth:
            for name, entry in value.items():
                if isinstance(name, str):
                    yield from _walk(entry, f"{key}.{name}" if key else name, depth - 1)
