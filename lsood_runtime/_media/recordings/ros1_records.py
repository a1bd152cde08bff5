# SPDX-License-Identifier: Apache-2.0
"""Records of a ROS 1 bag (version 2.0): their headers, and what chunks, connections and indexes hold."""

import bz2
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import lz4.frame

MAGIC = b"#ROSBAG V2.0\n"
MESSAGE, BAG_HEADER, INDEX, CHUNK, CHUNK_INFO, CONNECTION = 2, 3, 4, 5, 6, 7
_WORD = 4
_ENTRY = struct.Struct("<III")
_LARGEST_HEADER = 2**20
_DECOMPRESS: dict[bytes, Callable[[bytes], bytes]] = {
    b"none": bytes,
    b"bz2": bz2.decompress,
    b"lz4": lz4.frame.decompress,
}


@dataclass(frozen=True, slots=True)
class Ros1Record:
    """A record: the fields of its header, and where its data lie."""

    fields: dict[bytes, bytes]
    data_at: int
    data_length: int

    @property
    def end(self) -> int:
        """The place behind the record."""
        return self.data_at + self.data_length

    @property
    def is_plain_chunk(self) -> bool:
        """Whether the record is a chunk that is not compressed."""
        return self.kind == CHUNK and self.fields.get(b"compression") == b"none"

    @property
    def kind(self) -> int:
        """Number of the kind of record; 0 where the header has none."""
        return self.fields.get(b"op", b"\0")[0]

    @property
    def connection(self) -> int:
        """Number of the connection."""
        return _number(self.fields[b"conn"])

    @property
    def time_ns(self) -> int:
        """Time of a message in nanoseconds."""
        return _time(self.fields[b"time"])


def read_record(file: BinaryIO, position: int, size: int) -> Ros1Record:
    """The record at a place of a file or a chunk, without its data.

    Args:
        file: the file or chunk.
        position: of the record.
        size: of the file or chunk, beyond which no record reaches.

    Raises:
        ValueError: no record lies there, or not all of it.
    """
    record = read_head(file, position)
    if record.end > size:
        raise ValueError("the record is cut off")
    return record


def read_head(file: BinaryIO, position: int) -> Ros1Record:
    """The record at a place, whose data may be cut off.

    Raises:
        ValueError: no record lies there, or not all of its header.
    """
    file.seek(position)
    header_length = _number(_exactly(file, _WORD))
    if header_length > _LARGEST_HEADER:
        raise ValueError("no record lies there")
    fields = _fields(_exactly(file, header_length))
    data_length = _number(_exactly(file, _WORD))
    if not fields.get(b"op"):
        raise ValueError("no record lies there")
    return Ros1Record(fields, position + 2 * _WORD + header_length, data_length)


def read_data(file: BinaryIO, record: Ros1Record) -> bytes:
    """The data of a record."""
    file.seek(record.data_at)
    return _exactly(file, record.data_length)


def connection_names(record: Ros1Record, data: bytes) -> tuple[str, str]:
    """Topic and type of a connection."""
    return record.fields[b"topic"].decode(errors="replace"), _fields(data)[b"type"].decode(errors="replace")


def unpack_chunk(record: Ros1Record, data: bytes) -> bytes:
    """The records of a chunk, decompressed.

    Raises:
        ValueError: damaged, or of a compression that is unknown.
    """
    name = record.fields.get(b"compression", b"")
    if name not in _DECOMPRESS:
        raise ValueError(f"its compression is {name.decode(errors='replace')!r}")
    try:
        return _DECOMPRESS[name](data)
    except (OSError, ValueError, RuntimeError, EOFError) as error:
        raise ValueError(f"its {name.decode()} data cannot be decompressed: {error}") from error


def index_entries(data: bytes) -> Iterator[int]:
    """The times of the messages that an index lists, in nanoseconds."""
    for seconds, nanoseconds, _ in _ENTRY.iter_unpack(data[: len(data) // _ENTRY.size * _ENTRY.size]):
        yield seconds * 10**9 + nanoseconds


def index_place(fields: dict[bytes, bytes]) -> tuple[int, int, int]:
    """From the header of a bag: place of its index, numbers of connections and of chunks; the place is 0 without one."""
    place, connections, chunks = (
        _number(fields.get(name, b"")) for name in (b"index_pos", b"conn_count", b"chunk_count")
    )
    return place, connections, chunks


def chunk_place(fields: dict[bytes, bytes]) -> tuple[int, int]:
    """From the record of a chunk in the index: time of its first message in nanoseconds, and its place."""
    return _time(fields[b"start_time"]), _number(fields[b"chunk_pos"])


def _fields(header: bytes) -> dict[bytes, bytes]:
    fields, position = dict[bytes, bytes](), 0
    while position < len(header):
        end = position + _WORD + _number(header[position : position + _WORD])
        name, equals, value = header[position + _WORD : end].partition(b"=")
        if not equals or end > len(header):
            raise ValueError("the header of a record is damaged")
        fields[name] = value
        position = end
    return fields


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) != length:
        raise ValueError("the record is cut off")
    return data


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")


def _time(value: bytes) -> int:
    """A time in nanoseconds of seconds and nanoseconds, four bytes each."""
    return _number(value[:_WORD]) * 10**9 + _number(value[_WORD:])
