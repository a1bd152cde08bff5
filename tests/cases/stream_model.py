# SPDX-License-Identifier: Apache-2.0
"""What a stream should say, worked out apart from it: each alarm anew from the list of all frames that count for it.

A scenario says how a frame continues its camera's history, by the table of clocks in ``docs/how-to/alarms.md``. The model
turns that and the documented rule of each policy into alarms and statistics.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tests.cases.stream_events import Case, Event

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Seen:
    """A frame that counts: whether as out of distribution, with which p-value, at which observed time in nanoseconds."""

    strange: bool
    p: float
    time_ns: int


Rule: TypeAlias = Callable[[Sequence[Seen]], tuple[bool, float]]
"""Alarm and statistic after these frames."""


def k_of_n(k: int, n: int) -> Rule:
    """At least k of the last n frames are out of distribution."""

    def rule(seen: Sequence[Seen]) -> tuple[bool, float]:
        count = sum(each.strange for each in seen[-n:])
        return count >= k, count / k

    return rule


def hysteresis(raise_at: float, clear_at: float) -> Rule:
    """From a p-value of at most the first until one above the second."""

    def rule(seen: Sequence[Seen]) -> tuple[bool, float]:
        alarm = False
        for each in seen:
            alarm = each.p <= clear_at if alarm else each.p <= raise_at
        return alarm, math.log(seen[-1].p, raise_at) if seen else 0.0

    return rule


def duration(seconds: float) -> Rule:
    """All frames of so many seconds are out of distribution, until none of as many is."""

    def rule(seen: Sequence[Seen]) -> tuple[bool, float]:
        alarm, statistic = False, 0.0
        for i, each in enumerate(seen):
            strange = [other.strange for other in seen[: i + 1]]
            run = strange[::-1].index(False) if False in strange else i + 1
            lasted = (each.time_ns - seen[i + 1 - run].time_ns) / SECOND if run else 0.0
            statistic = min(1.0, lasted / seconds if seconds else 1.0) if run else 0.0
            if run:
                alarm = alarm or lasted >= seconds
            elif alarm:
                last = max(j for j in range(i) if seen[j].strange)
                alarm = (each.time_ns - seen[last].time_ns) / SECOND <= seconds
        return alarm, statistic

    return rule


def cusum_constants(hours: float, rate: float, frames: int, effective: float) -> tuple[float, float, float]:
    """Height, frames that are worth one, and the logarithm of the mean of ``p**-0.5`` and two standard deviations of it."""
    worth = math.ceil(frames / effective - 1e-9)
    roots = np.sqrt((frames + 1) / np.arange(1, frames + 2))
    mean = roots.mean() + 2 * roots.std() / math.sqrt(max(effective, 20) - 1)
    return math.log(3600 * hours * rate / worth), worth, math.log(mean)


def cusum(hours: float, rate: float, frames: int, effective: float) -> Rule:
    """The logarithms of the frames' e-values add up to the height, until they are back at 0."""
    height, worth, log_mean = cusum_constants(hours, rate, frames, effective)

    def rule(seen: Sequence[Seen]) -> tuple[bool, float]:
        total, alarm = 0.0, False
        for each in seen:
            total = min(height, max(0.0, total + (math.log(each.p**-0.5) - log_mean) / worth))
            alarm = total >= height or (alarm and total > 0)
        return alarm, total / height

    return rule


@dataclass
class Publisher:
    """Frames by one clock: those that count, the alarm that they make, and the observed time."""

    seen: list[Seen] = field(default_factory=list)
    time_ns: int = 0
    latest_ns: int = 0
    last_frame: int = 0

    def judge(self, rule: Rule) -> tuple[bool, float]:
        """Alarm and statistic."""
        return rule(self.seen) if self.seen else (False, 0.0)


@dataclass
class Camera:
    """What a camera has sent: the publishers on its name, the stamp of its alarm, and the number of frames."""

    publishers: dict[str, Publisher] = field(default_factory=dict)
    since_ns: int | None = None
    frames: int = 0
    silent_ns: int = 0
    last_ns: int = 0


