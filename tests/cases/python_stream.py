# SPDX-License-Identifier: Apache-2.0
"""Play a case of a stream with the Python runtime."""

import dataclasses
import functools
import math
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from lsood_runtime import Assessment, CameraError, Manifest, State, Stream, StreamAssessment, TileCheck, parse_policy
from lsood_runtime._bundle.answers_records import AnswersRecord, QualityRecord
from lsood_runtime._stream.quality_drift import QualityDrift
from tests.cases.stream_events import Case, Event, Picture, QualityRule
from tests.lsood_runtime.bundle.test_manifest import text_with

_MANIFEST = Manifest.from_json(text_with())
_SUMMARY = (
    *("frames", "invalid", "frozen", "faulty_tiles", "clock_faults", "repeated", "gaps", "steps", "other_clock"),
    *("silent", "alarms", "quality_alarms"),
)


def case_manifest(frames: int, effective: float, quality: QualityRule | None = None) -> Manifest:
    """A manifest with a calibration of so many frames, and with the quality that is to be watched."""
    worth = frames if quality is None else frames * quality.worth
    calibration = dataclasses.replace(
        _MANIFEST.calibration,
        scores=tuple(map(float, range(frames))),
        effective_frames=effective if quality is None else worth,
    )
    if quality is None:
        return dataclasses.replace(_MANIFEST, calibration=calibration)
    record = QualityRecord("miou", 0.9, 0.9, "fog", 0.8, 0.2, 0.6, 0.05, 0.1, 0.8, 0.9, quality.clean_low)
    answers = AnswersRecord(1.0, ("fog", "mud"), 10, 2, 40, record, None)
    name = _MANIFEST.operating_point
    point = dataclasses.replace(_MANIFEST.operating_points[name], false_alarm_rate=quality.rate)
    return dataclasses.replace(_MANIFEST, calibration=calibration, answers=answers, operating_points={name: point})


class GivenVerdicts:
    """A monitor that gives each frame the verdict of an event; all that a stream needs of a monitor."""

    def __init__(self, manifest: Manifest, tile_check: TileCheck | None) -> None:
        self.manifest, self.tile_check = manifest, tile_check
        self.event = Event()

    def assess_since(
        self,
        start: float,
        frame: object,
        noise: object = None,
        *,
        stamp_ns: int | None = None,
        judge_tiles: bool = True,
    ) -> Assessment:
        """The verdict of the event, which stands for that on the frame."""
        assert (start > 0, noise, judge_tiles) == (True, None, False)
        assert frame is None or isinstance(frame, np.ndarray)
        return self._verdict(stamp_ns)

    def report_invalid(self, reason: str, *, stamp_ns: int | None = None) -> Assessment:
        """The verdict on no frame."""
        self.event = Event(state="invalid", p=math.nan)
        return dataclasses.replace(self._verdict(stamp_ns), reason=reason)

    def _verdict(self, stamp_ns: int | None) -> Assessment:
        assert stamp_ns is not None
        event, state = self.event, State(self.event.state)
        blank = None
        if event.blank is not None and self.tile_check is not None:
            blank = np.array([digit == "1" for digit in event.blank]).reshape(
                self.tile_check.rows, self.tile_check.columns
            )
        known = not math.isnan(event.low) and state is not State.INVALID
        return Assessment(
            score=math.inf if math.isnan(event.p) else 0.0,
            p_value=event.p,
            is_ood=state in (State.OUT_OF_DISTRIBUTION, State.INVALID),
            threshold=1.0,
            segmentation=None,
            state=state,
            reason="" if state is State.OK else "given",
            provider="given",
            latency_ms=0.0,
            stamp_ns=stamp_ns,
            quality_measure="miou",
            quality_low=event.low if known else math.nan,
            faulty_tiles=blank,
        )


def drawn_picture(picture: Picture | None) -> NDArray[np.uint8] | None:
    """The pixels of a picture, ``(height, width, channels)``; None where there is none."""
    if picture is None:
        return None
    height, width, channels, seed, *edits = picture
    pixels = np.zeros((height, width, channels), np.uint8)
    parts = [(0, 0, height, width, seed), *(tuple(edits[i : i + 5]) for i in range(0, len(edits), 5))]
    for row, column, rows, columns, drawn in parts:
        part = pixels[row : row + rows, column : column + columns]
        part[:] = -drawn - 1 if drawn < 0 else _drawn(drawn, part.size).reshape(part.shape)
    return pixels


@functools.lru_cache(maxsize=256)
def _drawn(seed: int, count: int) -> NDArray[np.uint8]:
    """Bytes of a linear congruential generator (Knuth's MMIX), the highest eight bits of each state."""
    states, state = np.empty(count, np.uint64), seed
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        states[i] = state
    return (states >> np.uint64(56)).astype(np.uint8)


def play(case: Case) -> Iterator[dict[str, Any]]:
    """What the stream gives for each event of a case."""
    check = None if case.tiles is None else TileCheck(*case.tiles)
    monitor = GivenVerdicts(case_manifest(case.frames, case.effective), check)
    quality = None
    if (rule := case.quality) is not None:
        known = case_manifest(case.frames, case.effective, rule)
        quality = QualityDrift(rule.policy, known, known.operating_point)
    with mock.patch.object(time, "time_ns") as epoch, mock.patch.object(time, "monotonic") as steady:
        stream = Stream(
            monitor,
            parse_policy(case.policy),
            frozen_after_s=case.frozen_after_s,
            frozen_tolerance=case.tolerance,
            max_cameras=case.max_cameras,
            quality=quality,
        )
        for event in case.events:
            epoch.return_value, steady.return_value = event.epoch_ns, event.steady_s
            yield _happen(stream, monitor, event)


def _happen(stream: Stream, monitor: GivenVerdicts, event: Event) -> dict[str, Any]:
    monitor.event = event
    try:
        match event.do:
            case "frame":
                frame = drawn_picture(event.picture)
                return _result(stream.assess(frame, stamp_ns=event.stamp_ns, camera=event.camera))
            case "silent":
                return _result(stream.report_silent(event.camera, event.stamp_ns))
            case "ask":
                return stream.silent(event.stamp_ns, max_age_s=event.age_s, expected=event.expected)
            case "forget":
                stream.forget(event.camera)
                return {}
            case _:
                summary = stream.summary(event.camera)
                rate = {"frames_per_second": stream.frames_per_second(event.camera)}
                return {name: getattr(summary, name) for name in _SUMMARY} | rate
    except CameraError:
        return {"error": "camera"}


def _result(result: StreamAssessment) -> dict[str, Any]:
    verdict, quality = result.verdict, result.quality
    found = {
        "state": verdict.state.value,
        "index": result.index,
        "history": result.history.value,
        "stamp_ns": verdict.stamp_ns,
        "alarm": result.alarm,
        "onset": result.onset,
        "since_ns": result.since_ns,
        "statistic": result.statistic,
        "camera": result.camera,
        "reason": verdict.reason if verdict.state is State.INVALID and verdict.reason != "given" else "",
    }
    if quality is not None:
        found |= {f"quality_{field.name}": getattr(quality, field.name) for field in dataclasses.fields(quality)}
    if verdict.faulty_tiles is not None:
        found["faulty_tiles"] = "".join("1" if tile else "0" for tile in verdict.faulty_tiles.ravel())
    return found
