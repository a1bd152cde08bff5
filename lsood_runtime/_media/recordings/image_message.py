# SPDX-License-Identifier: Apache-2.0
"""A camera's message in one form, whichever package and serialisation it came in."""

import re
from dataclasses import dataclass
from typing import Any

_LATEST_NS = 2**63


@dataclass(frozen=True, slots=True, eq=False)
class ImageMessage:
    """A message with one image.

    Args:
        stamp_ns: of its header, in nanoseconds; None where it is not set, or is no time.
        contents: the message with the fields of its type, as a ROS or a Protobuf library gives it.
    """

    stamp_ns: int | None
    contents: Any

    @property
    def form(self) -> str:
        """Encoding of the pixels, or format of a compressed image such as ``jpeg`` or ``rgb8; jpeg compressed bgr8``."""
        return str(self.contents.format if hasattr(self.contents, "format") else self.contents.encoding)


def stamp_of(seconds: int, nanoseconds: int) -> int | None:
    """The stamp of a header in nanoseconds; None where it is not set (0), negative, or has a whole second of nanoseconds."""
    stamp_ns = seconds * 10**9 + nanoseconds
    return stamp_ns if 0 <= nanoseconds < 10**9 and 0 < stamp_ns < _LATEST_NS else None


def plain_type(message_type: str) -> str:
    """The name of a type without its namespace: ``sensor_msgs/Image`` for ROS 1, ROS 2 and the IDL of a middleware.

    Foxglove's types keep their names, ``foxglove.RawImage``, and in ROS 2 are ``foxglove_msgs/RawImage``.
    """
    name = re.sub(r"^(\w+)::(?:msg::)?(?:dds_::)?(\w+?)_?$", r"\1/\2", message_type)
    return name.replace("/msg/", "/")
