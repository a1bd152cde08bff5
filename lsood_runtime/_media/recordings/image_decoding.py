# SPDX-License-Identifier: Apache-2.0
"""Turn the image messages of one topic into frames."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError
from lsood_runtime._media.encodings import find_encoding
from lsood_runtime._media.message_images import decode_message
from lsood_runtime._media.pixel_rules import PixelRules
from lsood_runtime._media.recordings.image_message import ImageMessage
from lsood_runtime._media.recordings.video_frames import VIDEO_FORMATS, VideoFrames

_DEPTH = ("16uc1", "32fc1")
_DEPTH_TRANSPORT = "compresseddepth"


class TopicImages:
    """Decodes the images of a topic, in turn: pixels, pictures, and frames of a video that build on each other.

    Args:
        channels: ``rgb`` or ``bgr``, the order to give.
        rules: what messages do not say of their pixels.
        size: rows and columns of a frame; images that state another size are refused before they are decoded. None for any.
    """

    def __init__(self, channels: str, rules: PixelRules, size: tuple[int, int] | None) -> None:
        self._channels, self._rules, self._size = channels, rules, size
        self._videos: dict[str, VideoFrames] = {}

    def miss(self) -> None:
        """Note that a message of the topic is missing."""
        for video in self._videos.values():
            video.miss()

    def is_depth(self, message: ImageMessage) -> bool:
        """Whether a message holds distances and no colours, by its encoding and, for 16UC1, by what the rules say of it."""
        form = message.form.lower()
        if _DEPTH_TRANSPORT in form:
            return True
        if form not in _DEPTH:
            return False
        try:
            find_encoding(form, self._rules.encodings)
        except FrameError:
            return True
        return False

    def decode(self, message: ImageMessage) -> NDArray[np.uint8]:
        """The image of a message, ``(H, W, 3)`` uint8.

        Raises:
            FrameError: damaged, of an encoding that is unknown or excluded by the rules, or building on a missing frame.
            MediaError: a package is missing.
        """
        if hasattr(message.contents, "format") and (name := message.form.strip().lower()) in VIDEO_FORMATS:
            if name not in self._videos:
                self._videos[name] = VideoFrames(name)
            return self._videos[name].decode(bytes(message.contents.data), self._channels, self._rules)
        return decode_message(message.contents, self._channels, self._rules, size=self._size)
