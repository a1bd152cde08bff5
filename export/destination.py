# SPDX-License-Identifier: Apache-2.0
"""Refuse, before the costly work, a destination that could not be written to in the end; keep other commands out of it."""

import dataclasses
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.atomic_write import recover_interrupted
from export.errors import UsageError
from export.file_locks import is_still, lock
from lsood_runtime.offline import is_read, no_room, objection

_WRITTEN = ("out", "save_features")
"""Fields of options that name what a command writes."""


def real_path(path: Path) -> Path:
    """Follow all links of a path, to compare it with others; one with a loop of links is itself from the loop on.

    ``Path.resolve`` raises RuntimeError for a loop up to Python 3.12.
    """
    return Path(os.path.realpath(path))


def check_parent_folder(path: Path, remedy: str) -> None:
    """Refuse a file or a folder whose parent cannot hold it.

    Args:
        path: of the file or folder; a link stands for what it points to.
        remedy: ends the message, such as ``choose another --out``.

    Raises:
        UsageError: the folder that shall hold it is missing or read-only.
    """
    parent = path.parent
    if path.is_symlink():
        try:
            parent = path.resolve().parent
        except (OSError, RuntimeError) as error:
            raise UsageError(f"expected a path, got {path}, a link that leads back to itself: {remedy}") from error
    if not parent.is_dir():
        raise UsageError(f"expected the folder {parent} to exist, it does not: make it, or {remedy}")
    if not os.access(parent.absolute(), os.W_OK):
        raise UsageError(f"expected to be able to write into {parent}, it is read-only: {remedy}")


def check_place(path: Path, remedy: str, *, folder: bool = True, size: int = 0) -> None:
    """Refuse a file or a folder that cannot appear where it shall; what a killed write left there is put back or removed.

    Args:
        path: of the file or folder.
        remedy: ends the message, such as ``choose another --out``.
        folder: whether it is one.
        size: that it takes on the disk, in bytes, as far as it is known.

    Raises:
        UsageError: it has no parent that can hold it, is of the other kind or a link to nothing, has too long a name, is a
            mount point or the working folder, or the disk is full.
    """
    check_parent_folder(path, remedy)
    recover_interrupted(path)
    reason = objection(path, folder=folder, size=size)
    if reason is not None:
        raise UsageError(f"{reason}: {remedy}")


def check_own_folder(path: Path, mark: str, what: str, remedy: str) -> None:
    """Refuse to replace a folder that is there and was not written by the same command.

    Args:
        path: of the folder.
        mark: file that tells such a folder.
        what: it holds, in words.
        remedy: ends the message.

    Raises:
        UsageError: as for :func:`check_place`, or it holds something else.
    """
    check_place(path, remedy)
    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or (path / mark).is_file())):
        raise UsageError(f"expected {what} or nothing at {path}, found something else: {remedy}")


def check_room(path: Path, size: int) -> None:
    """Refuse to fill a folder that has no room for it.

    Args:
        path: of the folder.
        size: that is to come, in bytes.

    Raises:
        UsageError: the disk has less.
    """
    reason = no_room(path, size)
    if reason is not None:
        raise UsageError(f"{reason}: make room, and run it again")


def check_not_read(path: Path, options: object, remedy: str) -> None:
    """Refuse to replace a file that a command reads.

    Args:
        path: of the file to write.
        options: of the command, a dataclass; what its fields name is read, but for those of :data:`_WRITTEN`.
        remedy: ends the message.

    Raises:
        UsageError: it is one of them, by whatever name or link, or lies in one that is a folder.
    """
    if path.exists() and is_read(real_path(path), _paths_of(options)):
        raise UsageError(f"expected another file than those that are read, got {path}: it would be lost; {remedy}")


def _paths_of(value: object) -> Iterator[Path]:
    """Every path in a dataclass, in the dataclasses and sequences within it."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _paths_of(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name not in _WRITTEN:
                yield from _paths_of(getattr(value, field.name))


@contextmanager
def claimed(path: Path, remedy: str, *, folder: bool = True) -> Iterator[None]:
    """Keep a destination for one command, from before the work to the end of the write.

    The claim is a lock on ``.NAME.lock`` beside it. It ends with the process: what a kill leaves of it hinders nobody. Where
    the file system has no locks, the last of several commands wins.

    Args:
        path: of the file or folder.
        remedy: ends the message.
        folder: whether it is one.

    Raises:
        UsageError: as for :func:`check_place`, or another command has claimed it.
    """
    check_place(path, remedy, folder=folder)
    place = path.resolve()
    claim = place.with_name(f".{place.name}.lock")
    descriptor = _claim(path, claim, remedy)
    try:
        yield
    finally:
        claim.unlink(missing_ok=True)
        os.close(descriptor)


def _claim(path: Path, claim: Path, remedy: str) -> int:
    while True:
        descriptor = os.open(claim, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UsageError(
                f"expected to be the only one that writes {path}, another command does so now: wait for it, or {remedy}"
            ) from error
        if is_still(descriptor, claim):
            return descriptor
        os.close(descriptor)  # its owner removed it between the two calls
