# SPDX-License-Identifier: Apache-2.0
"""Order files by the numbers in their names: ``frame_2.png`` comes before ``frame_10.png``.

Digits are compared as a whole number, everything else as text, folder by folder. A number of nine digits or more, a point and
digits is a time in seconds: ``1700000000.25.png`` comes before ``1700000000.5.png``.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

_NUMBER = re.compile(r"([0-9]{9,}\.[0-9]+|[0-9]+)")
_Part: TypeAlias = tuple[tuple[str | Decimal, ...], str]


def natural_key(path: str | Path) -> tuple[_Part, ...]:
    """Key by which ``sorted`` brings paths into natural order; the plain text decides between ``01`` and ``1``."""
    return tuple((_text_and_numbers(part), part) for part in Path(path).parts)


def _text_and_numbers(name: str) -> tuple[str | Decimal, ...]:
    """Text and numbers in turn, beginning with a text, which may be empty: two names never compare a text with a number."""
    return tuple(Decimal(piece) if i % 2 else piece for i, piece in enumerate(_NUMBER.split(name)))


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sort paths by the numbers in their names."""
    return sorted(paths, key=natural_key)


def undo_shell_order(paths: Sequence[Path]) -> list[Path]:
    """Bring paths that stand as a shell lists a pattern into natural order; leave any other order as it was given.

    A shell expands ``drive/*.png`` to ``frame_1.png frame_10.png frame_2.png``. Paths that were typed in an order of their
    own stay as they are. Where the whole list is in no shell's order, the neighbours within one folder are looked at.
    """
    if _as_a_shell_lists(paths):
        return natural_order(paths)
    ordered: list[Path] = []
    for _, group in groupby(paths, key=lambda path: path.parent):
        neighbours = list(group)
        ordered += natural_order(neighbours) if _as_a_shell_lists(neighbours) else neighbours
    return ordered


def _as_a_shell_lists(paths: Sequence[Path]) -> bool:
    """Whether the paths are sorted by their bytes, or as most locales do, without regard to case."""
    texts = [str(path) for path in paths]
    return texts in (sorted(texts), sorted(texts, key=str.casefold))
