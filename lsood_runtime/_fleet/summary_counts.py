# SPDX-License-Identifier: Apache-2.0
"""Counts of frames that add up exactly: over cameras, over the parts of a day, over vehicles."""

import math
from bisect import bisect_left
from dataclasses import dataclass, field

from lsood_runtime._assessment import State
from lsood_runtime._fleet.frame_facts import FrameFacts
from lsood_runtime._stream.history import History

P_VALUE_EDGES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Upper edges of the bins of p-values, each of which holds its upper edge; the first begins above 0."""

QUALITY_EDGES = tuple(i / 20 for i in range(1, 21))
"""Upper edges of the bins of expected quality, each of which holds its upper edge; the first holds 0 too."""


@dataclass(slots=True)
class SummaryCounts:
    """Counts of frames; every one is a whole number, so that sums do not depend on the order.

    A frame that came twice counts as repeated and nowhere else. P-values, quality, causes and objects are those of frames
    that are not INVALID. A report that a camera is silent counts as an INVALID frame.

    Attributes:
        states: frames of each state, by its value.
        late: frames whose verdict came after the deadline, whatever their state.
        p_values: frames in each bin of :data:`P_VALUE_EDGES`.
        qualities: frames in each bin of :data:`QUALITY_EDGES`, by their expected quality.
        quality_unknown: frames of which the bundle does not know the quality, though it tells it of others.
        causes: frames of each cause, by its name.
        objects: unknown objects, over all frames.
        object_frames: frames with at least one.
        objects_known: frames of which their number is known, with those that have none; 0 where the bundle tells none.
        objects_unknown: frames of which their number is unknown, though the bundle tells it of others.
        followed: frames that a stream followed, which alone can raise alarms.
        alarms: frames that raised an alarm.
        alarm_frames: frames with an alarm.
        alarm_spans: stamps of the first and the last frame of each alarm here, by the stamp of the frame that raised it, in
            nanoseconds; alarms of one camera that were raised at one stamp are one.
        quality_alarms: frames that raised an alarm by the expected quality.
        dropped: frames that were never scored because a later one came.
        repeated: frames that came twice.
        gaps: frames before which none came for longer than the alarm looks back.
        steps: frames before which the clock was set back.
    """

    states: dict[str, int] = field(default_factory=lambda: {state.value: 0 for state in State})
    late: int = 0
    p_values: list[int] = field(default_factory=lambda: [0] * len(P_VALUE_EDGES))
    qualities: list[int] = field(default_factory=lambda: [0] * len(QUALITY_EDGES))
    quality_unknown: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    object_frames: int = 0
    objects_known: int = 0
    objects_unknown: int = 0
    followed: int = 0
    alarms: int = 0
    alarm_frames: int = 0
    alarm_spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    quality_alarms: int = 0
    dropped: int = 0
    repeated: int = 0
    gaps: int = 0
    steps: int = 0

    @property
    def frames(self) -> int:
        """All frames, those that came twice once."""
        return sum(self.states.values())

    @property
    def valid_frames(self) -> int:
        """Frames that are not INVALID."""
        return self.frames - self.states[State.INVALID.value]

    @property
    def alarm_seconds(self) -> float:
        """Time between the first and the last frame of each alarm here, added up, in seconds."""
        return sum(last - first for first, last in self.alarm_spans.values()) / 1e9

    def add(self, facts: FrameFacts) -> None:
        """Count a frame."""
        if facts.history is History.REPEATED:
            self.repeated += 1
            return
        self.states[facts.state.value] += 1
        self.late += facts.is_late
        if facts.state is not State.INVALID:
            self._add_answers(facts)
        if facts.followed:
            self.followed += 1
            self.gaps += facts.history is History.AFTER_GAP
            self.steps += facts.history is History.AFTER_STEP
            self.quality_alarms += facts.quality_onset
            if facts.alarm:
                self._add_alarm(facts)

    def _add_answers(self, facts: FrameFacts) -> None:
        self.p_values[bisect_left(P_VALUE_EDGES, facts.p_value)] += 1
        if facts.quality is not None:
            if math.isnan(facts.quality):
                self.quality_unknown += 1
            else:
                self.qualities[bisect_left(QUALITY_EDGES, facts.quality)] += 1
        if facts.cause is not None:
            self.causes[facts.cause] = self.causes.get(facts.cause, 0) + 1
        if facts.objects is not None:
            self.objects_known += facts.objects >= 0
            self.objects_unknown += facts.objects < 0
            self.object_frames += facts.objects > 0
            self.objects += max(facts.objects, 0)

    def _add_alarm(self, facts: FrameFacts) -> None:
        self.alarm_frames += 1
        self.alarms += facts.onset
        since_ns = facts.stamp_ns if facts.since_ns is None else facts.since_ns
        self._add_span(since_ns, facts.stamp_ns, facts.stamp_ns)

    def _add_span(self, since_ns: int, first_ns: int, last_ns: int) -> None:
        known = self.alarm_spans.get(since_ns, (first_ns, last_ns))
        self.alarm_spans[since_ns] = min(known[0], first_ns), max(known[1], last_ns)

    def merge(self, other: "SummaryCounts") -> None:
        """Add the counts of other frames."""
        for name in PLAIN_COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for state, count in other.states.items():
            self.states[state] += count
        for cause, count in other.causes.items():
            self.causes[cause] = self.causes.get(cause, 0) + count
        self.p_values = [mine + theirs for mine, theirs in zip(self.p_values, other.p_values, strict=True)]
        self.qualities = [mine + theirs for mine, theirs in zip(self.qualities, other.qualities, strict=True)]
        for since_ns, span in other.alarm_spans.items():
            self._add_span(since_ns, *span)


PLAIN_COUNTS = (
    "late",
    "quality_unknown",
    "objects",
    "object_frames",
    "objects_known",
    "objects_unknown",
    "followed",
    "alarms",
    "alarm_frames",
    "quality_alarms",
    "dropped",
    "repeated",
    "gaps",
    "steps",
)
"""Names of the counts that are one number."""
