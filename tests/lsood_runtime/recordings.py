# SPDX-License-Identifier: Apache-2.0
"""Recorded drives of every kind that the replay reads, written by the libraries of the formats."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mcap.writer import Writer as McapWriter
from numpy.typing import NDArray
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
KINDS = ("ros2 sqlite3", "ros2 mcap", "ros1", "mcap file", "db3 file")

Record = tuple[str, int, int, NDArray[np.uint8]]
"""Topic, the header's stamp and the time of recording in nanoseconds, RGB frame."""


def write_recording(folder: Path, kind: str, records: Sequence[Record], message_type: str = IMAGE) -> Path:
    """Write the frames, and a message of another type on ``/clock_name`` that no reader of images must stumble over."""
    store = get_typestore(Stores.ROS1_NOETIC if kind == "ros1" else Stores.ROS2_HUMBLE)
    path = folder / ("drive.bag" if kind == "ros1" else "drive")
    if kind == "ros1":
        writer: Any = Writer1(path)
    else:
        plugin = StoragePlugin.MCAP if "mcap" in kind else StoragePlugin.SQLITE3
        writer = Writer2(path, version=9, storage_plugin=plugin)
    serialize = store.serialize_ros1 if kind == "ros1" else store.serialize_cdr
    with writer:
        names = sorted({topic for topic, *_ in records})
        topics = {topic: writer.add_connection(topic, message_type, typestore=store) for topic in names}
        other = writer.add_connection("/clock_name", "std_msgs/msg/String", typestore=store)
        words = store.types["std_msgs/msg/String"](data="steady")
        for i, (topic, stamp_ns, recorded_ns, frame) in enumerate(records):
            message = _message(store, message_type, stamp_ns, frame, i)
            writer.write(topics[topic], recorded_ns, serialize(message, message_type))
            writer.write(other, recorded_ns, serialize(words, "std_msgs/msg/String"))
    if kind == "mcap file":
        return next(path.glob("*.mcap")).rename(folder / "drive.mcap")
    if kind == "db3 file":
        return next(path.glob("*.db3")).rename(folder / "drive.db3")
    return path


def _message(store: Any, message_type: str, stamp_ns: int, frame: NDArray[np.uint8], index: int) -> Any:
    types = store.types
    stamp = types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    sequence = {"seq": index} if "seq" in types["std_msgs/msg/Header"].__dataclass_fields__ else {}
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera", **sequence)
    if message_type == COMPRESSED:
        encoded = cv2.imencode(".png", frame[..., ::-1])[1]
        return types[COMPRESSED](header=header, format="png", data=np.asarray(encoded, np.uint8).ravel())
    height, width, _ = frame.shape
    # Every other frame as BGR: what counts is the encoding that the message states.
    encoding, pixels = ("bgr8", frame[..., ::-1]) if index % 2 else ("rgb8", frame)
    return types[IMAGE](
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(pixels).ravel(),
    )


def write_mcap_without_images(path: Path) -> Path:
    """A valid MCAP file of another world: JSON on one topic."""
    with path.open("wb") as file:
        writer = McapWriter(file)
        writer.start()
        schema = writer.register_schema("words", "jsonschema", b'{"type": "object"}')
        channel = writer.register_channel("/words", "json", schema)
        writer.add_message(channel, 1, b"{}", 1)
        writer.finish()  # type: ignore[no-untyped-call]
    return path
