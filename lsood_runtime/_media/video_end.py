# SPDX-License-Identifier: Apache-2.0
"""Find out whether a video file was cut off, by what its format says of its end.

A decoder fills up a frame whose data stop in the middle, and seldom says so. These formats tell, each in its own way:

===================  ================================================================================================
Matroska, WebM       state the length of all that follows, where the recorder came to an end
Y4M                  has frames of one length
MJPEG                has a mark at the end of each picture
transport stream     has packets of one length, of which the last one of a frame is filled up
program stream       ends with a code
H.264, H.265         end with a mark, if the encoder wrote one, as few do
===================  ================================================================================================
"""

import io
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO

_EBML_HEAD, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_TAIL = 1 << 22
_TS_LENGTHS, _TS_PACKET, _TS_SYNC = (188, 192, 204), 188, 0x47  # with a time before or a checksum behind each packet
_TS_FEWEST = 5
_ADAPTATION_PARTS = ((0x10, 6), (0x08, 6), (0x04, 1))  # flags: both clocks, and the countdown to a splice; their bytes
_PRIVATE, _EXTENSION = 0x02, 0x01
_PROGRAM_END = b"\x00\x00\x01\xb9"
_START_CODE = b"\x00\x00\x01"
_JPEG_END = b"\xff\xd9"


class VideoEnd(Enum):
    """How a video file ends."""

    WHOLE = "whole"
    """As its format says it should, or at least not within a frame."""
    CUT = "cut"
    """Before its end; what was cut may be no part of the last frame that decodes."""
    TORN = "torn"
    """Within the data of the last frame that decodes."""
    UNKNOWN = "unknown"
    """Its format does not say whether the last frame is whole."""


def find_video_end(path: Path, form: str, codec: str, number: int) -> VideoEnd:
    """Find out how a video file ends, from a few bytes of it.

    Args:
        path: of the file.
        form: FFmpeg's name of its format.
        codec: FFmpeg's name of the codec of its video.
        number: that the file gives the video stream; of a transport stream its PID.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if form == "matroska,webm":
            return _end_of_matroska(file)
        if form == "mpegts":
            return _end_of_transport_stream(_tail(file), number)
        if form == "mpeg":
            return VideoEnd.WHOLE if _tail(file).rstrip(b"\0\xff").endswith(_PROGRAM_END) else VideoEnd.UNKNOWN
        if form in ("h264", "hevc"):
            return VideoEnd.WHOLE if _has_end_mark(_tail(file), codec) else VideoEnd.UNKNOWN
        return VideoEnd.WHOLE


def end_of_pictures(form: str, last: bytes, ends_at: int | None, size: int, *, marked: bool) -> VideoEnd:
    """How a file ends whose pictures follow each other as they are.

    Args:
        form: FFmpeg's name of its format.
        last: data of the last picture.
        ends_at: where these end in the file; None where that is not known.
        size: of the file in bytes.
        marked: whether the pictures before it end with a mark.
    """
    if form == "yuv4mpegpipe":
        return VideoEnd.CUT if ends_at is not None and ends_at < size else VideoEnd.WHOLE
    if has_jpeg_end(last):
        return VideoEnd.WHOLE
    return VideoEnd.TORN if marked else VideoEnd.UNKNOWN


def has_jpeg_end(picture: bytes) -> bool:
    """Whether the data of a JPEG picture end with its mark, which zeros may follow."""
    return picture.rstrip(b"\0").endswith(_JPEG_END)


def _tail(file: BinaryIO) -> bytes:
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TAIL))
    return file.read()


def _end_of_matroska(file: BinaryIO) -> VideoEnd:
    """Cut where the file is shorter than the segment that it states."""
    size = file.seek(0, io.SEEK_END)
    position = 0
    for wanted in (_EBML_HEAD, _SEGMENT):
        file.seek(position)
        head = file.read(12)
        length, taken = _ebml_length(head[4:])
        if head[:4] != wanted or length is None:
            return VideoEnd.WHOLE  # a recorder that was never ended leaves the length open; its frames are whole
        position += 4 + taken + length
    return VideoEnd.CUT if position > size else VideoEnd.WHOLE


def _ebml_length(data: bytes) -> tuple[int | None, int]:
    """A length as EBML writes it, and its bytes; None where it is left open or cut off."""
    taken = 9 - data[0].bit_length() if data else 9
    if taken > min(8, len(data)):
        return None, 0
    value = int.from_bytes(data[:taken], "big") & ((1 << 7 * taken) - 1)
    return (None if value == (1 << 7 * taken) - 1 else value), taken


def _end_of_transport_stream(tail: bytes, pid: int) -> VideoEnd:
    end = VideoEnd.UNKNOWN
    for packet in _transport_packets(tail):
        if len(packet) < 3:
            return VideoEnd.UNKNOWN if end is not VideoEnd.WHOLE else end  # of which stream it was is cut off
        if (packet[1] & 0x1F) << 8 | packet[2] != pid:
            continue
        begins_frame = bool(packet[1] & 0x40)
        if len(packet) < _TS_PACKET:
            return VideoEnd.WHOLE if begins_frame else VideoEnd.TORN
        end = VideoEnd.WHOLE if _is_filled_up(packet) else VideoEnd.UNKNOWN
    return end


def _transport_packets(tail: bytes) -> Iterator[bytes]:
    """The packets at the end of a stream, the last one as far as it goes; none where they are damaged."""
    for length in _TS_LENGTHS:
        for start in range(min(length, len(tail))):
            syncs = tail[start::length]
            if len(syncs) >= _TS_FEWEST and syncs.count(_TS_SYNC) == len(syncs):
                yield from (tail[i : i + _TS_PACKET] for i in range(start, len(tail), length))
                return


def _is_filled_up(packet: bytes) -> bool:
    """Whether a packet holds bytes that mean nothing, as the last one of a frame does unless it fits by chance."""
    if not packet[3] & 0x20:
        return False
    length = packet[4]
    if length == 0:
        return True
    flags, used = packet[5], 1
    used += sum(size for flag, size in _ADAPTATION_PARTS if flags & flag)
    for flag in (_PRIVATE, _EXTENSION):
        if flags & flag:
            used += 1 + packet[min(5 + used, len(packet) - 1)]
    return length > used


def _has_end_mark(tail: bytes, codec: str) -> bool:
    """Whether the last unit of an H.264 or H.265 stream is the mark of its end."""
    place = tail.rstrip(b"\0").rfind(_START_CODE)
    if place < 0 or place + 3 >= len(tail):
        return False
    head = tail[place + 3]
    return head & 0x1F in (10, 11) if codec == "h264" else head >> 1 & 0x3F in (36, 37)
