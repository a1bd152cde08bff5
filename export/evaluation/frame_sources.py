# SPDX-License-Identifier: Apache-2.0
"""Build the sets of frames that an evaluation scores, and find those that the bundle was calibrated with."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from export.anomalies import ANOMALIES, SEVERITIES
from export.anomalies.frame_set import FrameSource
from export.destination import real_path
from export.errors import UsageError
from export.evaluation.options import EvaluationOptions
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.frames.labels import MASKS, check_one_frame_each
from export.frames.repeated import (
    SeenFrames,
    check_sets_apart,
    copies,
    copies_warning,
    read_each_once,
    shared_warning,
    still_frames,
)
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


def look_at_sets(sources: Sequence[FrameSource], group_by: str, reporter: Reporter) -> None:
    """Look at the frames of all sets before one is scored: none may come twice, or in the first set and in another.

    Of frames that show nearly the same picture, such as copies that were encoded again, a warning is given.

    Args:
        sources: of the sets.
        group_by: rule that assigns frames to drives.
        reporter: told how many frames are read, and the warnings.

    Raises:
        UsageError: a frame that does, of another size than the first of its set, or that cannot be read.
    """
    names: dict[FrameFiles, str] = {}
    for source in sources:
        names.setdefault(source.files, source.name)
    first, *others = names.items()
    known = read_each_once(first[0], reporter)
    warnings = [_warning_within(known, first[1], group_by)]
    for files, name in others:
        seen = read_each_once(files, reporter)
        check_sets_apart(known, seen, (first[1], name))
        warnings += [_warning_within(seen, name, group_by), shared_warning(known, seen, (first[1], name))]
    for warning in filter(None, warnings):
        reporter.stage(f"warning: {warning}")


def shared_labels(sources: Sequence[FrameSource], labels: Collection[str]) -> list[str]:
    """Say which sets have files of their own that are compared with labels of the first set, by their names.

    Args:
        sources: of the sets.
        labels: stems of the label files.
    """
    first, *others = sources
    return [
        f"{len(shared)} frames of {source.name} are named as frames of {first.name} and compared with the same "
        "labels: right for changed copies of the same scenes; else name frames and labels apart"
        for source in others
        if (shared := _stems(first) & _stems(source) & set(labels) if source.files is not first.files else set())
    ]


def check_masks_apart(sources: Sequence[FrameSource], masks: Collection[str]) -> None:
    """Refuse sets that have a frame of one name each, with a mask: it tells the objects of one of them.

    Degraded frames, which are compared with no mask, do not count.

    Args:
        sources: of the sets.
        masks: stems of the mask files.

    Raises:
        UsageError: it names two frames.
    """
    real = [source for source in sources if source.kind is None]
    check_one_frame_each([source.files.paths[i] for source in real for i in source.indices], masks, MASKS)


def _stems(source: FrameSource) -> set[str]:
    return {source.files.paths[i].stem for i in source.indices}


def _warning_within(seen: SeenFrames, name: str, group_by: str) -> str | None:
    drives = drive_names(seen.paths, group_by)
    again = copies(seen.grey, still_frames(seen.grey, drives), drives)
    warning = copies_warning(again, seen.paths, "each counts as a frame of its own, and the intervals are too narrow")
    return f"{name}: {warning}" if warning else None


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
