# SPDX-License-Identifier: Apache-2.0
"""Read the messages of a ROS 2 bag's SQLite file: whole, cut off, damaged in the middle, or with a journal left open."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.recordings.loose_messages import LooseMessages
from lsood_runtime._media.recordings.recorded import RecordedMessage, RecordedTopic

MAGIC = b"SQLite format 3\0"
_TOPICS = "SELECT id, name, type, serialization_format FROM topics ORDER BY id"
_PLACES = "SELECT topic_id, timestamp, id FROM messages WHERE id > ? ORDER BY id"
_DATA = "SELECT data FROM messages WHERE id = ?"
_WIDEST_GAP = 2**40
_LARGEST_PAGE = 65536  # which the two bytes of the header state as 1
_LARGEST_CELL_HEAD = 100  # bytes of a row beside its data that a page must hold


class SqliteBag:
    """An open SQLite file of a ROS 2 bag; see :class:`RecordedFile`.

    Raises:
        MediaError: no bag, or too little of one.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self.damage = ""
        self._remedy = f"`sqlite3 {name} .recover | sqlite3 mended.db3` writes what is left into a new file"
        try:
            rows = self._open()
        except sqlite3.Error as error:
            raise MediaError(f"expected a ROS 2 bag, cannot read {name}: {error}; {self._remedy}") from error
        self._topics = {number: RecordedTopic(topic, kind, encoding) for number, topic, kind, encoding in rows}
        self.topics = list(dict.fromkeys(self._topics.values()))

    def messages(self, wanted: Callable[[RecordedTopic], bool]) -> Iterator[RecordedMessage]:
        """The messages of the topics that are wanted, by their time of recording."""
        topics = {number: topic for number, topic in self._topics.items() if wanted(topic)}
        places = self._places()
        padded = self._padded_row(places)
        for number, recorded_ns, row in places.in_order(topics):
            data, fault = (b"", "its last page is cut off") if row == padded else self._read(row)
            why = fault and f"row {row} of {self._name} is damaged: {fault}"
            yield RecordedMessage(topics[number], recorded_ns, data, why)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def _open(self) -> list[tuple[int, str, str, str]]:
        """Connect, and list the topics: with the messages of an open journal where SQLite can apply it without writing."""
        try:
            return self._connect("mode=ro")
        except sqlite3.OperationalError as error:
            rows = self._connect("immutable=1")
            self.damage = (
                f"{self._name} was not closed: {error}; read without its journal, which "
                f"`sqlite3 {self._name} 'PRAGMA quick_check'` applies"
            )
            return rows

    def _connect(self, mode: str) -> list[tuple[int, str, str, str]]:
        self._database = sqlite3.connect(f"file:{quote(str(self._path))}?{mode}", uri=True)
        try:
            # Lets SQLite open a file that has fewer pages than its header states; nothing is written.
            self._database.execute("PRAGMA writable_schema = ON")
            return list(self._database.execute(_TOPICS))
        except sqlite3.Error:
            self._database.close()
            raise

    def _places(self) -> LooseMessages:
        """Topic, time and row of every message; past a damaged page the search goes on in growing steps."""
        places, last, step, lost, why = LooseMessages(), 0, 0, 0, ""
        while step < _WIDEST_GAP:
            try:
                with closing(self._database.execute(_PLACES, (last + step,))) as rows:
                    for number, recorded_ns, row in rows:
                        if not (isinstance(number, int) and isinstance(recorded_ns, int)):
                            raise sqlite3.DatabaseError(f"row {row} has no topic or no time")
                        lost += row - last - 1 if step else 0
                        places.add(number, max(0, recorded_ns), row)
                        last, step = row, 0
                break
            except sqlite3.DatabaseError as error:
                why, step = str(error), max(1, 2 * step)
        if why:
            end = f", and all after row {last}" if step else ""
            self.damage = f"{self._name} is damaged: {why}; {lost} messages in the middle are lost{end}; {self._remedy}"
        return places

    def _padded_row(self, places: LooseMessages) -> int | None:
        """The row at whose end SQLite reads zeros, because the file is cut off within a page; None where there is none.

        Rows are appended: of those that are longer than a page and can be read, the last one reaches into the last page.
        """
        with self._path.open("rb") as file:
            stated = int.from_bytes(file.read(18)[16:], "big")
        page = _LARGEST_PAGE if stated == 1 else stated
        if self._path.stat().st_size % page == 0:
            return None
        for row in places.last_places():
            data, fault = self._read(row)
            if not fault and len(data) > page - _LARGEST_CELL_HEAD:
                return row if data.endswith(b"\0") else None
        return None

    def _read(self, row: int) -> tuple[bytes, str]:
        """The bytes of a message, and what is wrong with them."""
        try:
            with closing(self._database.execute(_DATA, (row,))) as found:
                return bytes(found.fetchone()[0]), ""
        except (sqlite3.Error, TypeError) as error:
            return b"", str(error)
