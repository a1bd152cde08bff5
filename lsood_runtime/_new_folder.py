# SPDX-License-Identifier: Apache-2.0
"""A folder that is filled beside its place and takes its name at the end, whole."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from lsood_runtime._destination import no_room, objection
from lsood_runtime._exceptions import MediaError
from lsood_runtime._partial_file import alone_in, flush_folder


def check_new_folder(out: Path) -> None:
    """Refuse, before the work, a place at which no folder could appear.

    Raises:
        MediaError: it holds something, or cannot be written.
    """
    parent = out.absolute().parent
    if not os.path.isdir(parent):  # noqa: PTH112  of a name that no file system takes it is False as well
        raise MediaError(f"cannot write {out}: expected the folder {parent} to exist, found none; make it")
    reason = objection(out, folder=True)
    if reason is not None:
        raise MediaError(f"cannot write {out}: {reason}; choose another folder")
    if out.exists() and any(out.iterdir()):
        raise MediaError(f"expected a new or an empty folder, got {out}, which holds something: name another one")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Fill a folder beside its place; it gets its name where nothing was raised, and is removed else.

    What a killed process left beside the place is removed by the next one that writes there.

    Args:
        out: a new or an empty folder.

    Raises:
        MediaError: it cannot be written.
    """
    whole, lock, place = None, None, out.resolve()
    try:
        with alone_in(place.parent):
            remove_leftovers(place)
            whole = Path(mkdtemp(prefix=f".{place.name}.", suffix=".partial", dir=place.parent))
            lock = _locked(whole)
        whole.chmod(0o755)
        yield whole
        _flush(whole)
        whole.replace(place)
        flush_folder(place.parent)
    except OSError as error:
        raise MediaError(f"cannot write {out}: {error.strerror or error}; choose another folder") from error
    finally:
        if whole is not None and whole.exists():
            shutil.rmtree(whole, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_leftovers(place: Path) -> None:
    """Remove the folders that killed processes left beside a place; those of processes that live stay."""
    name = re.compile(rf"\.{re.escape(place.name)}\.[a-z0-9_]{{8}}\.partial")
    for path in [path for path in place.parent.iterdir() if name.fullmatch(path.name)]:
        lock = _locked(path)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder; None where another process has it, or there are no locks or no folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def check_room(out: Path, size: int) -> None:
    """Refuse a folder for which the disk has no room.

    Raises:
        MediaError: it has less than ``size`` bytes.
    """
    reason = no_room(out.resolve(), size)
    if reason is not None:
        raise MediaError(f"cannot write {out}: {reason}; choose another folder")


def _flush(folder: Path) -> None:
    """Flush every file in a folder to the disk, and then the names in it."""
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            flush_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
