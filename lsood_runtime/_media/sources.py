# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from any source: images, videos, recorded drives, a camera."""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from pathlib import Path

from lsood_runtime._exceptions import MediaError, MissingPackageError
from lsood_runtime._media.cameras import read_camera
from lsood_runtime._media.files import read_frames
from lsood_runtime._media.find_files import describe_left_out, find_files, is_file_or_lost
from lsood_runtime._media.pictures import IMAGE_SUFFIXES
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.recordings.discovery import is_recording
from lsood_runtime._media.recordings.reader import read_recording
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._media.videos import is_video, read_video
from lsood_runtime._text.counted import counted

_DEVICE = "camera:"
DEVICE = re.compile(rf"{_DEVICE}[0-9]+")
CAMERA = "camera"
_NANOSECONDS = 1e9
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DEVICE_FILE = re.compile(r"/dev/video([0-9]+)")


class SourceKind(Enum):
    """What frames are read from."""

    IMAGE = "images"
    VIDEO = "videos"
    RECORDING = "recordings"
    CAMERA = "cameras of this machine"


def find_sources(sources: Sequence[str]) -> list[str]:
    """List what lies behind files, folders, patterns and ``camera:N``; :mod:`~lsood_runtime._media.find_files` has the rule.

    Raises:
        MediaError: nothing is found at a source, or one stands behind a camera, which does not end.
    """
    endless = [source for source in sources[:-1] if DEVICE.fullmatch(source)]
    if endless:
        raise MediaError(
            f"expected {endless[0]} as the last source, it does not end, so that nothing behind it is ever read: "
            "start a command for each camera"
        )
    for source in sources:
        _refuse_address(source)
    found: list[str] = []
    for device, group in groupby(sources, key=lambda source: bool(DEVICE.fullmatch(source))):
        named = list(group)
        found += named if device else map(str, find_files(named, _is_source, "images, videos or recordings"))
    return found


def left_out(sources: Sequence[str]) -> list[str]:
    """Say which files of the folders among the sources are no sources by their names, a sentence a folder."""
    return describe_left_out([source for source in sources if not DEVICE.fullmatch(source)], _is_source)


def _refuse_address(source: str) -> None:
    """Say what to write in place of an address, or of a device under another name than its own.

    Raises:
        MediaError: it is one.
    """
    if _ADDRESS.match(source) and not Path(source).exists():
        raise MediaError(
            f"expected files, folders or camera:0, got the address {source}: record the stream, such as by "
            "`ffmpeg -i ADDRESS -c copy drive.mkv`, or pass its images to OoDMonitor.stream"
        )
    device = _DEVICE_FILE.fullmatch(source)
    if device or (source.startswith("camera:") and not DEVICE.fullmatch(source) and not Path(source).exists()):
        number = device[1] if device else "0"
        raise MediaError(f"expected a camera of this machine as camera:NUMBER, got {source}: write camera:{number}")


def _is_source(path: Path) -> bool:
    suffix = path.suffix.lower()
    return is_recording(path) or (is_file_or_lost(path) and (suffix in IMAGE_SUFFIXES or is_video(path)))


def source_kind(source: str) -> SourceKind:
    """What a source is, by its name; a file of another name is tried as an image."""
    if DEVICE.fullmatch(source):
        return SourceKind.CAMERA
    if is_recording(Path(source)):
        return SourceKind.RECORDING
    return SourceKind.VIDEO if is_video(Path(source)) else SourceKind.IMAGE


def source_count(sources: Sequence[str]) -> int:
    """Number of sources, where the pictures of one folder are one."""
    return len({Path(source).parent if source_kind(source) is SourceKind.IMAGE else source for source in sources})


def name_width(source: str) -> int:
    """Length of the longest frame name of a source, as far as it is known before."""
    return len(source) + (0 if source_kind(source) is SourceKind.IMAGE else len("#000000"))


