# SPDX-License-Identifier: Apache-2.0
"""Find topics and chunks of an MCAP file: by its summary or, where that is missing or wrong, record by record."""

import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, ChunkIndex, McapRecord, Schema
from mcap.stream_reader import breakup_chunk
from mcap.summary import Summary

from lsood_runtime._media.recordings.loose_messages import LooseMessages

MAGIC = b"\x89MCAP0\r\n"
RECORD_HEAD = struct.Struct("<BQ")
_CHUNK_HEAD = struct.Struct("<QQQI")
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_LARGEST_RECORD = 2**31
_DAMAGED = (McapError, struct.error, ValueError, LookupError, OSError, EOFError)


@dataclass
class McapIndex:
    """What an MCAP file holds, and where.

    Attributes:
        schemas: by their number.
        channels: by their number.
        chunks: in the order of the file.
        loose: messages outside of chunks.
        ends_at: the byte at which reading had to stop before the end of the data; None where the file is whole.
    """

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[ChunkIndex] = field(default_factory=list)
    loose: LooseMessages = field(default_factory=LooseMessages)
    ends_at: int | None = None

    @property
    def undefined(self) -> set[int]:
        """Numbers of channels that have messages, but no definition."""
        used = {number for chunk in self.chunks for number in chunk.message_index_offsets}
        return (used | self.loose.numbers()) - self.channels.keys()

    def learn(self, records: Iterable[McapRecord]) -> None:
        """Take the schemas and channels among records."""
        for record in records:
            if isinstance(record, Schema):
                self.schemas[record.id] = record
            elif isinstance(record, Channel):
                self.channels[record.id] = record


def index_mcap(file: BinaryIO) -> McapIndex:
    """Index an MCAP file; a cut or damaged one as far as it can be read."""
    return _index_by_summary(file) or _index_by_records(file)


def read_chunk(file: BinaryIO, index: ChunkIndex) -> list[McapRecord]:
    """The records of a chunk.

    Raises:
        ValueError: the chunk is damaged; the message says in which way.
    """
    try:
        file.seek(index.chunk_start_offset)
        record = file.read(min(index.chunk_length, _LARGEST_RECORD))
        opcode, length = RECORD_HEAD.unpack_from(record)
        if opcode != Opcode.CHUNK or RECORD_HEAD.size + length != len(record):
            raise ValueError("no chunk of the stated length lies there")
        return breakup_chunk(Chunk.read(ReadDataStream(io.BytesIO(record[RECORD_HEAD.size :]))), validate_crc=True)
    except Exception as error:  # three decompressors and the parser raise a dozen types for damaged bytes
        raise ValueError(str(error) or type(error).__name__) from error


def _index_by_summary(file: BinaryIO) -> McapIndex | None:
    """The index at the end of a file; None where there is none, or where it does not hold all that its counts state."""
    try:
        file.seek(-len(MAGIC), io.SEEK_END)
        if file.read(len(MAGIC)) != MAGIC:
            return None
        file.seek(0)
        summary = SeekingReader(file).get_summary()
    except _DAMAGED:
        return None
    if summary is None or not _is_complete(summary):
        return None
    chunks = sorted(summary.chunk_indexes, key=lambda chunk: chunk.chunk_start_offset)
    return McapIndex(dict(summary.schemas), dict(summary.channels), chunks)


def _is_complete(summary: Summary) -> bool:
    counts = summary.statistics
    return (
        counts is not None
        and counts.chunk_count == len(summary.chunk_indexes) > 0
        and counts.channel_count == len(summary.channels)
        and all(channel.schema_id in {0, *summary.schemas} for channel in summary.channels.values())
    )


def _index_by_records(file: BinaryIO) -> McapIndex:
    index = McapIndex()
    size = file.seek(0, io.SEEK_END)
    position = len(MAGIC)
    while True:
        file.seek(position)
        head = file.read(RECORD_HEAD.size)
        opcode, length = RECORD_HEAD.unpack(head) if len(head) == RECORD_HEAD.size else (0, 0)
        end = position + RECORD_HEAD.size + length
        if opcode in (Opcode.DATA_END, Opcode.FOOTER):
            return index
        if opcode == 0 or end > size or not _take(file, index, opcode, position, length):
            index.ends_at = position
            return index
        position = end


def _take(file: BinaryIO, index: McapIndex, opcode: int, position: int, length: int) -> bool:
    """Enter a record into the index; False where it is damaged so that what follows cannot be trusted."""
    try:
        if opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
            stream = ReadDataStream(io.BytesIO(file.read(min(length, _LARGEST_RECORD))))
            index.learn([Schema.read(stream) if opcode == Opcode.SCHEMA else Channel.read(stream)])
        elif opcode == Opcode.MESSAGE:
            channel_id, _, recorded_ns, _ = _MESSAGE_HEAD.unpack(file.read(_MESSAGE_HEAD.size))
            index.loose.add(channel_id, recorded_ns, position)
        elif opcode == Opcode.CHUNK:
            starts_ns, ends_ns, unpacked, _ = _CHUNK_HEAD.unpack(file.read(_CHUNK_HEAD.size))
            chunk = ChunkIndex(RECORD_HEAD.size + length, position, "", length, ends_ns, 0, {}, starts_ns, unpacked)
            index.chunks.append(chunk)
            try:
                index.learn(read_chunk(file, chunk))
            except ValueError:
                return True  # its messages are reported as lost when they are read
        elif opcode == Opcode.MESSAGE_INDEX and index.chunks:
            (channel_id,) = struct.unpack("<H", file.read(2))
            index.chunks[-1].message_index_offsets[channel_id] = position
    except _DAMAGED:
        return False
    return True
