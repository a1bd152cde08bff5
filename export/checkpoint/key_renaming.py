# SPDX-License-Identifier: Apache-2.0
"""Give the entries of a state dict the names that a network has for them: without a prefix, without wrappers.

What fits is for torch to say; this module lists the renamings that are worth a try, the plainest first.
"""

import difflib
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from export.checkpoint.state_dicts import StateEntries
from export.errors import CheckpointError
from export.findings import PLACEHOLDER
from lsood_runtime.offline import printable

_WRAPPERS = ((), ("_orig_mod",), ("_orig_mod", "module"))
"""Name parts that a wrapper adds: of ``torch.compile``, and of data-parallel and averaged modules."""


@dataclass(frozen=True, eq=False)
class Renaming:
    """A state dict under other names.

    Attributes:
        weights: by the network's names, with the versions of its modules as torch keeps them.
        left_out: names without the prefix.
        prefix: taken away from the front of every name.
        wrappers: parts taken away within the names.
        outer: the network's own prefix, which the names lack since they are of a network inside it.
    """

    weights: StateEntries
    left_out: tuple[str, ...] = ()
    prefix: str = ""
    wrappers: tuple[str, ...] = ()
    outer: str = ""


def renamings(
    weights: StateEntries, expected: Sequence[str], *, with_prefixes: bool = True
) -> Iterator[list[Renaming]]:
    """Yield renamings, in lists of equal rank, the plainest first.

    Args:
        weights: of the checkpoint.
        expected: names in the network.
        with_prefixes: look for prefixes without which the names are the network's.
    """
    for outer in ("", *_common_heads(expected)):
        for wrappers in _WRAPPERS:
            targets = {_without(name.removeprefix(outer), wrappers): name for name in expected}
            if len(targets) < len(expected):
                continue  # two names of the network would be one
            if wrappers and not any(part in wrappers for name in (*weights, *expected) for part in name.split(".")):
                continue  # nothing to take away
            for prefixes in [[""], common_prefixes(weights, targets, wrappers)][: 1 + with_prefixes]:
                found = (_renamed(weights, start, wrappers, outer, targets) for start in prefixes)
                yield [renaming for renaming in found if renaming is not None]


def without_prefix(weights: StateEntries, prefix: str) -> Renaming:
    """Keep the entries whose names begin with a prefix, without it; with or without the dot behind it.

    Raises:
        CheckpointError: no name begins with it.
    """
    start = prefix if prefix.endswith(".") or not prefix else f"{prefix}."
    names = {name: name.removeprefix(start) for name in weights if name.startswith(start)}
    if not names:
        heads = list(dict.fromkeys(name.split(".")[0] + "." for name in weights if "." in name))
        near = heads if len(heads) == 1 else difflib.get_close_matches(start, heads, n=2, cutoff=0.8)
        raise CheckpointError(
            f"expected names that begin with --prefix {start}, found none: they begin with "
            f"{printable(', '.join(heads) or 'no prefix')}",
            words=("--prefix", near[0] if len(near) == 1 else PLACEHOLDER) if heads else (),
            without=() if heads else ("--prefix",),
        )
    return Renaming(_under(weights, names), tuple(name for name in weights if name not in names), start)


def common_prefixes(names: Iterable[str], wanted: Collection[str], wrappers: Collection[str] = ()) -> list[str]:
    """Prefixes behind which names are wanted ones but for wrappers, the most frequent first; rare ones are left out."""
    counts = Counter[str]()
    for name in names:
        parts = name.split(".")
        for i in range(1, len(parts)):
            if ".".join(part for part in parts[i:] if part not in wrappers) in wanted:
                counts[".".join(parts[:i]) + "."] += 1
    most = max(counts.values(), default=0)
    return [prefix for prefix, count in counts.most_common() if 2 * count >= most]


def _common_heads(expected: Sequence[str]) -> list[str]:
    """Prefixes that all names of the network share, the longest first."""
    heads: list[str] = []
    parts = [name.split(".")[:-1] for name in expected]
    while parts and parts[0] and all(each[: len(heads) + 1] == parts[0][: len(heads) + 1] for each in parts):
        if len(heads) == len(parts[0]):
            break
        heads.append(".".join(parts[0][: len(heads) + 1]) + ".")
    return heads[::-1]


def _without(name: str, wrappers: Collection[str]) -> str:
    return ".".join(part for part in name.split(".") if part not in wrappers)


def _renamed(
    weights: StateEntries, prefix: str, wrappers: tuple[str, ...], outer: str, targets: Mapping[str, str]
) -> Renaming | None:
    """Rename the entries; None where two of them would have one name."""
    names, left_out = {}, []
    for name in weights:
        if name.startswith(prefix):
            inner = _without(name.removeprefix(prefix), wrappers)
            names[name] = targets.get(inner, outer + inner)
        else:
            left_out.append(name)
    if len(set(names.values())) < len(names):
        return None
    return Renaming(_under(weights, names), tuple(left_out), prefix, wrappers, outer)


def _under(weights: StateEntries, names: Mapping[str, str]) -> StateEntries:
    renamed = OrderedDict((new, weights[old]) for old, new in names.items())
    versions = getattr(weights, "_metadata", None)
    if isinstance(versions, Mapping):
        renamed._metadata = _renamed_versions(versions, names)  # type: ignore[attr-defined]  # torch keeps them there
    return renamed


def _renamed_versions(versions: Mapping[str, object], names: Mapping[str, str]) -> OrderedDict[str, object]:
    """Versions of the modules under the modules' new names, which those of their entries tell."""
    renamed: OrderedDict[str, object] = OrderedDict()
    for old, new in names.items():
        old_module, new_module = old.split(".")[:-1], new.split(".")[:-1]
        while True:
            if (version := versions.get(".".join(old_module))) is not None:
                renamed[".".join(new_module)] = version
            if not (old_module and new_module) or old_module.pop() != new_module.pop():
                break
    return renamed
