# SPDX-License-Identifier: Apache-2.0
"""Read the messages of an MCAP file: with or without chunks and index, cut off or damaged in the middle."""

import heapq
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.records import ChunkIndex, Message

from lsood_runtime._media.recordings.mcap_index import RECORD_HEAD, index_mcap, message_times, read_chunk
from lsood_runtime._media.recordings.recorded import ClosedAtExit, RecordedMessage, RecordedTopic
from lsood_runtime._media.recordings.time_order import in_order_of_time
from lsood_runtime._text.counted import counted


class McapFile(ClosedAtExit):
    """An open MCAP file; see :class:`~lsood_runtime._media.recordings.recorded.RecordedFile`."""

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._file = path.open("rb")
        self._index = index_mcap(self._file)
        self._topics = {number: self._topic(number) for number in self._index.channels}
        self.topics = list(dict.fromkeys(self._topics.values()))
        self.damage = self._damage()

    def messages(self, wanted: Callable[[RecordedTopic], bool]) -> Iterator[RecordedMessage]:
        """The messages of the topics that are wanted, by their time of recording."""
        topics = {number: topic for number, topic in self._topics.items() if wanted(topic)}
        chunks = [
            (chunk.message_start_time, chunk)
            for chunk in self._index.chunks
            if not chunk.message_index_offsets or not topics.keys().isdisjoint(chunk.message_index_offsets)
        ]
        return heapq.merge(
            in_order_of_time(chunks, lambda chunk: self._load(chunk, topics)),
            self._loose(topics),
            key=lambda message: message.recorded_ns,
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _damage(self) -> str:
        """What is wrong with the file, as far as its index shows it."""
        sentences, end, size = list[str](), self._index.ends_at, self._file.seek(0, io.SEEK_END)
        if end is not None:
            reach = "it has no end" if end == size else f"it is cut off or damaged at byte {end} of {size}"
            sentences.append(f"cannot read {self._name} to its end: {reach}; `mcap recover` writes a whole one")
        elif not self._index.is_closed:
            sentences.append(
                f"{self._name} lacks its end, the closing magic of MCAP: all its messages are read, the index behind them is "
                "cut off or damaged; `mcap recover` writes a whole one"
            )
        if unnamed := self._index.undefined:
            sentences.append(f"cannot read {counted(len(unnamed), 'channel')} of {self._name}: no name is left")
        return "; ".join(sentences)

    def _topic(self, number: int) -> RecordedTopic:
        channel = self._index.channels[number]
        schema = self._index.schemas.get(channel.schema_id)
        name, definition = (schema.name, schema.data) if schema is not None else ("", b"")
        return RecordedTopic(channel.topic, name, channel.message_encoding, definition)

    def _load(self, chunk: ChunkIndex, topics: dict[int, RecordedTopic]) -> Iterable[RecordedMessage]:
        try:
            records = read_chunk(self._file, chunk)
        except ValueError as error:
            return self._lost(chunk, topics, str(error))
        return [
            RecordedMessage(topics[record.channel_id], record.log_time, record.data)
            for record in records
            if isinstance(record, Message) and record.channel_id in topics
        ]

    def _lost(self, chunk: ChunkIndex, topics: dict[int, RecordedTopic], why: str) -> list[RecordedMessage]:
        """The messages of a damaged chunk, without their bytes, by the index that follows it."""
        fault = f"the chunk at byte {chunk.chunk_start_offset} is damaged: {why}"
        times = message_times(self._file, chunk)
        if not times:
            self.damage = (
                self.damage or f"cannot read all of {self._name}: {fault}; nothing says which messages it held"
            )
        return [
            RecordedMessage(topics[number], recorded_ns, b"", fault)
            for number in topics.keys() & times.keys()
            for recorded_ns in times[number]
        ]

    def _loose(self, topics: dict[int, RecordedTopic]) -> Iterator[RecordedMessage]:
        for number, recorded_ns, place in self._index.loose.in_order(topics):
            self._file.seek(place)
            _, length = RECORD_HEAD.unpack(self._file.read(RECORD_HEAD.size))
            message = Message.read(ReadDataStream(self._file), length)
            yield RecordedMessage(topics[number], recorded_ns, message.data)
