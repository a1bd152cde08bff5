# SPDX-License-Identifier: Apache-2.0
"""A file that grows under a name of its own and takes its place at the end, whole.

Until then it is ``.NAME.PID.partial`` beside its place, where an older file stays as it was. A kill that no process can catch
(SIGKILL, a loss of power) leaves it there with what was written; the next run that writes to the same place removes it. Where
the process that holds its lock still lives, the place is that run's, and the next one is refused. Rows that become a file of
another format at the end are ``.NAME.PID.partial.jsonl`` until then.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO
from pathlib import Path


class PartialFile:
    """An open file beside its place.

    Args:
        place: where it shall stand; where that is a link, the place that it points to.
        suffix: of its own, where what is written first is of another format than what will stand there.

    Attributes:
        path: under which it is written.
        file: open for writing, without a buffer.

    Raises:
        OSError: nothing can be written there, or another process writes there.
    """

    def __init__(self, place: Path, suffix: str = "") -> None:
        self._place = place.resolve()
        self.path = self._place.with_name(f".{self._place.name}.{os.getpid()}.partial{suffix}")
        with alone_in(self._place.parent):
            _remove_leftovers(self._place)
            self.file = _create(self.path)

    def move_into_place(self) -> None:
        """Flush the file to the disk and give it its place.

        Raises:
            OSError: the disk does not take it; it stays beside its place.
        """
        with self.file:
            os.fsync(self.file.fileno())
            self.path.replace(self._place)
            flush_folder(self._place.parent)

    def become(self, other: "PartialFile") -> None:
        """Remove the file, and be another one from now on: the same rows in the format of their place."""
        self.discard()
        self.path, self.file = other.path, other.file

    def discard(self) -> None:
        """Remove the file; what was in its place stays."""
        self.file.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def whole_file(place: Path) -> "Iterator[BufferedWriter[FileIO]]":
    """A file to write to that takes its place when the block ends well, whole; after an error nothing is left.

    Args:
        place: where it shall stand.

    Raises:
        OSError: nothing can be written there, another process writes there, or the disk is full.
    """
    partial = PartialFile(place)
    try:
        buffer = BufferedWriter(partial.file)
        yield buffer
        buffer.detach()  # flushes; closing it would close the file behind it
        partial.move_into_place()
    except BaseException:
        partial.discard()
        raise


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time look for files in a folder and create one: of two that begin at once one sees the other's."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create(path: Path) -> FileIO:
    """Open and lock a new file; again where another process took it for a leftover before it was locked."""
    while True:
        file = FileIO(path, "w")
        _lock(file, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(file.fileno()), path.lstat()):
                return file
        except FileNotFoundError:
            pass  # removed meanwhile: begin again
        file.close()


def _lock(file: FileIO, operation: int) -> bool:
    """Whether the lock was taken: not where another process holds it, and not where the file system has none."""
    try:
        fcntl.flock(file, operation)
    except OSError:
        return False
    return True


def flush_folder(path: Path) -> None:
    """Flush the names in a folder to the disk, where the file system flushes any: else a loss of power undoes the rename."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)


def _remove_leftovers(place: Path) -> None:
    """Remove what killed runs left beside a place.

    Raises:
        OSError: one of another process, which still lives and holds its lock.
    """
    ours = re.compile(rf"\.{re.escape(place.name)}\.([0-9]+)\.partial(\.jsonl)?")
    for path, found in [(path, ours.fullmatch(path.name)) for path in place.parent.iterdir()]:
        if found is None:
            continue
        with FileIO(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if int(found[1]) != os.getpid():
                    raise OSError(errno.EBUSY, f"another run, process {found[1]}, writes it") from None
            except OSError:
                pass  # a file system without locks: nothing tells whether its process lives
            else:
                path.unlink(missing_ok=True)