class SourceReader:
    """Iterates over the frames of all sources, one source after the other; one that fails does not end the others.

    Images and videos carry no time of day: their stamps count from 0 through all of a folder, at ``images_per_second`` for
    images and as their containers say for videos. A folder is a drive: those of several folders are cameras of their own,
    named by their folders, so that no alarm adds up over two drives; of one folder they are ``camera``. Recordings have
    stamps of their own, a camera has the clock's. A frame that cannot be read comes as one with a fault.

    Args:
        sources: as :func:`find_sources` lists them.
        channels: ``rgb`` or ``bgr``, the order to give.
        images_per_second: for the stamps of images.
        topics: of recordings; empty for every topic of images.
        rules: what images do not say themselves.
        size: rows and columns of a frame: images that state another size are refused before they are decoded. None for any.
        strict: raise the first fault or failure in place of going on.
        on_wait: called about once a second while a camera of this machine sends nothing.
        word: puts what is said of a frame or a source into the words of whoever asked for them.

    Attributes:
        strict: as it was given.
        current: the source that is read.
        failures: why a source could not be read, or not to its end; one message a source.
        notes: what of the sources was left out or replaced, such as topics of depth; one sentence each.
    """

    def __init__(
        self,
        sources: Sequence[str],
        channels: str,
        images_per_second: float,
        topics: Sequence[str] = (),
        *,
        rules: PixelRules = AS_STATED,
        size: tuple[int, int] | None = None,
        strict: bool = False,
        on_wait: Callable[[], None] = lambda: None,
        word: Callable[[str], str] = str,
    ) -> None:
        self._sources, self._channels, self._topics, self.strict = sources, channels, topics, strict
        self._on_wait, self._word = on_wait, word
        self._step_ns = round(_NANOSECONDS / images_per_second)
        self._next_ns: defaultdict[str, int] = defaultdict(int)
        folders = {str(Path(source).parent) for source in sources if _is_of_folder(source)}
        self._several_folders = len(folders) > 1
        self._rules, self._size = rules, size
        self.current = ""
        self.failures: list[str] = []
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[SourceFrame]:
        """The frames in order.

        Raises:
            MediaError: no source gave a single frame, or with ``strict`` one could not be read; the message names it.
        """
        empty = True
        for source in self._sources:
            self.current = source
            try:
                for frame in self._read(source):
                    if frame.fault and self.strict:
                        raise MediaError(frame.fault)
                    yield dataclasses.replace(frame, fault=self._word(frame.fault)) if frame.fault else frame
                    empty = False
            except MediaError as error:
                if self.strict:
                    raise type(error)(self._word(str(error))) from error
                self.failures.append(self._word(str(error)))
        if empty and self.failures:
            others = len(self.failures) - 1
            raise MediaError(self.failures[0] + (f" (and {counted(others, 'more source')} failed)" if others else ""))

    def _read(self, source: str) -> Iterator[SourceFrame]:
        kind, path = source_kind(source), Path(source)
        if kind is SourceKind.CAMERA:
            return read_camera(int(source.removeprefix(_DEVICE)), self._channels, self._on_wait)
        if kind is SourceKind.RECORDING:
            return read_recording(
                path, self._channels, self._topics, self._rules, size=self._size, tell=self.notes.append
            )
        return self._video(path) if kind is SourceKind.VIDEO else self._image(path)

    def _video(self, path: Path) -> Iterator[SourceFrame]:
        camera = self._camera_of(path)
        start_ns, step_ns, last_ns = self._next_ns[camera], self._step_ns, 0
        for i, frame in enumerate(read_video(path, self._channels, self._rules, self.notes.append)):
            step_ns, last_ns = frame.time_ns - last_ns or step_ns, frame.time_ns
            self._next_ns[camera] = start_ns + last_ns + step_ns
            yield SourceFrame(f"{path}#{i:06d}", camera, start_ns + last_ns, frame.image, frame.fault)

    def _image(self, path: Path) -> Iterator[SourceFrame]:
        camera = self._camera_of(path)
        try:
            for name, image in read_frames(path, self._channels, self._rules, size=self._size):
                yield SourceFrame(name, camera, self._tick(camera), image)
        except MissingPackageError:  # a fault of this machine, and of no frame
            raise
        except MediaError as error:
            yield SourceFrame(str(path), camera, self._tick(camera), None, str(error))

    def _camera_of(self, path: Path) -> str:
        """Name of the camera of an image or a video: of its folder, where there are several."""
        return str(path.parent) if self._several_folders else CAMERA

    def _tick(self, camera: str) -> int:
        """The stamp of the next image."""
        stamp_ns = self._next_ns[camera]
        self._next_ns[camera] += self._step_ns
        return stamp_ns


def _is_of_folder(source: str) -> bool:
    """Whether a source is an image or a video, whose folder is its drive."""
    return source_kind(source) in (SourceKind.IMAGE, SourceKind.VIDEO)
