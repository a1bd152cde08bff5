# SPDX-License-Identifier: Apache-2.0
"""Put the messages of a file's chunks in the order of their times, with few chunks in memory."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TypeVar

from lsood_runtime._media.recordings.recorded import RecordedMessage

ChunkT = TypeVar("ChunkT")


def in_order_of_time(
    chunks: Iterable[tuple[int, ChunkT]], load: Callable[[ChunkT], Iterable[RecordedMessage]]
) -> Iterator[RecordedMessage]:
    """The messages of chunks by their time of recording; those of one time stay in the order of the file.

    A chunk is loaded when the messages before its first are out, so that memory holds the chunks whose times overlap.

    Args:
        chunks: each with the time of its first message in nanoseconds, in the order of the file.
        load: gives the messages of a chunk.
    """
    waiting: list[tuple[int, int, RecordedMessage]] = []
    number = count()
    for starts_ns, chunk in sorted(chunks, key=lambda pair: pair[0]):
        while waiting and waiting[0][0] < starts_ns:
            yield heapq.heappop(waiting)[2]
        for message in load(chunk):
            heapq.heappush(waiting, (message.recorded_ns, next(number), message))
    while waiting:
        yield heapq.heappop(waiting)[2]
