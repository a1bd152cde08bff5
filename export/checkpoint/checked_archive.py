# SPDX-License-Identifier: Apache-2.0
"""Read an archive of ``torch.save`` once, and compare each entry with its checksum as its bytes are taken."""

import io
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LOCAL_HEADER = 30
_NAME_LENGTH, _EXTRA_LENGTH = 26, 28


class CheckedArchive(io.RawIOBase):
    """A file for ``torch.load`` that notes which entries have their checksum, of those that are read.

    torch reads an entry by one call, whole, from the place where its bytes begin; of one that is compressed, which it never
    writes itself, the checksum is of other bytes.

    Args:
        path: of an archive.

    Attributes:
        right: names of the entries whose checksum is theirs.
        wrong: of those whose checksum is another.

    Raises:
        zipfile.BadZipFile: it is no archive.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.right, self.wrong = set[str](), set[str]()
        self._file = path.open("rb")
        try:
            with zipfile.ZipFile(self._file) as archive:
                entries = [entry for entry in archive.infolist() if entry.file_size]
            self._entries = {_begin(self._file, entry): entry for entry in entries}
        except BaseException:
            self._file.close()
            raise
        self._file.seek(0)

    @property
    def file(self) -> IO[bytes]:
        """The same, as ``torch.load`` takes it."""
        return cast("IO[bytes]", self)

    @property
    def is_judged(self) -> bool:
        """Whether each entry that has bytes was read and judged."""
        return len(self.right | self.wrong) == len(self._entries)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read as many bytes as the buffer has room for, and judge them where they are an entry."""
        begin = self._file.tell()
        count = self._file.readinto(buffer)
        self._judge(begin, memoryview(buffer).cast("B")[:count])
        return count

    def read(self, size: int = -1, /) -> bytes:
        """Read some bytes, or all that are left."""
        begin = self._file.tell()
        contents = self._file.read(size)
        self._judge(begin, memoryview(contents))
        return contents

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _judge(self, begin: int, contents: memoryview) -> None:
        entry = self._entries.get(begin)
        if entry is not None and entry.compress_type == zipfile.ZIP_STORED and len(contents) == entry.file_size:
            is_right = zlib.crc32(contents) == entry.CRC
            (self.right if is_right else self.wrong).add(entry.filename)


def _begin(file: io.BufferedReader, entry: zipfile.ZipInfo) -> int:
    """Where the bytes of an entry begin: behind its header, name and extra field, whose length is that of this place."""
    file.seek(entry.header_offset)
    header = file.read(_LOCAL_HEADER)
    lengths = [int.from_bytes(header[at : at + 2], "little") for at in (_NAME_LENGTH, _EXTRA_LENGTH)]
    return entry.header_offset + _LOCAL_HEADER + sum(lengths)
