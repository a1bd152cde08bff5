# SPDX-License-Identifier: Apache-2.0
"""Write files and pictures of a run beside the terminal."""

import argparse
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._answers import quality_name
from lsood_runtime._assessment import Assessment
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._cli.destinations import check_destinations, paths_read
from lsood_runtime._cli.map_folder import MapFolder
from lsood_runtime._cli.matplotlib_figure import check_picture
from lsood_runtime._cli.mcap_file import MapLayer
from lsood_runtime._cli.rerun_file import RerunFile
from lsood_runtime._cli.shorten import shorten
from lsood_runtime._cli.stop_signals import StopSignals
from lsood_runtime._cli.stretches import Point
from lsood_runtime._cli.terminal import VerdictStream, say
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._cli.timeline import Timeline
from lsood_runtime._cli.verdict_files import VerdictFile
from lsood_runtime._cli.verdict_row import Row, with_features, without_parts
from lsood_runtime._exceptions import BundleError, LsoodError, one_line
from lsood_runtime._maps.map_picture import MapPictures
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._stream.stream_assessment import StreamAssessment
from lsood_runtime._text.printable import printable
from lsood_runtime._unknown_objects import map_edges


class Outputs:
    """Writes the files and pictures that the arguments of ``add_outputs`` name.

    What can be refused is refused before the first frame. Whatever ends the block, what was scored is kept: first the files
    take their places, then the pictures are drawn. One that cannot be written is said on stderr and takes no other with it:
    it is closed with what it holds, and the others go on. Where no frame was scored, older files stay as they were.

    Args:
        options: with ``bundle``, ``out``, ``parts``, ``features``, ``timeline``, ``thumbnails``, ``highest``, ``maps`` and
            ``rerun``.
        sources: that are read; none of them is overwritten, nor the bundle, a key or a library.
        monitor: whose threshold, calibration and channel order apply.
        signals: that must not cut a write in two.

    Attributes:
        stdout: for verdicts.

    Raises:
        BundleError: maps are asked for that the bundle does not give.
        MediaError: a file is given twice, is one of the sources or cannot be written, or a package is missing.
    """

    def __init__(
        self, options: argparse.Namespace, sources: Sequence[str], monitor: OoDMonitor, signals: StopSignals
    ) -> None:
        pictures = [path for path in (options.timeline, options.thumbnails) if path is not None]
        for path in pictures:
            check_picture(path)
        maps = _map_pictures(monitor.manifest)
        folders = [options.maps] if options.maps is not None else []
        if folders and maps is None:
            raise BundleError(
                f"expected a bundle that gives an anomaly map with --maps, {options.bundle} gives none: export it with "
                "--answers map, or leave --maps out"
            )
        files = [*options.out, *([options.rerun] if options.rerun else []), *pictures]
        check_destinations(files, [*sources, *paths_read(options)], folders)
        self._paths = files + folders
        self._bgr, self._pictures = monitor.manifest.input.channels == "bgr", maps
        heading = _heading(options.bundle, monitor)
        self._timeline = (
            Timeline(monitor.threshold, monitor.manifest.calibration, heading, quality_name(monitor.manifest.answers))
            if options.timeline
            else None
        )
        contract, answers = monitor.manifest.input, monitor.manifest.answers
        told = None if answers is None else answers.tiles
        edges = None if told is None else contract.tile_edges(told.rows, told.columns)
        self._thumbnails = (
            Thumbnails(options.highest, contract.crop, heading, edges, maps) if options.thumbnails else None
        )
        self._maps = MapFolder(options.maps, maps) if folders and maps is not None else None
        self._options, self._signals, self._frames = options, signals, 0
        self._failed, self.stdout = False, VerdictStream()
        with ExitStack() as opening:
            self._files: list[VerdictFile] = []
            for path in options.out:
                self._files.append(opening.enter_context(VerdictFile(path)))
            self._rerun = (
                opening.enter_context(RerunFile(options.rerun, monitor.threshold, maps)) if options.rerun else None
            )
            opening.pop_all()  # from here on `__exit__` closes them, each whatever happens to the others

    def name_rules(self, rule: str, quality_rule: str) -> None:
        """Name the alarm rule, and that of the expected quality where there is one, in the title of the timeline."""
        if self._timeline is not None:
            self._timeline.rule, self._timeline.quality_rule = rule, quality_rule

    @property
    def failed(self) -> bool:
        """Whether the standard output, a file or a picture could not be written."""
        return self._failed or self.stdout.failed

    @property
    def left(self) -> bool:
        """Whether anything is left that takes verdicts."""
        kept = (self._rerun, self._timeline, self._thumbnails, self._maps)
        return not self.stdout.failed or bool(self._files) or any(output is not None for output in kept)

    def add(self, source: SourceFrame, verdict: Assessment, row: Row, result: StreamAssessment | None) -> None:
        """Write one frame to each output that has not failed.

        Args:
            source: the frame.
            verdict: on it.
            row: for the files of verdicts, with the parts of the score, which stay out unless they are asked for.
            result: of the stream; None where frames are scored each on its own.
        """
        with self._signals.held():
            place, self._frames = self._frames, self._frames + 1
            columns = row if self._options.parts else without_parts(row)
            columns = with_features(columns, verdict.features) if self._options.features else columns
            layer = self._layer(source, verdict)
            self._files = [file for file in self._files if self._attempt(file.write, columns, layer)]
            alarm, onset = (False, False) if result is None else (result.alarm, result.onset)
            if self._timeline is not None:
                faulty, quality = bool(verdict.tile_faults), _quality(verdict)
                falls = result is not None and result.quality is not None and result.quality.alarm
                point = Point(
                    source.stamp_ns, verdict.score, verdict.state, alarm, verdict.is_late, quality, faulty, falls
                )
                self._timeline.add(source.camera, point)
            if source.image is None:
                return
            image = self._rgb(source.image)
            if self._maps is not None and not self._attempt(self._maps.add, place, source.name, image, verdict):
                self._maps = None
            if self._thumbnails is not None:
                self._thumbnails.add(source, image, verdict)
            if self._rerun is not None and not self._attempt(self._rerun.add, source.camera, image, verdict, onset):
                self._attempt(self._rerun.__exit__, None, None, None)
                self._rerun = None

    def _layer(self, source: SourceFrame, verdict: Assessment) -> MapLayer | None:
        """The frame under its map for the files that show pictures; None where there is none, or no such file."""
        if self._pictures is None or source.image is None or verdict.anomaly_map is None:
            return None
        if not any(file.takes_layers for file in self._files):
            return None
        return MapLayer(self._rgb(source.image), verdict, self._pictures)

    def _rgb(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return image[..., ::-1] if self._bgr else image

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._frames and self._paths:
            say(f"lsood: note: no frame was scored: {', '.join(map(str, self._paths))} stays as it was")
        with self._signals.held():
            for file in self._files:
                self._attempt(file.__exit__, kind, error, trace)
            if self._rerun is not None:
                self._attempt(self._rerun.__exit__, kind, error, trace)
        if self._maps is not None and self._frames:
            say(printable(str(self._maps)))
        if self._timeline is not None and self._frames:
            self._attempt(self._timeline.draw, self._options.timeline)
        if self._thumbnails is not None and self._frames:
            self._attempt(self._thumbnails.draw, self._options.thumbnails)

    def _attempt(self, work: Callable[..., None], *arguments: object) -> bool:
        """Do what must not stop the rest, and whether it was done; an error is said at once, and again by the exit code."""
        try:
            work(*arguments)
        except Exception as error:  # matplotlib raises what it makes of a font or a number; the rest must be written
            self._failed = True
            words = one_line(error) if isinstance(error, LsoodError) else f"{type(error).__name__}: {one_line(error)}"
            say(f"lsood: error: {words}")
            return False
        return True


def _quality(verdict: Assessment) -> float:
    return math.nan if verdict.expected_quality is None else verdict.expected_quality


def _map_pictures(manifest: Manifest) -> MapPictures | None:
    """Draws the anomaly maps of a bundle; None where it gives none."""
    told = None if manifest.answers is None else manifest.answers.map
    if told is None:
        return None
    return MapPictures(map_edges(told, manifest.input, manifest.segmentation), told.object_limit)


def _heading(bundle: str, monitor: OoDMonitor) -> str:
    """The bundle, its operating point and its threshold, in a line for pictures."""
    point = monitor.manifest.operating_points[monitor.operating_point]
    folder = shorten(printable(Path(bundle).resolve().name), 40)
    return (
        f"bundle {folder} ({monitor.manifest.name}), operating point {monitor.operating_point}: threshold {point.value:.4g}, "
        f"set for {100 * point.false_alarm_rate:.3g} % false alarms"
    )
