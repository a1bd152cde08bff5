# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from recorded drives, ROS bags and MCAP files of ROS messages; rosbags is imported when one is read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lsood_runtime._exceptions import FrameError, MediaError, missing_extra
from lsood_runtime._media.message_images import decode_message
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.source_frame import SourceFrame

RECORDING_SUFFIXES = (".mcap", ".bag", ".db3")
_BAG_METADATA = "metadata.yaml"
_IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


def is_recording(path: Path) -> bool:
    """Whether ``path`` is a recorded drive, by its suffix or, for the folder of a ROS 2 bag, by its metadata."""
    return path.suffix.lower() in RECORDING_SUFFIXES if path.is_file() else (path / _BAG_METADATA).is_file()


def read_recording(
    path: Path, channels: str, topics: Sequence[str] = (), rules: PixelRules = AS_STATED
) -> Iterator[SourceFrame]:
    """Read the images of a recorded drive in the order of recording.

    Args:
        path: a bag or an MCAP file.
        channels: ``rgb`` or ``bgr``, the order to give.
        topics: to read; empty for every topic of images.
        rules: what images do not say themselves.

    Yields:
        Frames whose camera is their topic; one whose image cannot be decoded has a fault. The stamp is the header's; where
        that is zero, the time of recording.

    Raises:
        MediaError: no recording, one without such topics, or a message that cannot be read; the message names it.
    """
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise missing_extra(f"reading the recording {path}", "replay") from error
    where = str(path)
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.LATEST)) as reader:
            images = [connection for connection in reader.connections if connection.msgtype in _IMAGES]
            there = sorted({connection.topic for connection in images})
            missing = [topic for topic in topics if topic not in there]
            if missing or not there:
                raise MediaError(
                    f"expected {f'images on {missing[0]}' if missing else 'images'} in {path}, "
                    f"it has them on {', '.join(there) or 'no topic'}: check --topic and the recording"
                )
            wanted = [connection for connection in images if not topics or connection.topic in topics]
            for i, (connection, recorded_ns, raw) in enumerate(reader.messages(wanted)):
                where = f"{path} {connection.topic} message {i}"
                message: Any = reader.deserialize(raw, connection.msgtype)
                stamp = message.header.stamp
                stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec or recorded_ns
                name = f"{path}#{i:06d}"
                try:
                    frame = decode_message(message, channels, rules)
                except FrameError as error:
                    yield SourceFrame(name, connection.topic, stamp_ns, None, f"{where}: {error}")
                else:
                    yield SourceFrame(name, connection.topic, stamp_ns, frame)
    except MediaError:
        raise
    except Exception as error:  # rosbags, its storage plugins and OpenCV raise a dozen types for damaged files
        raise MediaError(f"cannot read {where}: {type(error).__name__}: {error}") from error
