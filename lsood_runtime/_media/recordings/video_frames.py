# SPDX-License-Identifier: Apache-2.0
"""Decode video streams whose frames come one in a message."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError, missing_extra
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.video_pixels import video_pixels
from lsood_runtime._text.counted import counted

VIDEO_FORMATS = {"h264": "h264", "h265": "hevc", "hevc": "hevc", "vp9": "vp9", "av1": "libdav1d"}
"""Formats that messages state, and the decoders of FFmpeg for them."""


class VideoFrames:
    """Decodes the frames of one topic in turn; after one that is missing, those up to the next key frame are refused.

    Args:
        format_name: one of :data:`VIDEO_FORMATS`.

    Raises:
        MediaError: PyAV is not installed.
    """

    def __init__(self, format_name: str) -> None:
        try:
            import av
            from av.codec.context import Flags
        except ImportError as error:
            raise missing_extra(f"decoding {format_name} video", "video") from error
        self._name, self._error, self._packet = format_name, av.FFmpegError, av.Packet
        self._codec: Any = av.CodecContext.create(VIDEO_FORMATS[format_name], "r")
        self._codec.thread_count = 1  # further threads would hold frames back
        self._codec.flags |= Flags.low_delay
        self._codec.options = {"err_detect": "explode"}
        self._awaits_key_frame = True

    def miss(self) -> None:
        """Note that a frame of the stream is missing."""
        self._awaits_key_frame = True

    def decode(self, data: bytes, channels: str, rules: PixelRules = AS_STATED) -> NDArray[np.uint8]:
        """The frame of a message, ``(H, W, 3)`` uint8, in the channel order ``rgb`` or ``bgr``.

        Raises:
            FrameError: damaged, building on a frame that is missing, or grey where the rules do not accept it.
        """
        frames: list[Any] = []
        detail = ""
        try:
            if data:  # an empty packet would end the stream
                frames = self._codec.decode(self._packet(data))
        except self._error as error:
            detail = f": {error.strerror}"
        if len(frames) != 1:
            waits, self._awaits_key_frame = self._awaits_key_frame, True
            reason = f"{counted(len(frames), 'frame')}{detail}" if not waits else "none before the next key frame"
            raise FrameError(f"expected one frame of {self._name} video in {len(data)} bytes, got {reason}")
        if self._awaits_key_frame and not frames[0].key_frame:
            raise FrameError(f"expected a key frame of {self._name} video, got one that builds on a missing frame")
        self._awaits_key_frame = False
        if frames[0].is_corrupt:
            self._awaits_key_frame = True
            raise FrameError(f"expected a frame of {self._name} video, its decoder calls it damaged")
        return video_pixels(frames[0], channels, rules)
