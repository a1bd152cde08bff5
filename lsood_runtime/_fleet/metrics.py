# SPDX-License-Identifier: Apache-2.0
"""The counts of a vehicle as metrics, by name and labels: one table for OpenMetrics and for OpenTelemetry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from lsood_runtime._fleet.summary_counts import P_VALUE_EDGES, QUALITY_EDGES, SummaryCounts

Totals: TypeAlias = Mapping[str, SummaryCounts]
"""Counts by camera."""

Sample: TypeAlias = tuple[tuple[str, ...], int]
"""Values of the labels, and a count."""


@dataclass(frozen=True, slots=True)
class CountMetric:
    """A number of frames or events, which never falls while a process runs.

    Attributes:
        name: without a prefix, in words with underscores between them.
        text: what is counted.
        label: that tells the samples of a camera apart; empty where there is one.
        edges: upper edges of the bins of a histogram; empty for a plain counter.
        samples: of a camera, each with the value of its label; those of a histogram are cumulative.
    """

    name: str
    text: str
    label: str
    edges: Sequence[float]
    samples: Callable[[SummaryCounts], Iterator[tuple[str, int]]]

    def of(self, totals: Totals) -> Iterator[Sample]:
        """Samples with the labels camera and, where there is one, :attr:`label`."""
        for camera, counts in totals.items():
            for value, count in self.samples(counts):
                yield ((camera, value) if self.label else (camera,)), count


def _plain(name: str, text: str, attribute: str) -> CountMetric:
    return CountMetric(name, text, "", (), lambda counts: iter([("", getattr(counts, attribute))]))


def _bins(name: str, text: str, edges: Sequence[float], counts_of: Callable[[SummaryCounts], list[int]]) -> CountMetric:
    words = [str(edge) for edge in edges]
    return CountMetric(name, text, "le", edges, lambda counts: zip(words, accumulate(counts_of(counts)), strict=True))


COUNT_METRICS = (
    CountMetric("frames", "frames by state", "state", (), lambda counts: iter(counts.states.items())),
    _plain("late_frames", "frames whose verdict came after the deadline", "late"),
    _plain("dropped_frames", "frames that were never scored because a later one came", "dropped"),
    _plain("repeated_frames", "frames that came twice", "repeated"),
    _plain("gaps", "gaps between frames that are longer than the alarm looks back", "gaps"),
    _plain("clock_steps", "steps back of the clock of a camera", "steps"),
    _plain("alarms", "alarms that were raised", "alarms"),
    _plain("alarm_frames", "frames with an alarm", "alarm_frames"),
    _plain("quality_alarms", "alarms that the expected quality raised", "quality_alarms"),
    CountMetric("causes", "frames by the cause of degradation", "cause", (), lambda counts: iter(counts.causes.items())),
    _plain("unknown_objects", "unknown objects, over all frames", "objects"),
    _plain("object_frames", "frames with an unknown object", "object_frames"),
    _plain("unknown_quality_frames", "frames whose quality is not known", "quality_unknown"),
    _bins("p_value", "p-values of frames that are not invalid", P_VALUE_EDGES, lambda counts: counts.p_values),
    _bins("expected_quality", "expected quality of frames", QUALITY_EDGES, lambda counts: counts.qualities),
)  # fmt: skip
"""Every metric."""
