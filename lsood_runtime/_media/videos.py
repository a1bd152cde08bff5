# SPDX-License-Identifier: Apache-2.0
"""Read the frames of a video with their own times; PyAV is imported when one is read."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError, MediaError, missing_extra
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.video_end import VideoEnd
from lsood_runtime._media.video_packets import VideoPackets
from lsood_runtime._media.video_pixels import video_pixels
from lsood_runtime._text.counted import counted

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".flv", ".wmv", ".asf", ".ogv", ".h264", ".264", ".h265", ".265", ".hevc", ".y4m", ".mjpeg", ".mjpg"),
)

_NANOSECONDS = 1_000_000_000
_HIGHEST_RATE = 1000.0  # containers without a frame rate state absurd numbers
_USUAL_RATE = 25.0  # what FFmpeg assumes of a stream that states none
_LATE_FRAMES = 3  # in a row, from which times are taken to begin anew
_SLACK_NS = _NANOSECONDS  # containers round their length: only a difference of more than a second means missing frames


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """A frame of a video: its time from the first one, and ``(H, W, 3)`` uint8, or None with the fault."""

    time_ns: int
    image: NDArray[np.uint8] | None
    fault: str = ""


def is_video(path: Path) -> bool:
    """Whether ``path`` is a video by its suffix."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def read_video(
    path: Path, channels: str, rules: PixelRules = AS_STATED, tell: Callable[[str], None] = lambda _: None
) -> Iterator[VideoFrame]:
    """Read the frames of a video in the order in which they are shown, turned upright as its container says.

    A frame's time is the one that the container gives it, so that a variable rate is kept. A bare stream without times counts
    by its rate; where times begin anew, as in recordings that were joined, they go on from the last. A frame that cannot be
    decoded, that the decoder calls damaged, or in whose midst the file ends, comes with a fault, and the next one follows.

    Args:
        path: a video; of several video streams the largest one is read, as players do.
        channels: ``rgb`` or ``bgr``, the order to give.
        rules: what the video does not say itself.
        tell: takes that the format does not say whether the last frame is whole.

    Raises:
        MediaError: no video, or one that was cut off, by its format or by more than a second of its stated length; the
            message names it. What could be read has come before.
    """
    try:
        import av
    except ImportError as error:
        raise missing_extra(f"reading the video {path}", "video") from error
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise _unreadable(path, 0, error.strerror or str(error)) from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream):
            raise _unreadable(path, 0, "it has no video stream")
        yield from _Decoder(av, path, container, stream, channels, rules, tell).frames()


