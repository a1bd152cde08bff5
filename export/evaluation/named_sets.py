# SPDX-License-Identifier: Apache-2.0
"""Parse named sets of out-of-distribution frames, and kinds of degradation, as a user types them."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from export.anomalies import ANOMALIES, COMMON_KINDS
from export.errors import UsageError


def read_named_sets(words: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Read ``dusk=a/,b/``; patterns such as ``dusk=a/*.png`` are expanded, since no shell does so behind ``NAME=``.

    Raises:
        UsageError: a word of another form, a name that comes twice or is the name of another set, or a pattern without files.
    """
    sets: dict[str, tuple[Path, ...]] = {}
    for word in words:
        name, equals, paths = word.partition("=")
        kind, _, severity = name.rpartition(" ")
        if not (equals and name.strip() and paths) or not name.isprintable():
            raise UsageError(
                f"expected NAME=PATH[,PATH...] for out-of-distribution frames, got {word!r}: dusk=drives/dusk"
            )
        if name in sets or name == "in distribution" or (kind in ANOMALIES and severity.isdecimal()):
            raise UsageError(
                f"expected a name of its own for each set of frames, got {name!r}, which is taken: choose another"
            )
        sets[name] = tuple(path for pattern in paths.split(",") for path in _expand(pattern))
    return sets


def named_set_words(sets: Mapping[str, Sequence[Path]]) -> list[str]:
    """The words from which :func:`read_named_sets` reads these sets.

    Raises:
        UsageError: a path with a comma, which stands between paths.
    """
    commas = [path for paths in sets.values() for path in paths if "," in str(path)]
    if commas:
        raise UsageError(f"expected paths without a comma to write behind NAME=, got {commas[0]}: rename it")
    return [f"{name}={','.join(map(str, paths))}" for name, paths in sets.items()]


def _expand(pattern: str) -> list[Path]:
    if Path(pattern).exists() or not any(sign in pattern for sign in "*?["):
        return [Path(pattern)]
    found = sorted(Path(match) for match in glob.glob(pattern))  # noqa: PTH207  a pattern may begin anywhere
    if not found:
        raise UsageError(f"expected frames at {pattern}, found none: check the pattern")
    return found


def read_kinds(words: Sequence[str]) -> tuple[str, ...]:
    """Read ``common``, ``all``, ``none``, or names of degradations."""
    sets = {"common": COMMON_KINDS, "all": tuple(ANOMALIES), "none": ()}
    return sets[words[0]] if len(words) == 1 and words[0] in sets else tuple(words)


def kind_words(kinds: Sequence[str]) -> list[str]:
    """The words from which :func:`read_kinds` reads these kinds."""
    sets = {COMMON_KINDS: "common", tuple(ANOMALIES): "all", (): "none"}
    return [sets[tuple(kinds)]] if tuple(kinds) in sets else list(kinds)
