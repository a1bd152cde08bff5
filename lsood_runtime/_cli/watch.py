# SPDX-License-Identifier: Apache-2.0
"""``lsood score`` and ``lsood watch``: frames in, verdicts out, to the screen and to files."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._cli.pictures import Point, StrangestMoments, Timeline
from lsood_runtime._cli.report import FrameCounter, write_csv, write_json, write_table
from lsood_runtime._cli.sinks import Row, VerdictFile
from lsood_runtime._cli.viewer import RerunFile
from lsood_runtime._exceptions import MediaError
from lsood_runtime._inference.frames import check_named_frame
from lsood_runtime._media.sources import SourceFrame, find_sources, name_width, read_sources
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._stream.stream import StreamAssessment


def run_score(options: argparse.Namespace) -> int:
    """Score each frame on its own."""
    sources = find_sources(options.files)
    with _open_monitor(options) as monitor, _Outputs(options, sources, monitor) as outputs:
        tally = _Tally()
        progress = FrameCounter(shown=options.json or not sys.stdout.isatty())
        verdicts = _scored(monitor, sources, options, outputs, tally, progress)
        try:
            if options.json:
                write_json(verdicts, sys.stdout)
            elif options.csv:
                write_csv(verdicts, sys.stdout)
            else:
                write_table(verdicts, sys.stdout, max(map(name_width, sources)))
        finally:
            progress.clear()
        provider = monitor.provider
    print(f"{tally}; median {tally.median_ms:.1f} ms a frame on {provider}", file=sys.stderr)
    return 1 if tally.strange or tally.states[State.INVALID] else 0


def run_watch(options: argparse.Namespace) -> int:
    """Follow the cameras of a drive, and say when an alarm begins and ends."""
    sources = find_sources(options.files)
    with _open_monitor(options) as monitor, _Outputs(options, sources, monitor) as outputs:
        try:
            delay = options.alarm.delay_frames(monitor.manifest.calibration, options.fps)
            stream = monitor.stream(options.alarm)
        except ValueError as error:
            raise MediaError(f"this alarm cannot work with this bundle: {error}") from error
        promise = f"an alarm comes at the latest {delay} strange frames after a shift"
        print(f"watching {len(sources)} sources; {promise}", file=sys.stderr)
        tally, progress = _Tally(), FrameCounter(shown=not options.json or not sys.stdout.isatty())
        onsets = 0
        alarmed: set[str] = set()
        try:
            for source in _frames(monitor.manifest, sources, options):
                result = stream.assess(source.image, stamp_ns=source.stamp_ns, camera=source.camera)
                tally.add(result.verdict)
                outputs.add(source, result.verdict, {"frame": source.name, **result.asdict()}, result)
                onsets += result.onset
                if options.json:
                    print(json.dumps({"frame": source.name, **result.asdict()}, allow_nan=False), flush=True)
                elif result.onset or (source.camera in alarmed and not result.alarm):
                    progress.clear()
                    print(_event(source, result), flush=True)
                (alarmed.add if result.alarm else alarmed.discard)(source.camera)
                progress.show(tally.count)
        except KeyboardInterrupt:
            progress.clear()
            print("lsood: stopped; what was watched is kept", file=sys.stderr)
        finally:
            progress.clear()
        provider = monitor.provider
        drifts = [f"{name} {stream.drift(name).population_stability_index:.2f}" for name in stream.cameras]
    print(f"{tally}, {onsets} alarms; median {tally.median_ms:.1f} ms a frame on {provider}", file=sys.stderr)
    print(f"drift of the scores (population stability index): {', '.join(drifts) or 'no frames'}", file=sys.stderr)
    return 1 if onsets else 0


def _event(source: SourceFrame, result: StreamAssessment) -> str:
    what = "ALARM" if result.alarm else "clear"
    reason = f": {result.verdict.reason}" if result.verdict.reason else ""
    where = f"{source.camera} at {source.stamp_ns / 1e9:.3f} s ({source.name})"
    return f"{what} {where}, score {result.verdict.score:.3f}{reason}"


def _open_monitor(options: argparse.Namespace) -> OoDMonitor:
    return OoDMonitor(
        options.bundle,
        providers=options.provider,
        allow_fallback=options.allow_fallback,
        threads=options.threads,
        operating_point=options.operating_point,
        deadline_ms=options.deadline_ms,
    )


def _frames(manifest: Manifest, sources: Sequence[str], options: argparse.Namespace) -> Iterator[SourceFrame]:
    return read_sources(sources, manifest.input.channels, options.fps, options.topic)


def _scored(
    monitor: OoDMonitor,
    sources: Sequence[str],
    options: argparse.Namespace,
    outputs: "_Outputs",
    tally: "_Tally",
    progress: FrameCounter,
) -> Iterator[tuple[str, Assessment]]:
    contract = monitor.manifest.input
    for source in _frames(monitor.manifest, sources, options):
        check_named_frame(source.name, source.image, contract)
        verdict = monitor.assess(source.image, stamp_ns=source.stamp_ns)
        tally.add(verdict)
        outputs.add(source, verdict, {"frame": source.name, "camera": source.camera, **verdict.asdict()}, None)
        progress.show(tally.count)
        yield source.name, verdict


class _Tally:
    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self.count = self.strange = 0
        self._latencies: list[float] = []

    def add(self, verdict: Assessment) -> None:
        self.states[verdict.state] += 1
        self.count += 1
        self.strange += verdict.is_ood and verdict.state is not State.INVALID
        self._latencies.append(verdict.latency_ms)

    @property
    def median_ms(self) -> float:
        return median(self._latencies) if self._latencies else 0.0

    def __str__(self) -> str:
        parts = [f"{self.count} frames", f"{self.strange} out of distribution"]
        parts += [f"{self.states[state]} {state}" for state in (State.INVALID, State.LATE) if self.states[state]]
        return ", ".join(parts)


class _Outputs:
    """The files and pictures that were asked for."""

    def __init__(self, options: argparse.Namespace, sources: Sequence[str], monitor: OoDMonitor) -> None:
        given = {Path(source).resolve() for source in sources}
        for path in (*options.out, options.timeline, options.thumbnails, options.rerun):
            if path is not None and path.resolve() in given:
                raise MediaError(f"expected another file than those that are read, got {path}: it would be lost")
        self._turned = monitor.manifest.input.channels == "bgr"
        self._timeline = Timeline(monitor.threshold, monitor.manifest.calibration) if options.timeline else None
        self._moments = StrangestMoments(options.strangest) if options.thumbnails else None
        self._paths = options
        with ExitStack() as opening:
            self._files = [opening.enter_context(VerdictFile(path)) for path in options.out]
            self._rerun = opening.enter_context(RerunFile(options.rerun, monitor.threshold)) if options.rerun else None
            opening.push(self._draw)
            self._stack = opening.pop_all()

    def add(self, source: SourceFrame, verdict: Assessment, row: Row, result: StreamAssessment | None) -> None:
        for file in self._files:
            file.write(row)
        image: Any = source.image[..., ::-1] if self._turned else source.image
        alarm, onset = (False, False) if result is None else (result.alarm, result.onset)
        if self._timeline is not None:
            self._timeline.add(source.camera, Point(source.stamp_ns, verdict.score, verdict.state, alarm))
        if self._moments is not None:
            title = f"{Path(source.name).name}\nscore {verdict.score:.3f}, {verdict.state.value.replace('_', ' ')}"
            self._moments.add(source.camera, source.stamp_ns, verdict.score, title, image)
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
            self._timeline.draw(self._paths.timeline)
        if kind is None and self._moments is not None:
            self._moments.draw(self._paths.thumbnails)
