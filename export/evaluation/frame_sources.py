# SPDX-License-Identifier: Apache-2.0
"""Build the sets of frames that an evaluation scores, and find those that the bundle was calibrated with."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from export.anomalies import ANOMALIES, SEVERITIES
from export.anomalies.frame_set import FrameSource
from export.destination import real_path
from export.errors import UsageError
from export.evaluation.options import EvaluationOptions
from export.frames.files import FrameFiles
from export.frames.repeated import check_sets_apart, read_each_once
from export.reporter import Reporter
from lsood_runtime import Manifest


def frame_sources(options: EvaluationOptions, channels: str) -> Iterator[FrameSource]:
    """Yield the in-distribution frames, then real shifts, then degraded frames by kind and severity.

    Raises:
        UsageError: kinds, severities or frames that cannot be used.
    """
    unknown = sorted(set(options.kinds) - set(ANOMALIES))
    if unknown:
        raise UsageError(f"expected degradations among {', '.join(ANOMALIES)}, got {unknown[0]}: choose some")
    if not set(options.severities) <= set(SEVERITIES) or options.every < 1 or options.seed < 0:
        raise UsageError(
            f"expected severities from 1 to 5, --every of at least 1 and a --seed of at least 0, got "
            f"{', '.join(map(str, options.severities))}, {options.every} and {options.seed}: change the one that is outside"
        )
    ind = FrameFiles(options.ind, channels, options.reading.rules)
    yield FrameSource("in distribution", ind, tuple(range(len(ind))))
    for name, paths in options.ood.items():
        files = FrameFiles(paths, channels, options.reading.rules)
        same = set(map(real_path, files.paths)) & set(map(real_path, ind.paths))
        if same:
            raise UsageError(
                f"expected other frames as {name} than in distribution, {min(same).name} is in both: take it out of one"
            )
        yield FrameSource(name, files, tuple(range(len(files))))
    for kind in options.kinds:
        for severity in options.severities:
            indices = tuple(range(0, len(ind), options.every))
            yield FrameSource(f"{kind} {severity}", ind, indices, kind, severity, options.seed)


def look_at_sets(sources: Sequence[FrameSource], reporter: Reporter) -> None:
    """Look at the frames of all sets before one is scored: none may come twice, or in the first set and in another.

    Raises:
        UsageError: a frame that does, of another size than the first of its set, or that cannot be read.
    """
    names: dict[FrameFiles, str] = {}
    for source in sources:
        names.setdefault(source.files, source.name)
    first, *others = names.items()
    known = read_each_once(first[0], reporter)
    for files, name in others:
        check_sets_apart(known, read_each_once(files, reporter), (first[1], name))


def calibration_files(manifest: Manifest) -> tuple[set[Path], set[Path]]:
    """List the in- and out-of-distribution files that the bundle was calibrated with, by their paths at that time."""
    config = manifest.config
    options = config.get("recalibration", config)
    paths = options.get("frames", []) or options.get("features", [])
    return _files(paths), _files(options.get("calibration", {}).get("ood_frames", []))


def _files(paths: list[str]) -> set[Path]:
    found: set[Path] = set()
    for path in map(Path, paths):
        found |= set(map(real_path, path.iterdir())) if path.is_dir() else {real_path(path)}
    return found


def count_known(source: FrameSource, files: set[Path]) -> int:
    """Count the files of a set that are among those given."""
    return sum(real_path(path) in files for path in source.files.paths)
