# SPDX-License-Identifier: Apache-2.0
"""Read the messages of a ROS 1 bag: with its index, without one (``.bag.active``), cut off or damaged in the middle."""

import heapq
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path

from lsood_runtime._media.recordings import ros1_records as records
from lsood_runtime._media.recordings.loose_messages import LooseMessages
from lsood_runtime._media.recordings.recorded import ClosedAtExit, RecordedMessage, RecordedTopic
from lsood_runtime._media.recordings.ros1_records import Ros1Record, read_data, read_head, read_record
from lsood_runtime._media.recordings.time_order import in_order_of_time
from lsood_runtime._text.counted import counted

_DAMAGED = (ValueError, LookupError)


class Ros1Bag(ClosedAtExit):
    """An open ROS 1 bag; see :class:`~lsood_runtime._media.recordings.recorded.RecordedFile`."""

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._file = path.open("rb")
        self._size = self._file.seek(0, io.SEEK_END)
        self._connections: dict[int, RecordedTopic] = {}
        self._chunks: list[tuple[int, int]] = []
        self._loose = LooseMessages()
        self.damage = ""
        if not self._read_index():
            self._scan()
        self.topics = list(dict.fromkeys(self._connections.values()))

    def messages(self, wanted: Callable[[RecordedTopic], bool]) -> Iterator[RecordedMessage]:
        """The messages of the topics that are wanted, by their time of recording."""
        topics = {number: topic for number, topic in self._connections.items() if wanted(topic)}
        return heapq.merge(
            in_order_of_time(self._chunks, lambda place: self._load(place, topics)),
            self._unchunked(topics),
            key=lambda message: message.recorded_ns,
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_index(self) -> bool:
        """Take connections and chunks from the bag's index; False where it has none, or a damaged one."""
        try:
            header = read_record(self._file, len(records.MAGIC), self._size)
            place, connections, chunks = records.index_place(header.fields)
            if not place:
                return False
            for kind in chain(repeat(records.CONNECTION, connections), repeat(records.CHUNK_INFO, chunks)):
                record = read_record(self._file, place, self._size)
                if record.kind != kind:
                    return False
                if kind == records.CONNECTION:
                    self._learn(record, read_data(self._file, record))
                else:
                    self._chunks.append(records.chunk_place(record.fields))
                place = record.end
        except _DAMAGED:
            return False
        return True

    def _scan(self) -> None:
        """Find connections, chunks and messages record by record."""
        self._chunks.clear()
        position = len(records.MAGIC)
        try:
            while position < self._size:
                record = read_head(self._file, position)
                if record.is_plain_chunk and record.end > self._size:
                    position = record.data_at  # cut off: the messages in it are taken one by one
                    continue
                record = read_record(self._file, position, self._size)
                if record.kind == records.CHUNK:
                    self._chunks.append((self._learn_chunk(record), position))
                elif record.kind == records.CONNECTION:
                    self._learn(record, read_data(self._file, record))
                elif record.kind == records.MESSAGE:
                    self._loose.add(record.connection, record.time_ns, position)
                position = record.end
        except _DAMAGED:
            pass  # what was found so far is read; the sentence below says where it ends
        reach = (
            "it has no index"
            if position == self._size
            else f"it is cut off or damaged at byte {position} of {self._size}"
        )
        self.damage = f"cannot read {self._name} to its end: {reach}; `rosbag reindex` mends it"
        if unnamed := self._loose.numbers() - self._connections.keys():
            self.damage += f"; no name is left of {counted(len(unnamed), 'connection')}"

    def _learn(self, record: Ros1Record, data: bytes) -> None:
        name, message_type = records.connection_names(record, data)
        self._connections[record.connection] = RecordedTopic(name, message_type, "ros1")

    def _learn_chunk(self, chunk: Ros1Record) -> int:
        """Take the connections of a chunk, and give the time of its first message; 0 where the chunk is damaged."""
        first_ns = None
        try:
            for record, data in _inside(records.unpack_chunk(chunk, read_data(self._file, chunk))):
                if record.kind == records.CONNECTION:
                    self._learn(record, data)
                elif record.kind == records.MESSAGE:
                    first_ns = record.time_ns if first_ns is None else min(first_ns, record.time_ns)
        except _DAMAGED:
            return first_ns or 0  # its messages are reported as lost when they are read
        return first_ns or 0

    def _load(self, place: int, topics: dict[int, RecordedTopic]) -> Iterable[RecordedMessage]:
        try:
            chunk = read_record(self._file, place, self._size)
            if chunk.kind != records.CHUNK:
                raise ValueError("no chunk lies there")
            return [
                RecordedMessage(topics[record.connection], record.time_ns, data)
                for record, data in _inside(records.unpack_chunk(chunk, read_data(self._file, chunk)))
                if record.kind == records.MESSAGE and record.connection in topics
            ]
        except _DAMAGED as error:
            return self._lost(place, topics, str(error))

    def _lost(self, place: int, topics: dict[int, RecordedTopic], why: str) -> list[RecordedMessage]:
        """The messages of a damaged chunk, without their bytes, by the index that follows it."""
        fault = f"the chunk at byte {place} is damaged: {why}"
        lost, listed = list[RecordedMessage](), False
        try:
            record = read_record(self._file, place, self._size)
            while (record := read_record(self._file, record.end, self._size)).kind == records.INDEX:
                listed = True
                if record.connection in topics:
                    times = records.index_entries(read_data(self._file, record))
                    lost += [RecordedMessage(topics[record.connection], time_ns, b"", fault) for time_ns in times]
        except _DAMAGED:
            listed = listed and bool(lost)  # nothing follows the last chunk of a bag that was cut off
        if not listed:
            self.damage = (
                self.damage or f"cannot read all of {self._name}: {fault}; nothing says which messages it held"
            )
        return lost

    def _unchunked(self, topics: dict[int, RecordedTopic]) -> Iterator[RecordedMessage]:
        for number, recorded_ns, place in self._loose.in_order(topics):
            record = read_record(self._file, place, self._size)
            yield RecordedMessage(topics[number], recorded_ns, read_data(self._file, record))


def _inside(unpacked: bytes) -> Iterator[tuple[Ros1Record, bytes]]:
    """The records of a chunk with their data.

    Raises:
        ValueError: the chunk is damaged.
    """
    chunk, position = io.BytesIO(unpacked), 0
    while position < len(unpacked):
        record = read_record(chunk, position, len(unpacked))
        yield record, read_data(chunk, record)
        position = record.end
