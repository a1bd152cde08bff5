# SPDX-License-Identifier: Apache-2.0
"""Parse names with the paths of their frames, as a user types them: ``dusk=a/,b/``."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from export.errors import UsageError


def read_named_paths(words: Sequence[str], what: str, example: str) -> dict[str, tuple[Path, ...]]:
    """Read ``dusk=a/,b/``; patterns such as ``dusk=a/*.png`` are expanded, since no shell does so behind ``NAME=``.

    Args:
        words: as they are typed.
        what: the frames are, for messages.
        example: of one word.

    Raises:
        UsageError: a word of another form, a name that comes twice, or a pattern without files.
    """
    found: dict[str, tuple[Path, ...]] = {}
    for word in words:
        name, equals, paths = word.partition("=")
        if not (equals and name.strip() and paths) or not name.isprintable():
            raise UsageError(f"expected NAME=PATH[,PATH...] for {what}, got {word!r}: {example}")
        if name in found:
            raise taken(name)
        found[name] = tuple(path for pattern in paths.split(",") for path in _expand(pattern))
    return found


def taken(name: str) -> UsageError:
    """The error of a name that something else has."""
    return UsageError(
        f"expected a name of its own for each set of frames, got {name!r}, which is taken: choose another"
    )


def named_path_words(named: Mapping[str, Sequence[Path]]) -> list[str]:
    """The words from which :func:`read_named_paths` reads these names.

    Raises:
        UsageError: a path with a comma, which stands between paths.
    """
    commas = [path for paths in named.values() for path in paths if "," in str(path)]
    if commas:
        raise UsageError(f"expected paths without a comma to write behind NAME=, got {commas[0]}: rename it")
    return [f"{name}={','.join(map(str, paths))}" for name, paths in named.items()]


def _expand(pattern: str) -> list[Path]:
    if Path(pattern).exists() or not any(sign in pattern for sign in "*?["):
        return [Path(pattern)]
    found = sorted(Path(match) for match in glob.glob(pattern))  # noqa: PTH207  a pattern may begin anywhere
    if not found:
        raise UsageError(f"expected frames at {pattern}, found none: check the pattern")
    return found
