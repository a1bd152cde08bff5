# SPDX-License-Identifier: Apache-2.0
"""Check the arguments of public functions: a value of a wrong type or size is refused in one line, with a remedy.

Each function takes what was expected in words, and the remedy. A truth value is no number here: ``True`` in place of a
number is a mistake in the order of the arguments, more often than not.
"""

import operator
import os
from collections.abc import Callable
from numbers import Real

_LONGEST = 60


def shown(value: object) -> str:
    """A value as an error message shows it: short, in one line, with its type unless it is a plain number."""
    words = " ".join(repr(value).split())
    short = words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."
    return short if type(value) in (int, float, bool) or value is None else f"{short} of type {type(value).__name__}"


def check_number(value: object, expected: str, remedy: str, within: Callable[[float], bool]) -> float:
    """Return a real number as a float.

    Raises:
        TypeError: no real number, such as text or a truth value.
        ValueError: one that is not ``within``.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"expected {expected}, got {shown(value)}: {remedy}")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"expected {expected}, got {shown(value)}: {remedy}") from error
    if not within(number):
        raise ValueError(f"expected {expected}, got {value}: {remedy}")
    return number


def check_count(value: object, expected: str, remedy: str, *, least: int = 1, most: int | None = None) -> int:
    """Return a whole number, numpy's too, as a Python integer.

    Raises:
        TypeError: no integer, such as a float or a truth value.
        ValueError: one below ``least`` or above ``most``.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        count = operator.index(value)  # type: ignore[arg-type]  # what has no index is the error that is handled here
    except TypeError as error:
        raise TypeError(f"expected {expected}, got {shown(value)}: {remedy}") from error
    if count < least or (most is not None and count > most):
        raise ValueError(f"expected {expected}, got {count}: {remedy}")
    return count


def check_flag(value: object, name: str) -> None:
    """Refuse anything but True and False, since text such as ``"no"`` counts as true.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f"expected {name} to be True or False, got {shown(value)}: pass one of the two")


def check_text(value: object, expected: str, remedy: str) -> str:
    """Return text.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected {expected}, got {shown(value)}: {remedy}")
    return value


def check_callable(value: object, name: str) -> None:
    """Refuse what cannot be called; None is no function, and may stand for one that is left out.

    Raises:
        TypeError: it cannot be called.
    """
    if value is not None and not callable(value):
        raise TypeError(f"expected a function for {name}, got {shown(value)}: pass one, or None")


def check_path(value: object, expected: str, remedy: str) -> str:
    """Return the path of a file or a folder as text.

    Raises:
        TypeError: neither text nor a path.
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    return check_text(path, expected, remedy)


def check_type(value: object, kind: type | tuple[type, ...], expected: str, remedy: str) -> None:
    """Refuse an object of another class.

    Raises:
        TypeError: it is one.
    """
    if not isinstance(value, kind):
        raise TypeError(f"expected {expected}, got {shown(value)}: {remedy}")
