# SPDX-License-Identifier: Apache-2.0
"""The pages of a SQLite file, of which the last ones may be missing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import apsw

_LARGEST_PAGE = 65536  # which the two bytes of the header state as 1


@dataclass(frozen=True, slots=True)
class SqlitePages:
    """Size of a page, the number that the header states, and the bytes that the file has."""

    size: int
    stated: int
    file_size: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """The pages of a file."""
        with path.open("rb") as file:
            header = file.read(32)
        size = int.from_bytes(header[16:18], "big")
        return cls(_LARGEST_PAGE if size == 1 else size, int.from_bytes(header[28:], "big"), path.stat().st_size)

    @property
    def are_missing(self) -> bool:
        """Whether the file is shorter than it states."""
        return self.file_size < self.size * self.stated

    @property
    def is_cut_within_one(self) -> bool:
        """Whether the file ends within a page, whose end SQLite would read as zeros."""
        return self.size > 0 and self.file_size % self.size != 0


class WholePages(apsw.VFS):
    """A file system for SQLite in which files end with a whole page; kept alive for as long as a file is open."""

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self.name = f"whole-pages-{id(self)}"
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  SQLite's name
        """Open a file; the name is SQLite's."""
        return _WholePagesFile(name, flags, self._page_size)


class _WholePagesFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], page_size: int) -> None:
        self._page_size = page_size
        super().__init__("", name, flags)

    def xFileSize(self) -> int:  # noqa: N802  SQLite's name
        return super().xFileSize() // self._page_size * self._page_size
