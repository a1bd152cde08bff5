# SPDX-License-Identifier: Apache-2.0
"""Play cases of streams with the C++ library, by its test program ``stream_play``."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.cases.stream_events import Case, Event

_SUMMARY = (
    *("frames", "invalid", "frozen", "faulty_tiles", "clock_faults", "repeated", "gaps", "steps", "other_clock"),
    *("silent", "alarms", "quality_alarms"),
)
_CODES = {"0": "argument", "5": "camera"}


class CppStream:
    """The program, which goes on from case to case."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        code = self._process.wait(timeout=60)
        assert kind is not None or code == 0

    def answers(self, lines: Sequence[str]) -> list[list[str]]:
        """The words of the program's line for each line of commands."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()
        return [self._process.stdout.readline().rstrip("\n").split(" ") for _ in lines]

    def play(self, case: Case) -> list[dict[str, Any]]:
        """What the stream gives for each event of a case."""
        assert self._process.stdin is not None
        if case.tiles is not None:
            self._process.stdin.write(f"tiles {' '.join(map(str, case.tiles))}\n")
        if (rule := case.quality) is not None:
            lows = " ".join(map(repr, rule.clean_low))
            self._process.stdin.write(f"quality {rule.policy} {rule.rate!r} {rule.worth!r} {lows}\n")
        after = "-" if case.frozen_after_s is None else repr(case.frozen_after_s)
        opened = f"open {case.policy} {case.frames} {case.effective!r} {after} {case.tolerance!r} {case.max_cameras}"
        first, *answers = self.answers([opened, *map(_line, case.events)])
        assert first == ["opened"], " ".join(first)
        return [_read(event, words) for event, words in zip(case.events, answers, strict=True)]


def _line(event: Event) -> str:
    time = "-" if event.stamp_ns is None else str(event.stamp_ns)
    received = f"{event.epoch_ns} {event.steady_s!r}"
    match event.do:
        case "frame":
            picture = "-" if event.picture is None else ",".join(map(str, event.picture))
            numbers = f"{event.p!r} {event.low!r} {event.blank or '-'} {picture}"
            return f"frame {event.camera} {time} {event.state} {numbers} {received}"
        case "silent":
            return f"silent {event.camera} {time} {received}"
        case "ask":
            return f"ask {time} {event.age_s!r} {received} {' '.join(event.expected)}"
        case _:
            return f"{event.do} {event.camera}"


def _read(event: Event, words: Sequence[str]) -> dict[str, Any]:
    if words[0] == "error":
        return {"error": _CODES[words[1]]}
    if event.do == "forget":
        return {}
    if event.do == "ask":
        pairs = [word for word in words if word]
        return {camera: float(age) for camera, age in zip(pairs[::2], pairs[1::2], strict=True)}
    if event.do == "summary":
        counts = dict(zip(_SUMMARY, map(int, words[:-1]), strict=True))
        return counts | {"frames_per_second": float(words[-1])}
    state, index, history, stamp, alarm, onset, since, statistic, camera, *quality = words[:13]
    found: dict[str, Any] = {
        "state": state,
        "index": int(index),
        "history": history,
        "stamp_ns": int(stamp),
        "camera": camera,
        "reason": " ".join(words[14:]),
    } | _alarm("", alarm, onset, since, statistic)
    if quality[0] != "-":
        found |= _alarm("quality_", *quality)
    if words[13] != "-":
        found["faulty_tiles"] = words[13]
    return found


def _alarm(prefix: str, alarm: str, onset: str, since: str, statistic: str) -> dict[str, Any]:
    return {
        f"{prefix}alarm": alarm == "1",
        f"{prefix}onset": onset == "1",
        f"{prefix}since_ns": None if since == "-" else int(since),
        f"{prefix}statistic": float(statistic),
    }
