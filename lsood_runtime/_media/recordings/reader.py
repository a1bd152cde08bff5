# SPDX-License-Identifier: Apache-2.0
"""Read the camera frames of a recorded drive."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from lsood_runtime._exceptions import FrameError, MediaError
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.recordings.bag_folder import recorded_files
from lsood_runtime._media.recordings.image_decoding import TopicImages
from lsood_runtime._media.recordings.recorded import RecordedMessage, RecordedTopic, Tell
from lsood_runtime._media.recordings.storage import open_recorded
from lsood_runtime._media.recordings.topics import ImageDecoder, choose_topics
from lsood_runtime._media.source_frame import SourceFrame


def read_recording(
    path: Path,
    channels: str,
    topics: Sequence[str] = (),
    rules: PixelRules = AS_STATED,
    *,
    size: tuple[int, int] | None = None,
    tell: Tell,
) -> Iterator[SourceFrame]:
    """Read the images of a recorded drive by their time of recording, over all topics.

    A message that cannot be read comes as a frame with a fault. Topics of depth images are left out where they are not
    named. The stamp is the one of the message's header; where that is not set, negative or no time, the time of recording.

    Args:
        path: an MCAP file, a ROS 1 bag, a SQLite file of a ROS 2 bag, or the folder of one.
        channels: ``rgb`` or ``bgr``, the order to give.
        topics: names or patterns of those to read; empty for every topic of images.
        rules: what messages do not say of their pixels.
        size: rows and columns of a frame; images that state another size are refused before they are decoded. None for any.
        tell: takes what was left out or replaced, in a sentence each.

    Yields:
        Frames whose camera is their topic.

    Raises:
        MediaError: no recording, or one without such topics; or, when all that can be read was given, a recording that is
            cut off or damaged, with the command that mends it.
    """
    name, files = str(path), recorded_files(path, tell)
    chosen = choose_topics(_topics_of(files), topics, name, tell) if len(files) > 1 else None
    reading = _Reading(name, topics, partial(TopicImages, channels, rules, size), tell)
    for file in files:
        yield from reading.file(file, chosen)
    if reading.failures:
        raise MediaError("; ".join(reading.failures))
    if not reading.count:
        raise MediaError(
            f"expected images in {name}, its topics of images have none that are to be read: check the topics that were "
            "asked for"
        )


def _topics_of(files: Sequence[Path]) -> list[RecordedTopic]:
    """Topics of several files; those of a file that cannot be opened are left out, which its reading reports."""
    found: list[RecordedTopic] = []
    for file in files:
        try:
            with open_recorded(file) as recorded:
                found += recorded.topics
        except (MediaError, OSError):
            continue
    return list(dict.fromkeys(found))


class _Reading:
    """Reads the files of one recording in turn.

    Attributes:
        count: of the frames so far.
        failures: why a file could not be read, or not to its end.
    """

    def __init__(self, name: str, topics: Sequence[str], new_topic: Callable[[], TopicImages], tell: Tell) -> None:
        self._name, self._wanted, self._tell = name, topics, tell
        self._images = defaultdict[str, TopicImages](new_topic)
        self._told: set[str] = set()
        self.count = 0
        self.failures: list[str] = []

    def file(self, path: Path, chosen: Mapping[RecordedTopic, ImageDecoder] | None) -> Iterator[SourceFrame]:
        """The frames of a file; ``chosen`` is None where its topics are to be chosen now."""
        try:
            with open_recorded(path) as recorded:
                try:
                    if chosen is None:
                        chosen = choose_topics(recorded.topics, self._wanted, self._name, self._tell)
                    for message in recorded.messages(chosen.__contains__):
                        frame = self._frame(message, chosen[message.topic])
                        if frame is not None:
                            self.count += 1
                            yield frame
                finally:
                    self.failures += [recorded.damage] if recorded.damage else []
        except MediaError as error:
            self.failures.append(str(error))
        except OSError as error:
            self.failures.append(f"cannot read {path}: {error.strerror}; check the disk")

    def _frame(self, message: RecordedMessage, decode: ImageDecoder) -> SourceFrame | None:
        """The frame of a message; None for depth that was not asked for."""
        camera, stamp_ns = message.topic.name, message.recorded_ns
        name = f"{self._name}#{self.count:06d}"
        try:
            if message.fault:
                raise FrameError(message.fault)
            parsed = decode(message.data)
            if camera not in self._wanted and self._images[camera].is_depth(parsed):
                self._tell_once(f"{camera} of {self._name} is left out: {parsed.form!r} is depth, not colours")
                return None
            if parsed.stamp_ns is None:
                self._tell_once(f"{camera} of {self._name} has headers without a stamp: the time of recording is taken")
            stamp_ns = parsed.stamp_ns or stamp_ns
            return SourceFrame(name, camera, stamp_ns, self._images[camera].decode(parsed))
        except FrameError as error:
            self._images[camera].miss()
            return SourceFrame(name, camera, stamp_ns, None, f"cannot read {name} on {camera}: {error}")

    def _tell_once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._tell(sentence)