class _Decoder:
    """Decodes one video stream; keeps count of what came and of what did not."""

    def __init__(
        self,
        av: Any,
        path: Path,
        container: "InputContainer",
        stream: "VideoStream",
        channels: str,
        rules: PixelRules,
        tell: Callable[[str], None],
    ) -> None:
        self._av, self._path, self._container, self._stream = av, path, container, stream
        self._channels, self._rules, self._tell = channels, rules, tell
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        self._step_ns = round(_NANOSECONDS / (rate if 0 < rate <= _HIGHEST_RATE else _USUAL_RATE))
        self._first_ns: int | None = None
        self._last_ns, self._count, self._late = -self._step_ns, 0, 0
        self._shift_ns = self._older_shift_ns = 0
        self._damaged: list[tuple[int, str]] = []  # times and reasons of packets that did not decode, earliest first
        self._packets = VideoPackets(path, container, stream)

    def frames(self) -> Iterator[VideoFrame]:
        end_ns: int | None = None
        try:
            for packet in self._packets:
                if packet.pts is not None and packet.duration:
                    end_ns = max(end_ns or 0, self._nanoseconds(packet.pts + packet.duration))
                yield from self._frames_of(packet)
        except self._av.FFmpegError as error:  # the disk, the network or the structure of the file fails
            yield from self._late_faults(None)
            raise _unreadable(self._path, self._count, error.strerror or str(error)) from error
        yield from self._late_faults(None)
        self._check_length(end_ns)

    def _frames_of(self, packet: Any) -> Iterator[VideoFrame]:
        """The frames that are complete with a packet."""
        try:
            decoded = packet.decode()
        except self._av.FFmpegError as error:
            self._note_damage(packet, error.strerror or str(error))
            return
        for frame in decoded:
            shown_ns = None if frame.pts is None else self._nanoseconds(frame.pts)
            yield from self._late_faults(shown_ns)
            try:
                if self._packets.is_torn(frame, packet):
                    raise FrameError("the file ends in its midst")
                image, fault = self._upright(frame), ""
            except FrameError as error:
                image, fault = None, str(error)
            yield self._next(shown_ns, image, fault)

    def _next(self, shown_ns: int | None, image: NDArray[np.uint8] | None, fault: str) -> VideoFrame:
        """The next frame, at a time that rises whatever the container says."""
        time_ns = self._last_ns + self._step_ns if shown_ns is None else self._rising(shown_ns)
        if fault:
            fault = f"expected a video frame, cannot decode number {self._count} of {self._path}: {fault}"
        self._last_ns, self._count = time_ns, self._count + 1
        return VideoFrame(time_ns, image, fault)

    def _rising(self, shown_ns: int) -> int:
        """Time from the first frame: late frames stand just behind the last, and times that begin anew go on from there."""
        self._first_ns = shown_ns if self._first_ns is None else self._first_ns
        since_first_ns = shown_ns - self._first_ns
        for shift_ns in (self._older_shift_ns, self._shift_ns):
            if since_first_ns + shift_ns > self._last_ns:
                self._shift_ns, self._late = shift_ns, 0
                return since_first_ns + shift_ns
        self._late += 1
        if self._late < _LATE_FRAMES:
            return self._last_ns + 1
        self._older_shift_ns, self._shift_ns = self._shift_ns, self._last_ns + self._step_ns - since_first_ns
        return self._last_ns + self._step_ns

    def _note_damage(self, packet: Any, reason: str) -> None:
        place = packet.pts if packet.pts is not None else packet.dts
        heapq.heappush(self._damaged, (-1 if place is None else self._nanoseconds(place), reason))

    def _late_faults(self, before_ns: int | None) -> Iterator[VideoFrame]:
        """Frames that did not decode and would have been shown before ``before_ns``; all where that is None."""
        while self._damaged and (before_ns is None or self._damaged[0][0] < before_ns):
            place_ns, reason = heapq.heappop(self._damaged)
            yield self._next(place_ns if place_ns >= 0 else None, None, reason)

    def _nanoseconds(self, pts: int) -> int:
        base = self._stream.time_base or Fraction(1, self._av.time_base)
        return pts * base.numerator * _NANOSECONDS // base.denominator

    def _upright(self, frame: Any) -> NDArray[np.uint8]:
        if frame.is_corrupt:
            raise FrameError("the decoder calls it damaged")
        pixels = video_pixels(frame, self._channels, self._rules)
        return np.rot90(pixels, round(frame.rotation / 90) % 4)

    def _check_length(self, end_ns: int | None) -> None:
        """Refuse a stream that ends long before its container says; ``end_ns`` is when the last packet's frame goes.

        Raises:
            MediaError: frames are missing at the end, or there was none.
        """
        if not self._count:
            raise _unreadable(self._path, 0, "no frame decodes")
        stated_ns = self._stated_ns()
        # Some containers count their length from their first frame, others from 0: the kinder reading holds.
        reached_ns = max(self._last_ns + self._step_ns, end_ns or 0)
        if stated_ns is not None and stated_ns - reached_ns > _SLACK_NS:
            reason = f"it ends at {reached_ns / 1e9:.1f} s of {stated_ns / 1e9:.1f} s"
            raise _unreadable(self._path, self._count, reason)
        if self._packets.end in (VideoEnd.CUT, VideoEnd.TORN):
            raise _unreadable(self._path, self._count, "it ends in the midst of a frame")
        if self._packets.end is VideoEnd.UNKNOWN:
            self._tell(
                f"{self._path}: its format does not say whether it was cut off: of its {counted(self._count, 'frame')} the "
                "one that was coded last may be half a picture"
            )

    def _stated_ns(self) -> int | None:
        """Length of the video stream as the container states it; None where it states none, or only that of all streams."""
        if self._stream.duration is not None:
            return self._nanoseconds(self._stream.duration)
        if self._container.duration is not None and len(self._container.streams) == 1:
            return self._container.duration * _NANOSECONDS // int(self._av.time_base)
        return None


def _unreadable(path: Path, count: int, reason: str) -> MediaError:
    return MediaError(
        f"expected a {'whole ' if count else ''}video, could read {count} of {path}: it is cut off, damaged, "
        f"or in a format that FFmpeg lacks ({reason}); copy or convert it"
    )
