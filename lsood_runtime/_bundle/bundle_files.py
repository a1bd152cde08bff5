# SPDX-License-Identifier: Apache-2.0
"""The files of a bundle by their names, wherever it lies: in a folder, or in an archive that is never unpacked to disk."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from lsood_runtime._bundle.archive_files import open_archive
from lsood_runtime._bundle.digests import MANIFEST_FILE
from lsood_runtime._bundle.files import read_file
from lsood_runtime._exceptions import BundleError


class BundleFiles(Protocol):
    """The files of one bundle.

    Attributes:
        place: the folder or the archive, for messages.
    """

    place: Path

    def names(self) -> Collection[str]:
        """Names of everything that lies there.

        Raises:
            BundleError: they cannot be listed.
        """

    def holds(self, name: str) -> bool:
        """Whether something of this name lies there, whatever it is."""

    def read(self, name: str, largest: int, *, length: int | None = None) -> bytes:
        """Read a file, once what is stated of its length fits.

        Args:
            name: of the file.
            largest: bytes that it may have.
            length: bytes that it must have; None where that is not known.

        Raises:
            BundleError: it is missing, no regular file, of another length, or cannot be read.
        """


@contextmanager
def open_files(bundle: Path) -> Iterator[BundleFiles]:
    """Open a bundle, to read its files; an archive stays open in between, so that all of them are from the same one.

    Raises:
        BundleError: there is neither a folder nor an archive.
    """
    # Of a name that no file system takes these are False, where those of pathlib raise.
    if os.path.isdir(bundle):  # noqa: PTH112
        yield _FolderFiles(bundle)
    elif os.path.isfile(bundle):  # noqa: PTH113
        with open_archive(bundle) as files:
            yield files
    else:
        raise BundleError(f"expected a bundle folder or archive, found none at {bundle}: check the path")


class _FolderFiles:
    """The files of a bundle in a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def names(self) -> Collection[str]:
        try:
            with os.scandir(self.place) as entries:
                return [entry.name for entry in entries]
        except OSError as error:
            raise BundleError(f"expected to list {self.place}, got {error.strerror}: check its permissions") from error

    def holds(self, name: str) -> bool:
        return os.path.lexists(self.place / name)

    def read(self, name: str, largest: int, *, length: int | None = None) -> bytes:
        """Read a file; a link in its place is refused, but for the manifest."""
        return read_file(self.place / name, largest, length=length, follow_link=name == MANIFEST_FILE)
