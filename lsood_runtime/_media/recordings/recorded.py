# SPDX-License-Identifier: Apache-2.0
"""Topics and messages as a recording holds them, before anything is decoded."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

Tell = Callable[[str], None]
"""Takes a sentence for the user: what of a recording was left out, and why."""


@dataclass(frozen=True, slots=True)
class RecordedTopic:
    """A topic with the type of its messages.

    Args:
        name: of the topic.
        message_type: as the recording states it, such as ``sensor_msgs/msg/Image`` or ``foxglove.RawImage``.
        encoding: of its messages: ``cdr``, ``ros1``, ``protobuf``, ``json`` and others.
        schema: the definition of the type that came along, in the form that the encoding asks for; may be empty.
    """

    name: str
    message_type: str
    encoding: str
    schema: bytes = b""


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """A message with its time of recording in nanoseconds; where its bytes are lost, ``fault`` says why."""

    topic: RecordedTopic
    recorded_ns: int
    data: bytes
    fault: str = ""


class ClosedAtExit(ABC):
    """Base of a file that is closed at the end of a ``with`` block."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RecordedFile(Protocol):
    """A file of a recording that is open.

    Attributes:
        topics: in the file, each once.
        damage: why the file could not be read to its end, with the command that mends it; empty where it could. Known
            once the messages were read.
    """

    damage: str

    @property
    def topics(self) -> Sequence[RecordedTopic]: ...

    def messages(self, wanted: Callable[[RecordedTopic], bool]) -> Iterator[RecordedMessage]:
        """The messages of the topics that are wanted, by their time of recording."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
