# SPDX-License-Identifier: Apache-2.0
"""Let the C++ library assess frames, and compare its verdicts with those of the Python runtime, number by number."""

import json
import math
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime import Assessment, OoDMonitor, UnknownObject

STAMP = 7
_NUMBERS = ("expected_quality", "quality_low", "quality_high", "cause_probability", "severity")


def played(program: Path, bundle: Path, frames: NDArray[np.uint8], *options: str) -> list[dict[str, Any]]:
    """Verdicts of the program ``assess_play`` on ``(N, H, W, C)`` or ``(N, H, W)`` frames, or its error alone."""
    raw = program.parent / f"frames-{frames.shape}-{abs(hash(frames.tobytes()))}.raw"
    frames.tofile(raw)
    size = [*frames.shape[1:], 1][:3]
    command = [*map(str, (program, bundle, raw, *size)), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    raw.unlink()
    assert done.returncode in (0, 2), done.stderr
    return [verdict_of(line) for line in done.stdout.splitlines()]


def verdict_of(line: str) -> dict[str, Any]:
    """A verdict, or an error, that a program printed."""
    values: dict[str, Any] = json.loads(line, object_hook=_numbers)
    return values


def verdict_values(verdict: Assessment) -> dict[str, Any]:
    """The verdict of the Python runtime with the names and values that the program writes."""
    values: dict[str, Any] = {
        "score": verdict.score,
        "p_value": verdict.p_value,
        "is_ood": verdict.is_ood,
        "threshold": verdict.threshold,
        "state": verdict.state.value,
        "reason": verdict.reason,
        "is_late": verdict.is_late,
        "stamp_ns": verdict.stamp_ns,
        "parts": list(verdict.parts.values()),
        "faulty_tiles": None if verdict.faulty_tiles is None else verdict.faulty_tiles.astype(int).ravel().tolist(),
        "tile_faults": verdict.tile_faults,
    }
    if verdict.quality_measure is not None:
        values |= {name: getattr(verdict, name) for name in _NUMBERS[:3]}
    if verdict.cause is not None:
        values |= {name: getattr(verdict, name) for name in ("cause", *_NUMBERS[3:])}
        values["cause_set"] = list(verdict.cause_set)
    if verdict.tiles is not None and verdict.tile_values is not None:
        values["tiles"] = verdict.tiles.astype(int).ravel().tolist()
        values |= {"tile_values": verdict.tile_values.ravel().tolist(), "tile_words": verdict.tile_words}
    if verdict.object_words:
        values["objects"] = [_object_values(each) for each in verdict.objects]
        values |= {"object_count": verdict.object_count, "object_words": verdict.object_words}
        values["has_map"] = verdict.anomaly_map is not None
    if verdict.class_confidence is not None:
        values["class_confidence"] = verdict.class_confidence.tolist()
    return values


def same(one: object, other: object) -> bool:
    """Whether two values are the same, NaN like NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one == other


def assert_same_verdicts(
    program: Path, bundle: Path, frames: NDArray[np.uint8], options: Sequence[str] = (), **python: Any
) -> list[dict[str, Any]]:
    """Assess frames in both languages and compare every number of every verdict; those of C++ come back."""
    with OoDMonitor(bundle, threads=1, **python) as monitor:
        expected = [verdict_values(monitor.assess(frame, stamp_ns=STAMP)) for frame in frames]
    found = played(program, bundle, frames, *options)
    assert len(found) == len(expected), found
    for place, (got, wanted) in enumerate(zip(found, expected, strict=True)):
        assert got.keys() == wanted.keys()
        for name, value in wanted.items():
            assert same(got[name], value), f"{name} of frame {place}: C++ {got[name]!r}, Python {value!r}"
    return found


def _object_values(each: UnknownObject) -> dict[str, Any]:
    return {name: getattr(each, name) for name in each.__slots__}


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    """Texts that are numbers in hexadecimal, as floats."""
    return {name: _number(value) for name, value in values.items()}


def _number(value: object) -> object:
    if isinstance(value, list):
        return [_number(each) for each in value]
    if isinstance(value, str) and value.lstrip("-").startswith(("0x", "inf", "nan")):
        return float.fromhex(value)
    return value
