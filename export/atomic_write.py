# SPDX-License-Identifier: Apache-2.0
"""Atomic writes: a file or a folder appears under its name whole, or not at all.

It is written under another name in the same folder, flushed to the disk (fsync), and then takes its own name:

=====================  ======================================  ====================================================
destination            system call                             at every moment, whatever interrupts or kills
=====================  ======================================  ====================================================
nothing yet            ``rename``                              nothing, or the whole new one
a file                 ``rename``                              the whole old file, or the whole new one
a folder               ``renameat2`` with RENAME_EXCHANGE      the whole old folder, or the whole new one
a folder, no exchange  ``rename`` of the old one, then of the  the same, but for the moment between the two: then
                       new one                                 nothing, and both folders whole beside it
=====================  ======================================  ====================================================

A link stands for what it points to: that is replaced, and the link stays a link.

The last row is for kernels, C libraries and file systems without the exchange. An exception in that moment, KeyboardInterrupt
too, puts the old folder back. A kill, a second interrupt or a loss of power in that very moment leaves it as
``.NAME.replaced.TOKEN``; :func:`recover_interrupted` puts it back, which every later write to the same name calls first, and
so does ``mv .NAME.replaced.TOKEN NAME``.

A kill can leave a ``.NAME.partial.TOKEN`` or ``.NAME.scratch.TOKEN`` too. The next write to the same name removes it, unless
another process still holds its lock (``flock``) or the file system has no locks.
"""

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from export.file_locks import is_still, lock

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV)
_NO_FOLDER_FLUSH = (errno.EINVAL, errno.EOPNOTSUPP)  # of file systems that flush files alone
_renameat2: Callable[..., int] | None = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


@contextmanager
def atomic_folder(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Give an empty folder to fill; it takes the place of ``path`` once the block ends without an exception.

    Args:
        path: of the folder.
        replace: what is there when the block ends.

    Raises:
        FileExistsError: something is there that may not be replaced.
        OSError: nothing can be written there; what was there before stays.
    """
    path = path.resolve()
    with _locked_folder(path, "partial") as partial:
        yield partial
        for folder, _, names in os.walk(partial, topdown=False):
            for name in names:
                flush(Path(folder, name))
            flush(Path(folder))
        if replace:
            _replace_folder(path, partial)
        else:
            _rename_to_nothing(partial, path)
        flush(path.parent)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path`` for what is needed while the block runs.

    Args:
        path: of what is made with it; the next write there removes what a kill leaves.
    """
    with _locked_folder(path.resolve(), "scratch") as scratch:
        yield scratch


@contextmanager
def _locked_folder(path: Path, kind: str) -> Iterator[Path]:
    recover_interrupted(path)
    partial = _beside(path, kind)
    try:
        descriptor = _create(partial, partial.mkdir, os.O_RDONLY)
        try:
            yield partial
        finally:
            os.close(descriptor)
    finally:
        _remove(partial)  # after an exchange the old folder has this name


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; it takes the place of ``path`` once the block ends without an exception.

    Args:
        path: of the file; one that is there is replaced.

    Raises:
        OSError: nothing can be written there; what was there before stays.
    """
    path = path.resolve()
    recover_interrupted(path)
    partial = _beside(path, "partial")
    try:
        descriptor = _create(partial, lambda: partial.touch(exist_ok=False), os.O_RDWR)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            partial.replace(path)
            flush(path.parent)
    finally:
        _remove(partial)


def recover_interrupted(path: Path) -> None:
    """Put back, or remove, what a killed write to ``path`` left beside it.

    Args:
        path: as it was given to :func:`atomic_folder` or :func:`atomic_file`.
    """
    path = path.resolve()
    if not path.parent.is_dir():
        return
    ours = re.compile(rf"\.{re.escape(path.name)}\.(partial|replaced|scratch)\.[0-9a-f]{{8}}")
    found = [(match[1], other) for other in list(path.parent.iterdir()) if (match := ours.fullmatch(other.name))]
    for kind, leftover in sorted(found, reverse=True):
        # The list is older than this check: if another process had set the old one aside, its new one is in place now.
        if kind == "replaced" and not os.path.lexists(path):
            leftover.rename(path)
        elif leftover.is_symlink():
            leftover.unlink(missing_ok=True)
        else:
            _remove_unless_locked(leftover)


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}.{secrets.token_hex(4)}")


def _create(partial: Path, make: Callable[[], None], flags: int) -> int:
    """Make, open and lock a file or folder; try again where another process removed it before it was locked."""
    while True:
        make()
        try:
            descriptor = os.open(partial, flags)
        except FileNotFoundError:
            continue
        lock(descriptor, fcntl.LOCK_EX)
        if is_still(descriptor, partial):
            return descriptor
        os.close(descriptor)


def _remove_unless_locked(leftover: Path) -> None:
    try:
        descriptor = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # another process was faster, or it is another user's
        return
    try:
        if lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
            _remove(leftover)
    except BlockingIOError:  # its process lives
        return
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # what is left hinders nobody, and the next write tries again
    else:
        path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush a file's contents, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (path.is_dir() and error.errno in _NO_FOLDER_FLUSH):
            raise
    finally:
        os.close(descriptor)


def _replace_folder(path: Path, new: Path) -> None:
    if not os.path.lexists(path):
        new.rename(path)
    elif not _exchange(new, path):
        _replace_in_two_steps(path, new)


def _rename_to_nothing(new: Path, path: Path) -> None:
    """Rename a folder to a name that nothing has, or an empty folder."""
    try:
        new.rename(path)
    except (FileExistsError, NotADirectoryError) as error:
        raise FileExistsError(errno.EEXIST, "something that appeared there meanwhile", str(path)) from error
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        raise FileExistsError(errno.EEXIST, "something that appeared there meanwhile", str(path)) from error


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one system call; False where the system does not offer that."""
    if _renameat2 is None:
        return False
    if _renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(second))


def _replace_in_two_steps(path: Path, new: Path) -> None:
    old = _beside(path, "replaced")
    try:
        path.rename(old)
        new.rename(path)
    except BaseException:
        if not os.path.lexists(path):
            old.rename(path)
        raise
    flush(path.parent)  # before the old one goes
    _remove(old)
