# SPDX-License-Identifier: Apache-2.0
"""Choose the topics of a recording to read, and how their messages are decoded."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._media.recordings.image_message import ImageMessage, plain_type
from lsood_runtime._media.recordings.recorded import RecordedTopic, Tell

ImageDecoder = Callable[[bytes], ImageMessage]
"""Turns the bytes of a message into an image message, or raises FrameError."""

_ROS = ("cdr", "ros1")
IMAGE_TYPES = {
    "sensor_msgs/Image": _ROS,
    "sensor_msgs/CompressedImage": _ROS,
    "foxglove_msgs/CompressedImage": _ROS,
    "foxglove_msgs/CompressedVideo": _ROS,
    "foxglove_msgs/RawImage": _ROS,
    "foxglove.CompressedImage": ("protobuf",),
    "foxglove.CompressedVideo": ("protobuf",),
    "foxglove.RawImage": ("protobuf",),
}
"""Types of messages with images, and the encodings in which they can be read."""


def choose_topics(
    topics: Iterable[RecordedTopic], patterns: Sequence[str], name: str, tell: Tell
) -> dict[RecordedTopic, ImageDecoder]:
    """The topics to read with their decoders; topics of images that cannot be read are told, and left out.

    Args:
        topics: that the recording has.
        patterns: names of topics, in which ``*`` stands for any text and ``?`` for a character; empty for all.
        name: of the recording, for messages.
        tell: takes what is left out.

    Raises:
        MediaError: no topic of images, none that fits a pattern, one that is named and cannot be read, or a missing package.
    """
    known = list(topics)
    images = [topic for topic in known if plain_type(topic.message_type) in IMAGE_TYPES]
    for pattern in patterns:
        if not _fitting(images, [pattern]):
            raise MediaError(_nothing(pattern, known, images, name))
    if not images:
        raise MediaError(f"expected images in {name}, it has {_listing(known)}: check the recording")
    chosen = dict[RecordedTopic, ImageDecoder]()
    left_out: list[str] = []
    for topic in _fitting(images, patterns or ["*"]):
        try:
            chosen[topic] = _decoder(topic, name)
        except MediaError as error:
            if topic.name in patterns:
                raise
            left_out.append(str(error))
    if not chosen:
        raise MediaError("; ".join(left_out))
    for sentence in left_out:
        tell(sentence)
    return chosen


def _fitting(images: Iterable[RecordedTopic], patterns: Sequence[str]) -> list[RecordedTopic]:
    return [topic for topic in images if any(topic.name == each or fnmatchcase(topic.name, each) for each in patterns)]


def _decoder(topic: RecordedTopic, name: str) -> ImageDecoder:
    where = f"{topic.name} of {name}"
    kind = plain_type(topic.message_type)
    if topic.encoding not in IMAGE_TYPES[kind]:
        raise MediaError(
            f"{where} has {kind} in {topic.encoding}, which is not read; {' or '.join(IMAGE_TYPES[kind])} is"
        )
    try:
        if topic.encoding == "protobuf":
            from lsood_runtime._media.recordings.foxglove_messages import protobuf_decoder

            return protobuf_decoder(kind, topic.schema)
        from lsood_runtime._media.recordings.ros_messages import ros_decoder

        return ros_decoder(topic.encoding, kind)
    except ImportError as error:
        raise missing_extra(f"reading {where}", "replay") from error
    except MediaError as error:
        raise MediaError(f"{where} cannot be read: {error}") from error


def _nothing(pattern: str, known: Sequence[RecordedTopic], images: Sequence[RecordedTopic], name: str) -> str:
    other = _fitting(known, [pattern])
    there = f"{_listing(other)} has none" if other else f"it has them on {_listing(images)}"
    return f"expected images on {pattern} in {name}, {there}: check the topics that were asked for, and the recording"


def _listing(topics: Sequence[RecordedTopic], most: int = 8) -> str:
    """Topics with their types in a sentence."""
    texts = sorted({f"{topic.name} ({topic.message_type or topic.encoding})" for topic in topics})
    rest = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + rest if texts else "no topic"
