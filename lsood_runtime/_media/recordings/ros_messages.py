# SPDX-License-Identifier: Apache-2.0
"""Decode the image messages of ROS 1 and ROS 2 by their standard definitions; those that a recording holds are not needed."""

from collections.abc import Callable
from functools import cache
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from lsood_runtime._exceptions import FrameError
from lsood_runtime._media.recordings.image_message import ImageMessage, stamp_of
from lsood_runtime._media.recordings.zstd import ZSTD, decompress

_FOXGLOVE_COMPRESSED = "{time} timestamp\nstring frame_id\nuint8[] data\nstring format"
_FOXGLOVE = {
    "foxglove_msgs/msg/CompressedImage": _FOXGLOVE_COMPRESSED,
    "foxglove_msgs/msg/CompressedVideo": _FOXGLOVE_COMPRESSED,
    "foxglove_msgs/msg/RawImage": "{time} timestamp\nstring frame_id\nuint32 width\nuint32 height\nstring encoding\n"
    "uint32 step\nuint8[] data",
}


def ros_decoder(encoding: str, type_name: str) -> Callable[[bytes], ImageMessage]:
    """A function that decodes the messages of a type.

    Args:
        encoding: ``cdr`` or ``ros1``.
        type_name: of an image message, ``package/Name``.
    """
    is_ros1 = encoding == "ros1"
    store = _store(is_ros1=is_ros1)
    message_type = type_name.replace("/", "/msg/")
    deserialize = store.deserialize_ros1 if is_ros1 else store.deserialize_cdr

    def decode(data: bytes) -> ImageMessage:
        try:
            if data.startswith(ZSTD):  # a ROS 2 bag may compress its messages one by one
                data = decompress(data)
            message: Any = deserialize(data, message_type)
        except (SerdeError, ValueError, LookupError, AssertionError) as error:
            detail = str(error) or "its bytes do not fit the type"
            raise FrameError(f"expected a {type_name} message, got {len(data)} bytes: {detail}") from error
        stamp = message.header.stamp if hasattr(message, "header") else message.timestamp
        return ImageMessage(stamp_of(stamp.sec, stamp.nanosec), message)

    return decode


@cache
def _store(*, is_ros1: bool) -> Typestore:
    store = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.ROS2_HUMBLE)
    for name, definition in _FOXGLOVE.items():
        time = "time" if is_ros1 else "builtin_interfaces/Time"
        store.register(get_types_from_msg(definition.format(time=time), name))
    return store
