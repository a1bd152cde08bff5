# SPDX-License-Identifier: Apache-2.0
"""Name the constructor arguments under which the weights of a checkpoint are those of a network."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence

from torch import Tensor

from export.checkpoint.fitting_arguments import WeightShape, with_fitting_arguments, with_other_arguments
from export.checkpoint.state_dicts import StateDict
from export.checkpoint.user_model import build_network
from export.errors import CheckpointError


def with_missing_arguments(
    error: CheckpointError,
    target: Callable[..., object],
    known: Mapping[str, object],
    sources: Sequence[StateDict],
) -> CheckpointError:
    """The error of a call that lacks arguments, with those that the weights tell.

    Args:
        error: of the call.
        target: class or factory function.
        known: arguments that there are.
        sources: state dicts of the checkpoint.
    """
    return with_fitting_arguments(error, lambda more: build_network(target, {**known, **more}), _shapes(sources))


def with_better_arguments(
    error: CheckpointError,
    target: Callable[..., object] | None,
    known: Mapping[str, object],
    sources: Sequence[StateDict],
    typed: Collection[str],
) -> CheckpointError:
    """The error of weights that do not fit, with the whole numbers under which they would.

    Args:
        error: of the weights.
        target: class or factory function; None where there is none.
        known: arguments that it was called with.
        sources: state dicts of the checkpoint.
        typed: names of the arguments that the user gave: where there are numbers among them, one of these is wrong first.
    """
    if target is None:
        return error
    numbers = {name: value for name, value in known.items() if type(value) is int}
    stated = {name: value for name, value in numbers.items() if name in typed} or numbers
    parameters = inspect.signature(target).parameters.values()
    defaults = {p.name: p.default for p in parameters if type(p.default) is int and p.name not in known}
    had = " ".join(f"{name}={value}" for name, value in stated.items())
    for tried, words in ((stated, had), (defaults, "the default")):
        if tried and not error.words:
            error = with_other_arguments(
                error, lambda more: build_network(target, {**known, **more}), tried, _shapes(sources), words
            )
    return error


def _shapes(sources: Sequence[StateDict]) -> list[WeightShape]:
    """Shapes of the largest state dict's tensors."""
    entries = max((source.weights for source in sources), key=len)
    return [tuple(value.shape) for value in entries.values() if isinstance(value, Tensor)]
