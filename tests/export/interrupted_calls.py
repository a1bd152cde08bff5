# SPDX-License-Identifier: Apache-2.0
"""An act before and after a chosen system call of an atomic write, and how what it leaves is looked at."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from export import atomic_write

_CALLS: tuple[tuple[ModuleType, tuple[str, ...]], ...] = (
    (
        os,
        (
            "open",
            "close",
            "mkdir",
            "rename",
            "replace",
            "unlink",
            "rmdir",
            "fsync",
            "listdir",
            "scandir",
            "stat",
            "lstat",
        ),
    ),
    (fcntl, ("flock",)),
    (atomic_write, ("_renameat2",)),
)
_FILES = ("manifest.json", "weights.bin")

LEFT_TO_THE_COLLECTOR = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""For tests that interrupt: files and iterators stay open where the interrupt came between opening and keeping them."""


def write(out: Path, version: str) -> None:
    """Replace ``out`` by a folder, or a file where its name has a suffix, that says its version in several places."""
    if out.suffix:
        with atomic_write.atomic_file(out) as file:
            file.write(f"{version}\n".encode() * 3)
    else:
        with atomic_write.atomic_folder(out) as folder:
            for name in (*_FILES, f"only in {version}"):
                (folder / name).write_text(version)


def state(out: Path) -> str:
    """``nothing``, the version of what is whole there, or ``broken``."""
    if not os.path.lexists(out):
        return "nothing"
    if out.is_file():
        lines = out.read_text().splitlines()
        return lines[0] if len(lines) == 3 and len(set(lines)) == 1 else "broken"
    contents = {path.name: path.read_text() for path in out.iterdir()}
    versions = set(contents.values())
    whole = len(versions) == 1 and contents.keys() == {*_FILES, f"only in {min(versions)}"}
    return versions.pop() if whole else "broken"


@contextmanager
def at_moment(moment: int, act: Callable[[], None]) -> Iterator[list[str]]:
    """Act at the n-th moment, counted from 1; each system call has one before and one after it.

    Yields:
        The calls so far, by name.
    """
    made: list[str] = []
    passed = 0

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def pass_moment() -> None:
            nonlocal passed
            passed += 1
            if passed == moment:
                act()

        def run(*arguments: Any, **named: Any) -> Any:
            pass_moment()
            result = call(*arguments, **named)
            made.append(name)
            pass_moment()
            return result

        return run

    before = [(module, name, getattr(module, name)) for module, names in _CALLS for name in names]
    try:
        for module, name, call in before:
            if call is not None:
                setattr(module, name, wrapped(name, call))
        yield made
    finally:
        for module, name, call in before:
            setattr(module, name, call)


def interrupted_at(moment: int, work: Callable[[], object]) -> tuple[bool, list[str]]:
    """Run work that gets a KeyboardInterrupt at the n-th moment: whether it came that far, and the calls made."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with at_moment(moment, interrupt) as made:
        try:
            work()
        except KeyboardInterrupt:
            return True, made
        except OSError as error:  # shutil.rmtree, interrupted after a close, closes once more
            if not isinstance(error.__context__, KeyboardInterrupt):
                raise
            return True, made
    return False, made
