# SPDX-License-Identifier: Apache-2.0
"""Score files from within a program."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from lsood_runtime._assessment import Assessment
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._cli.alarm_rule import find_alarm_rule, find_quality_rule
from lsood_runtime._cli.arguments import completed_rules
from lsood_runtime._cli.followed_drive import FollowedDrive
from lsood_runtime._cli.score import assessed
from lsood_runtime._cli.summary import summarise
from lsood_runtime._exceptions import MediaError
from lsood_runtime._fleet.daily_summary import DailySummary
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.sources import SourceKind, SourceReader, source_kind
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._stream.policy_text import parse_alarm
from lsood_runtime._stream.stream_assessment import StreamAssessment
from lsood_runtime.functions._paths import PathLike, Paths, paths_of, sources_of


def score_files(
    bundle: PathLike,
    files: Paths,
    *,
    frames_per_second: float = 10.0,
    topics: Sequence[str] = (),
    strict: bool = False,
    pixels: PixelRules = AS_STATED,
    **monitor: Any,
) -> Iterator[tuple[str, Assessment]]:
    """Score the frames of files, each on its own: what ``lsood score`` does.

    Args:
        bundle: folder of it.
        files: images, videos, folders of them, patterns and recordings; one path or several.
        frames_per_second: of images, for their stamps.
        topics: of recordings; empty for every topic of colour images.
        strict: raise at the first frame or source that cannot be read; else such a frame is INVALID.
        pixels: what images do not say themselves, before what the bundle records of its calibration.
        monitor: further arguments of :class:`lsood_runtime.OoDMonitor`, such as ``providers`` or ``min_quality``.

    Yields:
        Name and verdict of each frame; ``verdict.asdict()`` is its row of ``--json``, and its ``parts``.

    Raises:
        MediaError: nothing is found at a path; at the end, a source that could not be read, or not to its end.
        FrameError: with ``strict``, a frame that breaks the input contract.
        BundleError, ProviderError, SelfTestError: the bundle cannot be used.
    """
    sources = sources_of(files)
    with OoDMonitor(bundle, **monitor) as opened:
        reader = _reader(opened, sources, frames_per_second, topics, pixels, strict=strict)
        for source, verdict in assessed(opened, reader):
            yield source.name, verdict
    _raise_failures(reader)


def watch_files(
    bundle: PathLike,
    files: Paths,
    alarm: str = "1/h",
    *,
    quality_alarm: str | None = None,
    frames_per_second: float = 10.0,
    topics: Sequence[str] = (),
    max_age_s: float = 1.0,
    frozen_after_s: float | None = 1.0,
    strict: bool = False,
    pixels: PixelRules = AS_STATED,
    **monitor: Any,
) -> Iterator[tuple[str, StreamAssessment]]:
    """Follow the cameras of a drive: what ``lsood watch`` does with files.

    Args:
        bundle: folder of it.
        files: images, videos, folders of them, patterns and recordings; a camera of this machine is for ``lsood watch``.
        alarm: the rule, such as ``3of5``; ``1/h`` for the shortest with at most one false alarm an hour.
        quality_alarm: the same for the expected quality; None for none.
        frames_per_second: of images, for their stamps, and of all cameras, for the rules.
        topics: of recordings; empty for every topic of colour images.
        max_age_s: a camera that sends nothing for longer, while others of its recording do, is INVALID.
        frozen_after_s: a camera that sends one image for as long is INVALID; None for never.
        strict: raise at the first frame or source that cannot be read; else such a frame is INVALID.
        pixels: what images do not say themselves, before what the bundle records of its calibration.
        monitor: further arguments of :class:`lsood_runtime.OoDMonitor`.

    Yields:
        Name and result of each frame, and of each report of a silent camera; ``result.onset`` where an alarm begins.

    Raises:
        ValueError: a text that is no rule.
        MediaError: nothing is found at a path; at the end, a source that could not be read, or not to its end.
        FrameError: with ``strict``, a frame that breaks the input contract.
        BundleError, ProviderError, SelfTestError: the bundle cannot be used, or is too small for the rule.
    """
    asked, asked_quality = parse_alarm(alarm), None if quality_alarm is None else parse_alarm(quality_alarm)
    sources = sources_of(files)
    if cameras := [source for source in sources if source_kind(source) is SourceKind.CAMERA]:
        raise MediaError(f"expected files, got {cameras[0]}: hand its images to OoDMonitor.stream, or type lsood watch")
    with OoDMonitor(bundle, **monitor) as opened:
        manifest, point = opened.manifest, opened.operating_point
        falls = find_quality_rule(asked_quality, manifest, frames_per_second, point)
        stream = opened.stream(
            find_alarm_rule(asked, manifest, frames_per_second, point).policy,
            quality_policy=None if falls is None else falls.policy,
            frozen_after_s=frozen_after_s,
        )
        reader = _reader(opened, sources, frames_per_second, topics, pixels, strict=strict)
        for source, result in FollowedDrive(opened, stream, max_age_s).follow(reader):
            yield source.name, result
    _raise_failures(reader)


def summarise_rows(
    bundle: PathLike,
    rows: Paths,
    vehicle: str,
    *,
    day: date | None = None,
    expected_sha256: str | None = None,
    public_key: PathLike | None = None,
) -> list[DailySummary]:
    """Count rows of verdicts by camera and day: what ``lsood summary`` does before it writes them.

    Args:
        bundle: that scored them.
        rows: files that ``lsood score`` and ``watch`` wrote, one path or several.
        vehicle: that they are of.
        day: of all rows; None for that of each stamp, in UTC.
        expected_sha256: that the manifest must have, in hex; None for any.
        public_key: PEM file of the key that must have signed the bundle; None for no signature.

    Returns:
        The summaries, sorted; :func:`lsood_runtime.write_summaries` writes them.

    Raises:
        ValueError: an empty name.
        MediaError: there is no row, or one of another bundle, or with a stamp that tells no day.
        BundleError: the bundle cannot be used.
    """
    if not vehicle.strip():
        raise ValueError("vehicle: expected the name of a vehicle, got an empty one")
    sealed = open_bundle(bundle, expected_sha256=expected_sha256, public_key=public_key).sealed
    return summarise(sealed, paths_of(rows), vehicle, day)


def _reader(
    monitor: OoDMonitor,
    sources: Sequence[str],
    frames_per_second: float,
    topics: Sequence[str],
    pixels: PixelRules,
    *,
    strict: bool,
) -> SourceReader:
    contract = monitor.manifest.input
    if not 0 < frames_per_second < float("inf"):
        raise ValueError(f"frames_per_second: expected a number above 0, got {frames_per_second}")
    return SourceReader(
        sources,
        contract.channels,
        frames_per_second,
        topics,
        rules=completed_rules(pixels, monitor.manifest.pixels),
        size=(contract.frame_height, contract.frame_width),
        strict=strict,
    )


def _raise_failures(reader: SourceReader) -> None:
    """Refuse to end as if all were read.

    Raises:
        MediaError: a source failed, wholly or in part.
    """
    if reader.failures:
        others = len(reader.failures) - 1
        raise MediaError(reader.failures[0] + (f" (and {others} more failed)" if others else ""))
