# SPDX-License-Identifier: Apache-2.0
"""List the entries of a ``.zip`` of plain files, of which nothing is trusted."""

import stat
import struct
import zipfile
from typing import BinaryIO

from lsood_runtime._bundle.archive_entry import ArchiveEntry, DamagedArchiveError
from lsood_runtime._exceptions import one_line

_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_LARGEST_READ = 2**20
"""Bytes of the central directory, at most: enough for ten thousand entries."""

_LOCAL = struct.Struct("<4s22xHH")
_ENCRYPTED, _UNIX = 0x1 | 0x40 | 0x2000, 3


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip."""
    return head.startswith(_MAGICS)


def zip_entries(file: BinaryIO, size: int, most: int) -> list[ArchiveEntry]:
    """List the entries.

    Args:
        file: open for reading.
        size: of it in bytes.
        most: entries that it may have.

    Raises:
        DamagedArchiveError: a directory that is damaged, a file that ends too early, an entry that is no plain file, or
            more entries.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(_BoundedReads(file, size)) as archive:
            listed = archive.infolist()
    except Exception as error:  # zipfile raises a dozen types for what is no archive
        raise DamagedArchiveError(f"a zip without a directory of its files ({one_line(error)})") from error
    if len(listed) > most:
        raise DamagedArchiveError(f"more than {most} entries")
    return [_entry(file, size, each) for each in listed]


class _BoundedReads:
    """A file from which no more is read at once than a directory may have, and never more than is there."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.seek, self.tell, self._file, self._size = file.seek, file.tell, file, size

    def seekable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        left = max(self._size - self._file.tell(), 0)
        wanted = left if count < 0 else min(count, left)
        if wanted > _LARGEST_READ:
            raise zipfile.BadZipFile(f"it is larger than {_LARGEST_READ} bytes")
        return self._file.read(wanted)


def _entry(file: BinaryIO, size: int, listed: zipfile.ZipInfo) -> ArchiveEntry:
    """An entry of the directory, once the header in front of its bytes agrees with it."""
    name, kind = listed.orig_filename, stat.S_IFMT(listed.external_attr >> 16) if listed.create_system == _UNIX else 0
    if listed.flag_bits & _ENCRYPTED:
        raise DamagedArchiveError(f"an encrypted file in it, {name!r}")
    if listed.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DamagedArchiveError(f"a file in it that is packed by method {listed.compress_type}, {name!r}")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or ((kind == stat.S_IFDIR) != name.endswith("/") and kind):
        raise DamagedArchiveError(f"{'a link' if kind == stat.S_IFLNK else 'what is no file'} in it, {name!r}")
    file.seek(listed.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size:
        raise DamagedArchiveError("one that is cut off")
    magic, name_length, extra_length = _LOCAL.unpack(header)
    if magic != _MAGICS[0] or file.read(name_length) != listed.orig_filename.encode(_encoding(listed)):
        raise DamagedArchiveError(f"another file than its directory says, in place of {name!r}")
    start = listed.header_offset + _LOCAL.size + name_length + extra_length
    if start + listed.compress_size > size:
        raise DamagedArchiveError("one that is cut off")
    deflated = listed.compress_type == zipfile.ZIP_DEFLATED
    if not deflated and listed.compress_size != listed.file_size:
        raise DamagedArchiveError(f"two lengths of {name!r}")
    return ArchiveEntry(name, start, listed.compress_size, listed.file_size, deflated, folder=name.endswith("/"))


def _encoding(listed: zipfile.ZipInfo) -> str:
    return "utf-8" if listed.flag_bits & 0x800 else "cp437"
