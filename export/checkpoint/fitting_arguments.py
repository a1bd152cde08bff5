# SPDX-License-Identifier: Apache-2.0
"""Find the constructor arguments of a network that a checkpoint does not carry, by the shapes of its weights."""

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from export.errors import CheckpointError, ExportError
from export.findings import PLACEHOLDER

_MOST_NAMES = 6
_MOST_CANDIDATES = 12
_LARGEST = 4096
_SECONDS = 10.0
_SWEEPS = 2
_MOST_BUILT = 150

WeightShape = tuple[int, ...]


def fitting_arguments(
    names: Sequence[str],
    build: Callable[[Mapping[str, int]], nn.Module],
    weights: Iterable[WeightShape],
    defaults: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Find whole numbers with which a network has weights of the shapes that a checkpoint has.

    The numbers that come into question are the lengths that the shapes have themselves: a number of classes or of input
    channels is one of them. The network is built without memory for its weights; what its constructor does with a number that
    is none of its own is not looked at.

    Args:
        names: of the arguments that are missing.
        build: makes the network with these arguments.
        weights: shapes of the checkpoint's, in the order of its entries.
        defaults: values of arguments that have one, which others are preferred to only where they fit better.

    Returns:
        For each name the one number that fits. None of those for which several fit, and none at all where the network cannot
        be built so, or where the search takes longer than some seconds.
    """
    wanted = list(weights)
    found = _candidates(wanted)
    if not (names and found) or len(names) > _MOST_NAMES:
        return {}
    search = _Search(build, Counter(wanted))
    candidates = {name: list(dict.fromkeys([*_default_of(name, defaults), *found])) for name in names}
    best = _best(search, candidates)
    misfit = search.misfit(best)
    if misfit.lacking > 0:
        return {}
    others = {name: [{**best, name: other} for other in candidates[name] if other != best[name]] for name in names}
    fitting = {name: any(search.misfit(arguments) == misfit for arguments in each) for name, each in others.items()}
    return {} if search.is_over else {name: best[name] for name in names if not fitting[name]}


def _best(search: "_Search", candidates: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """The arguments that fit best: of all combinations where they are few, else by one argument after the other."""
    if math.prod(map(len, candidates.values())) <= _MOST_BUILT:
        combinations = (
            dict(zip(candidates, values, strict=True)) for values in itertools.product(*candidates.values())
        )
        return min(combinations, key=lambda arguments: sum(search.misfit(arguments)))
    best = {name: values[0] for name, values in candidates.items()}
    for _ in range(_SWEEPS):
        for name, values in candidates.items():
            ranked = {value: search.misfit({**best, name: value}) for value in values}
            best[name] = min(ranked, key=lambda value: sum(ranked[value]))
    return best


def _default_of(name: str, defaults: Mapping[str, int] | None) -> list[int]:
    return [] if defaults is None or name not in defaults else [defaults[name]]


def _candidates(shapes: Sequence[WeightShape]) -> list[int]:
    """Lengths that are few: those at the ends first, where a network's numbers of channels and classes are."""
    maps = [shape for shape in shapes if len(shape) >= 2]
    ends = [length for shape in (maps[:1] + maps[::-1][:1]) for length in shape[:2]]
    lengths = [length for shape in maps for length in shape[:2]]
    usual = [length for length, _ in Counter(lengths).most_common()]
    found = [length for length in dict.fromkeys([*ends, *usual]) if 0 < length <= _LARGEST]
    return found[:_MOST_CANDIDATES]


class _Misfit(NamedTuple):
    """Shapes that a network has and a checkpoint lacks, and shapes that only the checkpoint has."""

    lacking: float
    left_over: float


_NONE_BUILT = _Misfit(float("inf"), float("inf"))


class _Search:
    """How networks fit the shapes of a checkpoint; each is built once."""

    def __init__(self, build: Callable[[Mapping[str, int]], nn.Module], wanted: Counter[WeightShape]) -> None:
        self._build, self._wanted = build, wanted
        self._known: dict[tuple[tuple[str, int], ...], _Misfit] = {}
        self._end = time.monotonic() + _SECONDS

    @property
    def is_over(self) -> bool:
        """Whether time is up, so that not all was looked at."""
        return time.monotonic() >= self._end

    def misfit(self, arguments: Mapping[str, int]) -> _Misfit:
        """How the network of these arguments fits; infinitely badly where it cannot be built, or where time is up."""
        key = tuple(sorted(arguments.items()))
        if key not in self._known:
            self._known[key] = self._measure(arguments) if not self.is_over else _NONE_BUILT
        return self._known[key]

    def _measure(self, arguments: Mapping[str, int]) -> _Misfit:
        try:
            with torch.random.fork_rng(devices=[]), torch.device("meta"):
                network = self._build(arguments)
        except ExportError:
            return _NONE_BUILT
        own = Counter(tuple(tensor.shape) for tensor in network.state_dict().values() if isinstance(tensor, Tensor))
        return _Misfit((own - self._wanted).total(), (self._wanted - own).total())


def with_fitting_arguments(
    error: CheckpointError, build: Callable[[Mapping[str, int]], nn.Module], weights: Iterable[WeightShape]
) -> CheckpointError:
    """The error of missing arguments with those that fit the weights in its message and words; any other error as it is.

    Args:
        error: whose words name missing arguments by placeholders.
        build: makes the network with these arguments beside those that are known.
        weights: shapes of the checkpoint's, in the order of its entries.
    """
    blank = f"={PLACEHOLDER}"
    if error.words[:1] != ("--model-arg",):
        return error
    names = [word.removesuffix(blank) for word in error.words if word.endswith(blank)]
    found = fitting_arguments(names, build, weights)
    if not found:
        return error
    words = [word.replace(blank, f"={found.get(word.removesuffix(blank), PLACEHOLDER)}") for word in error.words]
    shown = " ".join(f"{name}={value}" for name, value in found.items())
    return CheckpointError(f"{error}; the shapes of its weights are those of {shown}", words=words)


def with_other_arguments(
    error: CheckpointError,
    build: Callable[[Mapping[str, int]], nn.Module],
    defaults: Mapping[str, int],
    weights: Iterable[WeightShape],
    had: str = "the default",
) -> CheckpointError:
    """The error of weights that do not fit, with the arguments under which they do; as it is where there are no such.

    Args:
        error: of weights that are another network's.
        build: makes the network with other values of the arguments.
        defaults: the values that they had.
        weights: shapes of the checkpoint's, in the order of its entries.
        had: those values in words.
    """
    found = fitting_arguments(list(defaults), build, weights, defaults)
    words = [f"{name}={value}" for name, value in found.items() if value != defaults[name]]
    if error.words or not words:
        return error
    shown = " ".join(words)
    return CheckpointError(
        f"{error}; they fit with --model-arg {shown} in place of {had}", words=("--model-arg", *words)
    )
