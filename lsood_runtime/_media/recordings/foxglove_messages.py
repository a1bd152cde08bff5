# SPDX-License-Identifier: Apache-2.0
"""Decode Foxglove's image messages in Protobuf by the definition that the recording holds."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError
from mcap.records import Schema
from mcap_protobuf.decoder import DecoderFactory

from lsood_runtime._exceptions import FrameError, MediaError
from lsood_runtime._media.recordings.image_message import ImageMessage, stamp_of

_COMPRESSED = {"timestamp", "data", "format"}
_RAW = {"timestamp", "data", "encoding", "width", "height", "step"}


def protobuf_decoder(type_name: str, definition: bytes) -> Callable[[bytes], ImageMessage]:
    """A function that decodes the messages of a type.

    Args:
        type_name: ``foxglove.CompressedImage``, ``foxglove.CompressedVideo`` or ``foxglove.RawImage``.
        definition: the set of file descriptors that is the schema of the channel.

    Raises:
        MediaError: the definition is damaged, or lacks fields of the type.
    """
    try:
        parse = DecoderFactory().decoder_for("protobuf", Schema(1, definition, "protobuf", type_name))
        empty: Any = parse(b"") if parse is not None else None
        fields = set(empty.DESCRIPTOR.fields_by_name)
    except Exception as error:  # the library and its descriptor pool raise whatever a damaged definition makes of them
        raise MediaError(f"its definition of {type_name} cannot be read: {error}") from error
    wanted = _RAW if type_name.endswith("RawImage") else _COMPRESSED
    if parse is None or not wanted <= fields:
        raise MediaError(f"its definition of {type_name} lacks {', '.join(sorted(wanted - fields))}")

    def decode(data: bytes) -> ImageMessage:
        try:
            message: Any = parse(data)
        except DecodeError as error:
            raise FrameError(f"expected a {type_name} message, got {len(data)} bytes: {error}") from error
        return ImageMessage(stamp_of(message.timestamp.seconds, message.timestamp.nanos), message)

    return decode
