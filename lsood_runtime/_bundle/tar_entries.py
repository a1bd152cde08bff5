# SPDX-License-Identifier: Apache-2.0
"""List the entries of a ``.tar`` of plain files, of which nothing is trusted.

POSIX's ustar, GNU's form of it, and pax headers as far as they do not change which bytes an entry has. Written out here
since ``tarfile`` takes sizes below zero and sparse files, and takes a damaged header for the end of the archive.
"""

from typing import BinaryIO

from lsood_runtime._bundle.archive_entry import ArchiveEntry, DamagedArchiveError

_BLOCK = 512
_LARGEST_PAX = 2**16
_FILE, _FOLDER, _PAX = (b"0", b"\0"), b"5", (b"x", b"g")
_OTHERS = {
    b"1": "a hard link",
    b"2": "a link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"L": "a name of more than 100 bytes",
    b"S": "a sparse file",
}
_CHANGING = (b"path", b"linkpath", b"size", b"hdrcharset")
"""Keys of a pax header that would change what an entry is; so do all that begin with ``GNU.sparse``."""


def is_tar(head: bytes) -> bool:
    """Whether the first 512 bytes of a file are a header of POSIX or GNU tar."""
    return head[257:262] == b"ustar"


def tar_entries(file: BinaryIO, size: int, most: int) -> list[ArchiveEntry]:
    """List the entries.

    Args:
        file: open for reading.
        size: of it in bytes.
        most: entries that it may have.

    Raises:
        DamagedArchiveError: a header that is damaged, a file that ends too early, an entry that is no plain file, or
            more entries.
        OSError: the file cannot be read.
    """
    entries, place = list[ArchiveEntry](), 0
    for _ in range(2 * most + 1):  # a pax header before each entry
        file.seek(place)
        header = file.read(_BLOCK)
        if len(header) < _BLOCK:
            raise DamagedArchiveError("one that is cut off")
        if not any(header):
            return entries
        length, kind = _checked_length(header), header[156:157]
        start = place + _BLOCK
        place = start + -(-length // _BLOCK) * _BLOCK
        if place > size:
            raise DamagedArchiveError("one that is cut off")
        if kind in _PAX:
            _check_pax(file.read(length) if length <= _LARGEST_PAX else b"")
            continue
        name = _name(header)
        if kind not in (*_FILE, _FOLDER):
            raise DamagedArchiveError(f"{_OTHERS.get(kind, 'what is no file')} in it, {name!r}")
        is_folder = kind == _FOLDER or name.endswith("/")
        entries.append(ArchiveEntry(name, start, length, length, folder=is_folder))
        if len(entries) > most:
            break
    raise DamagedArchiveError(f"more than {most} entries")


def _checked_length(header: bytes) -> int:
    """The length that a header states, once its checksum fits."""
    total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    if header[257:262] != b"ustar" or _number(header[148:156]) != total:
        raise DamagedArchiveError("one with a damaged header")
    return _number(header[124:136])


def _number(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise DamagedArchiveError("one with a damaged header")
    return int(digits, 8)


def _name(header: bytes) -> str:
    fields = [header[:100]] if header[257:263] == b"ustar " else [header[345:500], header[:100]]
    try:
        return "/".join(field.split(b"\0")[0].decode() for field in fields if field[0])
    except UnicodeDecodeError as error:
        raise DamagedArchiveError("a name in it that is no UTF-8") from error


def _check_pax(records: bytes) -> None:
    """Refuse a header that changes what the next entry is; times and owners are left out."""
    place = 0
    if not records:
        raise DamagedArchiveError("one with a damaged header")
    while place < len(records):
        digits, _, rest = records[place : place + 32].partition(b" ")
        length = _decimal(digits)
        record = records[place : place + length]
        key, separator, _ = record.partition(b" ")[2].partition(b"=")
        if length <= len(digits) or not rest or not separator or not record.endswith(b"\n"):
            raise DamagedArchiveError("one with a damaged header")
        if key in _CHANGING or key.startswith(b"GNU.sparse"):
            raise DamagedArchiveError(f"an extended header in it, {key.decode(errors='replace')}")
        place += length


def _decimal(digits: bytes) -> int:
    return int(digits) if digits.isdigit() and len(digits) < 8 else 0
