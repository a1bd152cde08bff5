# SPDX-License-Identifier: Apache-2.0
"""Read the messages of a ROS 2 bag's SQLite file: whole, cut off, damaged in the middle, or with a journal left open."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import apsw

from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.recordings.loose_messages import LooseMessages
from lsood_runtime._media.recordings.recorded import ClosedAtExit, RecordedMessage, RecordedTopic
from lsood_runtime._media.recordings.sqlite_pages import SqlitePages, WholePages

# As bytes, for those of a damaged page may be no UTF-8.
_TOPICS = """
SELECT id, CAST(name AS BLOB), CAST(type AS BLOB), CAST(serialization_format AS BLOB) FROM topics ORDER BY id
"""
_PLACES = "SELECT topic_id, timestamp, id FROM messages WHERE id > ? ORDER BY id"
_DATA = "SELECT data FROM messages WHERE id = ?"
_WIDEST_GAP = 2**40
_DAMAGED = (apsw.Error, ValueError, OverflowError)  # columns and rows of a damaged page may be anything


class SqliteBag(ClosedAtExit):
    """An open SQLite file of a ROS 2 bag; see :class:`~lsood_runtime._media.recordings.recorded.RecordedFile`.

    Raises:
        MediaError: no bag, or too little of one.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self.damage = ""
        self._remedy = f"`sqlite3 {name} .recover | sqlite3 mended.db3` writes what is left into a new file"
        self._pages = SqlitePages.of(path)
        try:
            rows = self._open()
        except apsw.Error as error:
            raise MediaError(f"cannot read {name} as a ROS 2 bag: {error}; {self._remedy}") from error
        self._topics = {
            number: RecordedTopic(*(text.decode(errors="replace") for text in texts))
            for number, *texts in rows
            if None not in texts
        }
        self.topics = list(dict.fromkeys(self._topics.values()))

    def messages(self, wanted: Callable[[RecordedTopic], bool]) -> Iterator[RecordedMessage]:
        """The messages of the topics that are wanted, by their time of recording."""
        topics = {number: topic for number, topic in self._topics.items() if wanted(topic)}
        for number, recorded_ns, row in self._places().in_order(topics):
            try:
                ((data,),) = self._database.execute(_DATA, (row,))
            except _DAMAGED as error:
                yield RecordedMessage(topics[number], recorded_ns, b"", f"row {row} is damaged: {error}")
            else:
                fault = "" if isinstance(data, bytes) else f"row {row} is damaged: its data is no bytes"
                yield RecordedMessage(topics[number], recorded_ns, data if isinstance(data, bytes) else b"", fault)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _open(self) -> list[Any]:
        """Connect, and list the topics: with the messages of an open journal where SQLite can apply it without writing."""
        try:
            return self._connect("mode=ro")
        except (apsw.ReadOnlyError, apsw.CantOpenError) as error:
            rows = self._connect("immutable=1")
            self.damage = (
                f"cannot read the journal of {self._name}, which was not closed: {error}; "
                f"`sqlite3 {self._name} 'PRAGMA quick_check'` applies it"
            )
            return rows

    def _connect(self, mode: str) -> list[Any]:
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        self._vfs = WholePages(self._pages.size) if self._pages.is_cut_within_one else None
        name = f"file:{quote(str(self._path.absolute()))}?{mode}"
        self._database = apsw.Connection(name, flags=flags, vfs=self._vfs.name if self._vfs else None)
        try:
            # Lets SQLite open a file that has fewer pages than its header states; nothing is written.
            self._database.execute("PRAGMA writable_schema = ON")
            return list(self._database.execute(_TOPICS))
        except apsw.Error:
            self._database.close()
            raise

    def _places(self) -> LooseMessages:
        """Topic, time and row of every message that can be found."""
        places, last, lost, why = LooseMessages(), 0, 0, ""
        start: int | None = 0
        while start is not None:
            try:
                for number, recorded_ns, row in cast(Any, self._database.execute(_PLACES, (start,))):
                    if not self._is_message(number, recorded_ns):
                        raise apsw.CorruptError("a row has no topic or no time")
                    lost += row - last - 1 if start > last else 0
                    start = last = row
                    places.add(number, max(0, recorded_ns), row)
                break
            except _DAMAGED as error:
                why, start = str(error), self._behind(last)
        self._note_loss(why, lost, "" if start is not None else f" and all after row {last}")
        return places

    def _note_loss(self, why: str, lost: int, rest: str) -> None:
        if self._pages.are_missing:
            rows = f", and {lost} messages before" if lost else ""
            cut = f"it is cut off at byte {self._pages.file_size} of {self._pages.size * self._pages.stated}{rows}"
            self.damage = f"cannot read {self._name} to its end: {cut}; {self._remedy}"
        elif why:
            self.damage = f"cannot read {lost} messages{rest} of {self._name}: {why}; {self._remedy}"

    def _behind(self, last: int) -> int | None:
        """The row behind which reading goes on, where the page behind ``last`` cannot be read; None where nothing follows."""
        good = 1
        while not self._can_read(last + good):
            good *= 2
            if good > _WIDEST_GAP:
                return None
        bad = good // 2
        while good - bad > 1:
            middle = (good + bad) // 2
            good, bad = (middle, bad) if self._can_read(last + middle) else (good, middle)
        return last + good

    def _can_read(self, row: int) -> bool:
        try:
            following = cast(Any, self._database.execute(_PLACES, (row,)).fetchone())
        except _DAMAGED:
            return False
        return following is None or self._is_message(*following[:2])

    def _is_message(self, number: object, recorded_ns: object) -> bool:
        """Whether the columns of a row are of a message; those of a damaged page may be anything, and so may its row."""
        return number in self._topics and isinstance(recorded_ns, int)
