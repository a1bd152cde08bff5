# SPDX-License-Identifier: Apache-2.0
"""Find topics and chunks of an MCAP file: by its summary or, where that is missing or wrong, record by record."""

import io
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, ChunkIndex, McapRecord, Message, MessageIndex, Schema
from mcap.stream_reader import breakup_chunk
from mcap.summary import Summary

from lsood_runtime._media.recordings.loose_messages import LooseMessages

MAGIC = b"\x89MCAP0\r\n"
RECORD_HEAD = struct.Struct("<BQ")
_CHUNK_HEAD = struct.Struct("<QQQI")
_PLAIN_CHUNK = struct.Struct("<IQ")  # length of the name of its compression, which is empty, and of its records
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_FOOTER = struct.Struct("<BQQQI")
_CHECKSUM_SIZE = 4
_LARGEST_RECORD = 2**31
_DAMAGED = (McapError, struct.error, ValueError, LookupError, OSError, EOFError)


@dataclass
class McapIndex:
    """What an MCAP file holds, and where.

    Attributes:
        schemas: by their number.
        channels: by their number.
        used: numbers of the channels that messages were found of, as far as these were looked at.
        chunks: in the order of the file.
        loose: messages outside of chunks.
        ends_at: the byte at which reading had to stop before the end of the data; None where all of these are there.
        is_closed: whether the file ends as it should, behind its data.
    """

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    chunks: list[ChunkIndex] = field(default_factory=list)
    loose: LooseMessages = field(default_factory=LooseMessages)
    ends_at: int | None = None
    is_closed: bool = True

    @property
    def undefined(self) -> set[int]:
        """Numbers of channels that have messages, but no definition."""
        return (self.used | self.loose.numbers()) - self.channels.keys()

    def learn(self, records: Iterable[McapRecord]) -> None:
        """Take the schemas and channels among records, and the channels that have messages there."""
        for record in records:
            if isinstance(record, Schema):
                self.schemas[record.id] = record
            elif isinstance(record, Channel):
                self.channels[record.id] = record
            elif isinstance(record, Message):
                self.used.add(record.channel_id)


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


def message_times(file: BinaryIO, chunk: ChunkIndex) -> dict[int, list[int]]:
    """Times of a chunk's messages by channel, as the index behind it lists them; empty where that is missing or damaged."""
    times: dict[int, list[int]] = {}
    position = chunk.chunk_start_offset + chunk.chunk_length
    try:
        while True:
            file.seek(position)
            opcode, length = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
            if opcode != Opcode.MESSAGE_INDEX:
                return times
            record = file.read(min(length, _LARGEST_RECORD))
            entries = MessageIndex.read(ReadDataStream(io.BytesIO(record)))
            times[entries.channel_id] = [recorded_ns for recorded_ns, _ in entries.records]
            position += RECORD_HEAD.size + length
    except _DAMAGED:
        return times


def _index_by_summary(file: BinaryIO) -> McapIndex | None:
    """The index at the end of a file; None where there is none, it is damaged, or does not hold all that its counts state."""
    try:
        if not _has_good_summary(file):
            return None
        file.seek(0)
        summary = SeekingReader(file).get_summary()
    except _DAMAGED:
        return None
    if summary is None or not _is_complete(summary):
        return None
    chunks = sorted(summary.chunk_indexes, key=lambda chunk: chunk.chunk_start_offset)
    return McapIndex(dict(summary.schemas), dict(summary.channels), set(), chunks)


def _has_good_summary(file: BinaryIO) -> bool:
    """Whether the file ends as it should, with a summary that has the checksum it states, where it states one."""
    end = file.seek(-_FOOTER.size - len(MAGIC), io.SEEK_END)
    footer = file.read(_FOOTER.size)
    opcode, _, starts_at, _, checksum = _FOOTER.unpack(footer)
    if opcode != Opcode.FOOTER or file.read() != MAGIC or not 0 < starts_at <= end:
        return False
    file.seek(starts_at)
    summed = file.read(end + _FOOTER.size - _CHECKSUM_SIZE - starts_at)
    return checksum in (0, zlib.crc32(summed))


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
            file.seek(-len(MAGIC), io.SEEK_END)
            index.is_closed = end <= size and file.read() == MAGIC
            return index
        if opcode == Opcode.CHUNK and end > size and (inside := _records_of_cut_chunk(file)):
            position += RECORD_HEAD.size + inside
            continue
        if opcode == 0 or end > size or not _take(file, index, opcode, position, length):
            index.ends_at = position
            return index
        position = end


def _records_of_cut_chunk(file: BinaryIO) -> int:
    """How far behind the head of a chunk that is cut off its records begin; 0 where they are compressed, or too few bytes."""
    head = file.read(_CHUNK_HEAD.size + _PLAIN_CHUNK.size)
    if len(head) < _CHUNK_HEAD.size + _PLAIN_CHUNK.size:
        return 0
    name_length, _ = _PLAIN_CHUNK.unpack_from(head, _CHUNK_HEAD.size)
    return 0 if name_length else len(head)


def _take(file: BinaryIO, index: McapIndex, opcode: int, position: int, length: int) -> bool:
    """Enter a record into the index; False where it is damaged so that what follows cannot be trusted."""
    try:
        if opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
            stream = ReadDataStream(io.BytesIO(file.read(min(length, _LARGEST_RECORD))))
            index.learn([Schema.read(stream) if opcode == Opcode.SCHEMA else Channel.read(stream)])
        elif opcode == Opcode.MESSAGE:
            channel_id, _, recorded_ns, _ = _MESSAGE_HEAD.unpack(file.read(_MESSAGE_HEAD.size))
            if length < _MESSAGE_HEAD.size:
                return False
            index.loose.add(channel_id, recorded_ns, position)
        elif opcode == Opcode.CHUNK:
            starts_ns, ends_ns, unpacked, _ = _CHUNK_HEAD.unpack(file.read(_CHUNK_HEAD.size))
            chunk = ChunkIndex(RECORD_HEAD.size + length, position, "", length, ends_ns, 0, {}, starts_ns, unpacked)
            index.chunks.append(chunk)
            try:
                index.learn(read_chunk(file, chunk))
            except ValueError:
                return True  # its messages are reported as lost when they are read
    except _DAMAGED:
        return False
    return True