class Drive:
    """Writes a case: events with what is expected of each.

    Args:
        policy: as text.
        rule: the same, by the model.
        settings: of the case.
    """

    usual_ns, ends_after = SECOND // 10, 10
    """Time between frames, and how many have to come by other clocks until a clock is forgotten: those of a second."""

    def __init__(self, policy: str, rule: Rule, **settings: Any) -> None:
        self.policy, self.rule, self.settings = policy, rule, settings
        self.smallest_p = 1 / (settings.get("frames", 99) + 1)
        self.cameras: dict[str, Camera] = {}
        self.events: list[Event] = []
        self.expected: list[dict[str, Any]] = []

    def case(self, name: str) -> Case:
        """The case."""
        return Case(name, self.policy, tuple(self.events), expected=tuple(self.expected), **self.settings)

    def frame(
        self,
        stamp_ns: int | None,
        state: str = "ok",
        p: float = 0.5,
        *,
        camera: str = "camera",
        publisher: str = "one",
        history: str = "",
        wrong: bool = False,
        passed_ns: int | None = None,
        received_ns: int | None = None,
        **event: Any,
    ) -> None:
        """Add a frame.

        Args:
            stamp_ns: as given.
            state: of the frame alone.
            p: its p-value.
            camera: whose.
            publisher: which of those on its name; each has a clock of its own.
            history: how it continues; empty for ``begins`` of the first frame, ``continues`` of the others.
            wrong: it is INVALID for its clock or its pictures.
            passed_ns: since the last frame of the publisher; None for what the stamps say.
            received_ns: the stamp that is used in place of the given one; None for the given one.
            event: its other fields.
        """
        known = self.cameras.setdefault(camera, Camera())
        sent = known.publishers.setdefault(publisher, Publisher())
        used = stamp_ns if received_ns is None else received_ns
        assert used is not None
        history = history or ("continues" if known.frames else "begins")
        if history in ("after_gap", "after_step"):
            standing = [name for name, each in known.publishers.items() if each.judge(self.rule)[0]]
            if standing:
                taken = known.publishers.pop(standing[0])
            else:
                taken = Publisher()
                known.publishers[f"{publisher}, {known.frames}"] = sent
            known.publishers[publisher] = sent = taken
            sent.time_ns += self.usual_ns
            sent.latest_ns = used
        elif sent.seen:
            sent.time_ns += max(0, used - sent.latest_ns) if passed_ns is None else passed_ns
            sent.latest_ns = max(sent.latest_ns, used)
        else:
            sent.latest_ns = used
        state_then = "invalid" if wrong else state
        known.last_ns, known.silent_ns = used, 0
        sent.last_frame = known.frames
        unseen = [name for name, each in known.publishers.items() if known.frames - each.last_frame > self.ends_after]
        for name in unseen:
            assert not known.publishers.pop(name).judge(self.rule)[0]
        if history != "repeated":
            self._count(sent, state_then, p)
        self.events.append(Event(stamp_ns=stamp_ns, state=state, p=p, camera=camera, **event))
        self._expect(known, state_then, history, used)
        known.frames += 1

    def frames(self, first_ns: int, states: Sequence[str], step_ns: int = 0, **options: Any) -> int:
        """Add frames a tenth of a second apart, with the smallest p-value where they count; the result is the next stamp."""
        stamp = first_ns
        for state in states:
            self.frame(stamp, state, 0.5 if state in ("ok", "late") else self.smallest_p, **options)
            stamp += step_ns or self.usual_ns
        return stamp

    def silent(self, now_ns: int, camera: str = "camera") -> None:
        """Add a report that the camera is silent, on the clock of the stamps."""
        known = self.cameras.setdefault(camera, Camera())
        history = "continues" if known.publishers else "begins"
        sent = next(iter(known.publishers.values()), None) or known.publishers.setdefault("one", Publisher())
        if known.frames:
            elapsed = max(0, now_ns - known.last_ns - known.silent_ns)
            known.silent_ns += elapsed
            sent.time_ns += elapsed
            sent.latest_ns += elapsed
        else:
            sent.latest_ns = now_ns
        self._count(sent, "invalid", math.nan)
        self.events.append(Event("silent", camera, now_ns))
        self._expect(known, "invalid", history, now_ns)

    def _count(self, sent: Publisher, state: str, p: float) -> None:
        p = self.smallest_p if state == "invalid" or math.isnan(p) else p
        sent.seen.append(Seen(state in ("out_of_distribution", "low_quality", "invalid"), p, sent.time_ns))

    def _expect(self, known: Camera, state: str, history: str, stamp_ns: int) -> None:
        judged = [each.judge(self.rule) for each in known.publishers.values()]
        alarm = any(raised for raised, _ in judged)
        onset = alarm and known.since_ns is None
        known.since_ns = (stamp_ns if onset else known.since_ns) if alarm else None
        self.expected.append(
            {"state": state, "history": history, "statistic": float(f"{max(each for _, each in judged):.12g}")}
            | ({"alarm": True, "since_ns": known.since_ns} if alarm else {})
            | ({"onset": True} if onset else {})
            | ({"stamp_ns": stamp_ns} if self.events[-1].stamp_ns != stamp_ns else {})
        )
