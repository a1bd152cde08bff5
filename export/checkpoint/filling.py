# SPDX-License-Identifier: Apache-2.0
"""Fill a network with the weights of a checkpoint, which must be all of its weights, by torch's own judgement."""

import copy
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss
from torch.nn.parameter import is_lazy

from export.checkpoint.key_renaming import Renaming, renamings, without_prefix
from export.checkpoint.state_dicts import StateDict, StateEntries
from export.errors import CheckpointError, first_line
from export.findings import PLACEHOLDER, Finding
from lsood_runtime.offline import printable

OF_ANOTHER_NETWORK = "are another network's"
"""What an error says of weights that do not fit."""


@dataclass(frozen=True, eq=False)
class _Trial:
    """What torch says of a state dict in a network.

    Attributes:
        source: of the entries.
        renaming: of them.
        missing: weights of the network that they lack.
        unexpected: entries that the network does not have.
        unused: such entries that cannot change what it computes: of a loss, or no tensors.
        misfit: the first line of an error.
    """

    source: StateDict
    renaming: Renaming
    missing: tuple[str, ...]
    unexpected: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    misfit: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the network has all its weights by it."""
        return not (self.missing or self.misfit)

    def has_only_some(self, number: int) -> bool:
        """Whether it has some of that many weights and nothing else."""
        return len(self.missing) < number and not (self.unexpected or self.misfit or self.renaming.left_out)

    @property
    def fits(self) -> bool:
        """Whether it has them and nothing else."""
        return self.is_complete and not self.unexpected

    @property
    def distance(self) -> int:
        """Number of names that do not fit, to choose the trial of which a message tells."""
        return len(self.missing) + len(self.unexpected) + len(self.renaming.left_out)

    @property
    def details(self) -> str:
        """What is wrong, in words."""
        wrong = {"missing": self.missing, "unexpected": self.unexpected}
        counts = [f"{len(names)} {what}, the first is {names[0]}" for what, names in wrong.items() if names]
        return printable("; ".join(counts or [self.misfit or ""]))

    @property
    def words(self) -> tuple[str, ...]:
        """Flags that choose these weights."""
        key = ("--key", self.source.key) if self.source.key else ()
        return (*key, "--prefix", self.renaming.prefix) if self.renaming.prefix else key


def fill_network(
    network: nn.Module,
    sources: Sequence[StateDict],
    path: Path,
    prefix: str | None = None,
    *,
    may_lack: bool = False,
    remedy: str,
) -> tuple[Finding, ...]:
    """Load the one state dict that holds all weights of the network, and nothing else under its prefix.

    Args:
        network: is changed.
        sources: state dicts of the checkpoint, at least one.
        path: of the checkpoint, for messages.
        prefix: of the names to take; None to find it.
        may_lack: weights that the file lacks stay as they are, as long as it holds some and no others.
        remedy: for weights that do not fit.

    Returns:
        How they were found, where that is not plain: key, prefix, wrappers, number formats, and what was left out.

    Raises:
        CheckpointError: no state dict fits, or several that differ.
    """
    _give_own_memory(network, sources)
    expected = network.state_dict()
    as_built = copy.deepcopy(_all_weights(network)) if may_lack else {}
    tried = [trial for source in _with_prefix(sources, prefix) for trial in _trials(network, *source, list(expected))]
    fitting = [trial for trial in tried if trial.fits]
    closest = min(tried, key=lambda trial: trial.distance)
    if fitting:
        chosen = _the_one(fitting, network, expected, path)
        rivals = (trial for trial in tried if trial.is_complete and trial.source is chosen.source)
        closest = next((trial for trial in rivals if not _same(trial, chosen, expected)), chosen)
    partial = [trial for trial in tried if may_lack and not fitting and trial.has_only_some(len(as_built))]
    if partial:
        for name, value in _all_weights(network).items():
            value.copy_(as_built[name])  # other trials have written to it
        chosen = closest = min(partial, key=lambda trial: trial.distance)
    elif not closest.fits:
        raise CheckpointError(
            f"expected weights of {type(network).__name__}, those in {path} {OF_ANOTHER_NETWORK}: "
            f"{closest.details}; {remedy}"
        )
    network.load_state_dict(chosen.renaming.weights, strict=False)
    return tuple(_findings(chosen, network, expected))


def _give_own_memory(network: nn.Module, sources: Sequence[StateDict]) -> None:
    """Part a pickled network from the state dicts of its file, with which it may share memory, since trials write to it."""
    entries = (value for source in sources for value in source.weights.values())
    shared = {value.untyped_storage().data_ptr() for value in entries if _is_dense(value)}
    for value in (*nn.Module.parameters(network), *nn.Module.buffers(network)):
        if _is_dense(value) and value.untyped_storage().data_ptr() in shared:
            value.data = value.data.clone()


def _is_dense(value: object) -> TypeGuard[Tensor]:
    """Whether it is a tensor with numbers in memory, none of a lazy layer, and none of zeros alone."""
    return isinstance(value, Tensor) and not is_lazy(value) and value.layout is torch.strided and value.numel() > 0


def _with_prefix(sources: Sequence[StateDict], prefix: str | None) -> list[tuple[StateDict, Renaming | None]]:
    """The sources with their entries under a given prefix; those that have none are left out."""
    if prefix is None:
        return [(source, None) for source in sources]
    given: list[tuple[StateDict, Renaming | None]] = []
    refused = []
    for source in sources:
        try:
            given.append((source, without_prefix(source.weights, prefix)))
        except CheckpointError as error:
            refused.append(error)
    if not given:
        raise refused[0]
    return given


def _trials(network: nn.Module, source: StateDict, given: Renaming | None, expected: list[str]) -> list[_Trial]:
    """The trials of the plainest renamings under which all fits, else of all that were tried."""
    trials: list[_Trial] = []
    weights = source.weights if given is None else given.weights
    for rank in renamings(weights, expected, with_prefixes=given is None):
        if given is not None:
            rank = [replace(renaming, prefix=given.prefix, left_out=given.left_out) for renaming in rank]
        trials += [_try(network, source, renaming) for renaming in rank]
        if any(trial.fits for trial in trials):
            break
    return trials


def _try(network: nn.Module, source: StateDict, renaming: Renaming) -> _Trial:
    expected = network.state_dict()
    try:
        _refuse_other_numbers(renaming.weights, expected)
        report = network.load_state_dict(renaming.weights, strict=False)
    except Exception as error:  # torch's RuntimeError of shapes, or whatever a network's own hooks raise
        missing = tuple(name for name in expected if name not in renaming.weights)
        unexpected = tuple(name for name in renaming.weights if name not in expected)
        return _Trial(source, renaming, missing, unexpected, misfit=shortened_report(error))
    absent, weights = set(report.missing_keys), _all_weights(network)
    shared = {_place(tensor) for name, tensor in weights.items() if name not in absent}
    unused = tuple(name for name in report.unexpected_keys if _is_unused(network, name, renaming.weights[name]))
    return _Trial(
        source,
        renaming,
        tuple(name for name in report.missing_keys if _place(weights.get(name)) not in shared),
        tuple(name for name in report.unexpected_keys if name not in unused),
        unused,
    )


def _refuse_other_numbers(weights: StateEntries, expected: Mapping[str, object]) -> None:
    """Refuse integers and complex numbers in the place of real weights, which torch copies with a warning at most."""
    for name, value in weights.items():
        wanted = expected.get(name)
        if not (isinstance(value, Tensor) and isinstance(wanted, Tensor)):
            continue
        if wanted.is_floating_point() and not value.is_floating_point():
            raise ValueError(
                f"{name} is {_type(value)} where the network has {_type(wanted)}: save it before it is quantised"
            )


def _all_weights(network: nn.Module) -> dict[str, Tensor]:
    """Weights of a network, those too that a ``state_dict`` of its own leaves out; they share its memory."""
    return {name: value for name, value in nn.Module.state_dict(network).items() if isinstance(value, Tensor)}


def _place(value: object) -> object:
    """Equal for tied weights, of which a file may hold one name alone; unlike for all else."""
    if _is_dense(value):
        return value.data_ptr(), value.shape, value.stride()
    return object()


def _is_unused(network: nn.Module, name: str, value: object) -> bool:
    if not isinstance(value, Tensor):
        return True
    try:
        return isinstance(network.get_submodule(name.rpartition(".")[0]), _Loss)
    except AttributeError:
        return False


def shortened_report(error: Exception) -> str:
    """Shorten torch's report to its first line that names a parameter."""
    detail = next((line.strip().rstrip(".") for line in str(error).splitlines()[1:]), str(error) or first_line(error))
    return detail if len(detail) < 200 else f"{detail[:200]} ..."


