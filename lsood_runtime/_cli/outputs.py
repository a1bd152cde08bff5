# SPDX-License-Identifier: Apache-2.0
"""Write files and pictures of a run beside the terminal."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment
from lsood_runtime._cli.rerun_file import RerunFile
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._cli.timeline import Point, Timeline
from lsood_runtime._cli.verdict_files import VerdictFile
from lsood_runtime._cli.verdict_row import Row, without_parts
from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._stream.stream_assessment import StreamAssessment


class Outputs:
    """Writes the files and pictures that the arguments of ``add_outputs`` name; after an exception no file appears.

    Args:
        options: with ``out``, ``parts``, ``timeline``, ``thumbnails``, ``strangest`` and ``rerun``.
        sources: that are read; none of them is overwritten.
        monitor: whose threshold, calibration and channel order apply.

    Raises:
        MediaError: a file is one of the sources or cannot be written, or a package is missing.
    """

    def __init__(self, options: argparse.Namespace, sources: Sequence[str], monitor: OoDMonitor) -> None:
        given = {Path(source).resolve() for source in sources}
        for path in (*options.out, options.timeline, options.thumbnails, options.rerun):
            if path is not None and path.resolve() in given:
                raise MediaError(f"expected another file than those that are read, got {path}: it would be lost")
        self._bgr = monitor.manifest.input.channels == "bgr"
        self._timeline = Timeline(monitor.threshold, monitor.manifest.calibration) if options.timeline else None
        self._thumbnails = Thumbnails(options.strangest) if options.thumbnails else None
        self._options = options
        with ExitStack() as opening:
            self._files = [opening.enter_context(VerdictFile(path)) for path in options.out]
            self._rerun = opening.enter_context(RerunFile(options.rerun, monitor.threshold)) if options.rerun else None
            opening.push(self._draw)
            self._stack = opening.pop_all()

    def add(self, source: SourceFrame, verdict: Assessment, row: Row, result: StreamAssessment | None) -> None:
        """Write one frame.

        Args:
            source: the frame.
            verdict: on it.
            row: for the files of verdicts, with the parts of the score, which stay out unless they are asked for.
            result: of the stream; None where frames are scored each on its own.
        """
        for file in self._files:
            file.write(row if self._options.parts else without_parts(row))
        alarm, onset = (False, False) if result is None else (result.alarm, result.onset)
        if self._timeline is not None:
            self._timeline.add(source.camera, Point(source.stamp_ns, verdict.score, verdict.state, alarm))
        if source.image is None:
            return
        image: NDArray[np.uint8] = source.image[..., ::-1] if self._bgr else source.image
        if self._thumbnails is not None:
            title = f"{Path(source.name).name}\nscore {verdict.score:.3f}, {verdict.state.value.replace('_', ' ')}"
            self._thumbnails.add(source.camera, source.stamp_ns, verdict.score, title, image)
        if self._rerun is not None:
            self._rerun.add(source.camera, image, verdict, onset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _draw(self, kind: type[BaseException] | None, *_: object) -> None:
        """Runs before the files are closed, so that a picture that fails leaves none of them behind."""
        if kind is None and self._timeline is not None:
            self._timeline.draw(self._options.timeline)
        if kind is None and self._thumbnails is not None:
            self._thumbnails.draw(self._options.thumbnails)
