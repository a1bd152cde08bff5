# SPDX-License-Identifier: Apache-2.0
"""Follow the cameras of recordings: frame after frame, and what cameras have stopped meanwhile."""

from collections.abc import Iterator

from lsood_runtime._cli.silent_cameras import SilentCameras
from lsood_runtime._inference.frame_check import check_named_frame
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._media.sources import SourceReader
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._stream.stream import Stream
from lsood_runtime._stream.stream_assessment import StreamAssessment

Followed = tuple[SourceFrame, StreamAssessment]


class FollowedDrive:
    """Assesses the frames of a reader in order.

    Args:
        monitor: whose input contract a strict reader holds its frames to.
        stream: of the monitor.
        max_age_s: a camera is silent that sends nothing for longer while others of its recording do.
    """

    def __init__(self, monitor: OoDMonitor, stream: Stream, max_age_s: float) -> None:
        self._contract, self._stream, self._max_age_s = monitor.manifest.input, stream, max_age_s
        self._origin, self._silent = "", SilentCameras(max_age_s)

    def follow(self, reader: SourceReader) -> Iterator[Followed]:
        """All frames, each with what the stream makes of it, and behind one the reports of cameras that have stopped.

        Raises:
            MediaError: no source gave a frame; of a strict reader also a frame or a source that cannot be read.
            FrameError: of a strict reader, a frame that breaks the input contract.
        """
        for source in reader:
            if source.image is None:
                result = self._stream.report_invalid(source.fault, stamp_ns=source.stamp_ns, camera=source.camera)
            else:
                if reader.strict:
                    check_named_frame(source.name, source.image, self._contract)
                result = self._stream.assess(source.image, stamp_ns=source.stamp_ns, camera=source.camera)
            yield source, result
            if reader.current != self._origin:
                self._origin, self._silent = reader.current, SilentCameras(self._max_age_s)
            for camera, now_ns in self._silent.see(source.camera, source.stamp_ns):
                yield self.report_silent(camera, now_ns)

    def report_silent(self, camera: str, now_ns: int) -> Followed:
        """What stands for a frame of a camera that is silent."""
        result = self._stream.report_silent(camera, now_ns)
        return SourceFrame(f"{camera}{SILENT}", camera, now_ns, None, result.verdict.reason), result


SILENT = "#silent"
"""Behind the name of a camera, where a frame's name would stand."""
