# SPDX-License-Identifier: Apache-2.0
"""Read the packets of a video, and tell of the last one whether it is whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsood_runtime._media.video_end import VideoEnd, end_of_pictures, find_video_end, has_jpeg_end

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PICTURES = ("mjpeg", "yuv4mpegpipe")


class VideoPackets:
    """Iterates over the packets of a video stream, one behind, so that the end of the file is known before the last one.

    Attributes:
        end: how the file ends; WHOLE before the last packet.
    """

    def __init__(self, path: Path, container: "InputContainer", stream: "VideoStream") -> None:
        self._path, self._container, self._stream = path, container, stream
        self._form, self._codec = container.format.name, stream.codec_context.name
        self._last: Any = None
        self._marked = False
        self.end = VideoEnd.WHOLE

    def __iter__(self) -> Iterator[Any]:
        """The packets in the order in which they are decoded, the empty one that ends them included."""
        before: Any = None
        for packet in self._container.demux(self._stream):
            if before is not None:
                if not packet.size:
                    self._last, self.end = before, self._find_end(before)
                else:
                    self._marked = self._form == "mjpeg" and has_jpeg_end(bytes(before))
                yield before
            before = packet
        if before is not None:
            yield before

    def is_torn(self, frame: Any, packet: Any) -> bool:
        """Whether the file ends in the midst of a frame; ``packet`` is the one with which it came out of the decoder."""
        if self._last is None or self.end is not VideoEnd.TORN:
            return False
        return packet is self._last if self._last.pts is None else bool(frame.pts == self._last.pts)

    def _find_end(self, last: Any) -> VideoEnd:
        if last.is_corrupt:
            return VideoEnd.TORN
        if self._form in _PICTURES:
            ends_at = None if last.pos is None else last.pos + last.size
            size = self._path.stat().st_size
            return end_of_pictures(self._form, bytes(last), ends_at, size, marked=self._marked)
        return find_video_end(self._path, self._form, self._codec, self._stream.id)
