# SPDX-License-Identifier: Apache-2.0
"""Measure the features of frames into a folder, in one process or several; what is there already is not measured again."""

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from export.calibration.evaluation_graphs import EvaluationGraphs, measure
from export.calibration.recalibration_options import RecalibrationOptions
from export.destination import check_room
from export.errors import UsageError
from export.features.folder import CHUNK, FeatureFolder, FolderContents, frames_digest
from export.features.frames import Features, FrameFeatures
from export.frames.files import FrameFiles
from export.reporter import Reporter
from lsood_runtime.offline import AS_STATED, PixelRules


@dataclass(frozen=True)
class MeasuringOptions:
    """What a process needs to measure frames.

    Attributes:
        bundle: whose network measures them.
        frames: folders and files of frames, in order.
        rules: what the files of frames do not say themselves.
        threads: of ONNX Runtime; None for one a core, or an equal share of the cores for each of several processes.
        workers: number of processes.
        manifest_sha256: of the bundle's manifest: another process takes no other bundle; None for any.
    """

    bundle: Path
    frames: tuple[Path, ...]
    rules: PixelRules = AS_STATED
    threads: int | None = None
    workers: int = 1
    manifest_sha256: str | None = None

    @classmethod
    def of_recalibration(cls, options: RecalibrationOptions, graphs: EvaluationGraphs) -> Self:
        """Those of a recalibration, whose processes take the bundle of these graphs and no other."""
        rules, sha256 = options.reading.rules, graphs.contents.sealed.sha256
        return cls(options.bundle, options.frames, rules, options.threads, options.workers, sha256)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"expected --workers of at least 1, got {self.workers}: 1 is the default")


def begin_folder(path: Path, graphs: EvaluationGraphs, files: FrameFiles) -> FeatureFolder:
    """Make a folder for the features of frames, or open the one that an earlier run began.

    Raises:
        UsageError: nothing can be written there, or the folder is of other frames, or of another network.
    """
    manifest = graphs.manifest
    settings = {
        "masks": manifest.masks.mode,
        "seed": manifest.masks.seed,
        "neighbors": manifest.entropy.neighbors,
        "min_dist": manifest.entropy.min_dist,
        "frames": f"{files.channels}, {files.rules}",
    }
    contents = FolderContents(
        manifest.network_sha256, json.dumps(settings), len(files), frames_digest(files.paths), CHUNK
    )
    return FeatureFolder.begin(path, contents)


def measure_into_folder(
    folder: FeatureFolder, graphs: EvaluationGraphs, files: FrameFiles, options: MeasuringOptions, reporter: Reporter
) -> None:
    """Measure the frames whose features are not in the folder yet; the features do not depend on the number of processes.

    Args:
        folder: of these frames.
        graphs: of the bundle, none of whose noise is drawn yet; then that of all frames is.
        files: the frames.
        options: what other processes need.
        reporter: told how far it has come.

    Raises:
        UsageError: a frame that cannot be read, one with a feature that is not finite, or too little room for the features.
    """
    missing, count = folder.missing, len(files)
    left = sum(len(folder.spans[number]) for number in missing)
    if left < count:
        reporter.stage(f"going on: {count - left} of {count} frames are measured")
    check_room(folder.path, left * graphs.row_bytes)
    workers = min(options.workers, len(missing))
    if workers > 1:
        finished = _in_processes(folder, missing, options, workers)
        for _ in reporter.progress(finished, "calibrating", left):
            pass
        graphs.skip(count)
        return
    _Measuring(folder, graphs, files).run(missing, reporter, left)


class _Measuring:
    """Measures files of features in rising order, with the noise that a run from the first frame on would draw."""

    def __init__(self, folder: FeatureFolder, graphs: EvaluationGraphs, files: FrameFiles) -> None:
        self.folder, self.graphs, self.files = folder, graphs, files
        self.drawn = 0
        self.rows: list[tuple[str, FrameFeatures]] = []

    def run(self, numbers: Sequence[int], reporter: Reporter, total: int) -> None:
        frames = ((number, i) for number in numbers for i in self.folder.spans[number])
        for number, i in reporter.progress(frames, "calibrating", total):
            self.frame(number, i)
        self.graphs.skip(len(self.files) - self.drawn)

    def frame(self, number: int, index: int) -> None:
        """Measure a frame; the last one of a file writes the file."""
        span = self.folder.spans[number]
        self.graphs.skip(index - self.drawn)
        self.rows += measure(self.graphs, [(str(self.files.paths[index]), self.files[index])])
        self.drawn = index + 1
        if self.drawn == span.stop:
            self.folder.write(number, Features.collect(self.rows))
            self.rows = []


_own: list[_Measuring] = []
"""Of a process that was started to measure: set up once, then used for file after file."""


def _set_up(folder: FeatureFolder, options: MeasuringOptions, threads: int) -> None:
    graphs = EvaluationGraphs(options.bundle, threads, expected_sha256=options.manifest_sha256)
    files = FrameFiles(options.frames, graphs.manifest.input.channels, options.rules)
    _own.append(_Measuring(folder, graphs, files))


def _measure_file(number: int) -> int:
    (own,) = _own
    span = own.folder.spans[number]
    for index in span:
        own.frame(number, index)
    return len(span)


def _in_processes(
    folder: FeatureFolder, missing: Sequence[int], options: MeasuringOptions, workers: int
) -> Iterator[int]:
    """One item for each frame that is done."""
    threads = options.threads or max((os.cpu_count() or 1) // workers, 1)
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _set_up, (folder, options, threads))
    with pool:
        try:
            futures = [pool.submit(_measure_file, number) for number in missing]
            for future in as_completed(futures):
                yield from range(future.result())
        except BrokenProcessPool as error:
            raise UsageError(
                f"expected {workers} processes that measure to the end, one was killed, as where memory runs out, or could "
                f"not begin: what is measured stays in {folder.path}, type the same command with fewer --workers",
                words=("--workers", str(workers // 2)),
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