def _the_one(fitting: Sequence[_Trial], network: nn.Module, expected: Mapping[str, object], path: Path) -> _Trial:
    """The first of several that do not differ.

    Raises:
        CheckpointError: they differ.
    """
    unlike = [trial for trial in fitting if not _same(trial, fitting[0], expected)]
    if unlike:
        several = (fitting[0], *unlike)
        flag = "--key" if len({trial.source.key for trial in several}) == len(several) else "--prefix"
        raise CheckpointError(
            f"expected one set of weights of {type(network).__name__}, {path} has {len(several)} that differ: choose by "
            f"{' or '.join(printable(shlex.join(trial.words or ('--prefix', ''))) for trial in several)}",
            words=(flag, PLACEHOLDER),
        )
    return fitting[0]


def _same(one: _Trial, other: _Trial, expected: Mapping[str, object]) -> bool:
    """Whether two trials give the network the same weights, bit for bit."""
    pairs = ((one.renaming.weights.get(name), other.renaming.weights.get(name)) for name in expected)
    return all(torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor) and isinstance(b, Tensor))


def _findings(chosen: _Trial, network: nn.Module, expected: Mapping[str, object]) -> Iterator[Finding]:
    name, renaming = type(network).__name__, chosen.renaming
    if chosen.source.key not in ("", "state_dict"):
        reason = f"the state dict there has all weights of {name}"
        yield Finding("weights", f"key {printable(chosen.source.key)}", "found", reason, ("--key", chosen.source.key))
    if renaming.prefix:
        reason = f"behind it the names are those of {name}{_left_out(renaming.left_out)}"
        yield Finding("weights", f"prefix {printable(renaming.prefix)}", "found", reason, ("--prefix", renaming.prefix))
    if renaming.wrappers:
        reason = f"without these parts the names are those of {name}"
        yield Finding("weights", f"names without {', '.join(renaming.wrappers)}", "found", reason)
    if renaming.outer:
        reason = f"they are those of the network within {name}"
        yield Finding("weights", f"names below {renaming.outer}", "found", reason)
    if chosen.missing:
        reason = f"the file lacks them and the module's strict_loading allows it, the first is {chosen.missing[0]}"
        yield Finding("weights", f"{len(chosen.missing)} as the constructor sets them", "guessed", reason)
    if chosen.unused:
        others = f" and {len(chosen.unused) - 1} more" if len(chosen.unused) > 1 else ""
        reason = "of a loss, or no tensor: without part in what the network computes"
        yield Finding("weights", f"without {printable(chosen.unused[0])}{others}", "found", reason)
    pairs = [(value, expected.get(key)) for key, value in renaming.weights.items()]
    types = Counter((_type(a), _type(b)) for a, b in pairs if isinstance(a, Tensor) and isinstance(b, Tensor))
    for (kept, used), count in types.items():
        if kept != used:
            yield Finding("weights", used, "found", f"{count} of {len(pairs)} entries are kept as {kept}")


def _left_out(names: Sequence[str]) -> str:
    if not names:
        return ""
    return (
        f"; {len(names)} {'entries are' if len(names) > 1 else 'entry is'} left out, the first is {printable(names[0])}"
    )


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
