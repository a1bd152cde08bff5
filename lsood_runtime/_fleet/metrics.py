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


def _always(_: SummaryCounts) -> bool:
    return True


def _follows(counts: SummaryCounts) -> bool:
    return counts.followed > 0


def _tells_quality(counts: SummaryCounts) -> bool:
    return sum(counts.qualities) + counts.quality_unknown > 0


def _alarms_by_quality(counts: SummaryCounts) -> bool:
    return _follows(counts) and _tells_quality(counts)


def _tells_objects(counts: SummaryCounts) -> bool:
    return counts.objects_known + counts.objects_unknown > 0


@dataclass(frozen=True, slots=True)
class CountMetric:
    """A number of frames or events, which never falls while a process runs.

    Attributes:
        name: without a prefix, in words with underscores between them.
        text: what is counted.
        label: that tells the samples of a camera apart; empty where there is one.
        edges: upper edges of the bins of a histogram; empty for a plain counter.
        samples: of a camera, each with the value of its label; those of a histogram are cumulative.
        is_told: whether anything tells what is counted: without it there is no sample, since 0 would be a claim.
    """

    name: str
    text: str
    label: str
    edges: Sequence[float]
    samples: Callable[[SummaryCounts], Iterator[tuple[str, int]]]
    is_told: Callable[[SummaryCounts], bool] = _always

    def of(self, totals: Totals) -> Iterator[Sample]:
        """Samples with the labels camera and, where there is one, :attr:`label`; none of a camera that is not told."""
        for camera, counts in totals.items():
            for value, count in self.samples(counts) if self.is_told(counts) else ():
                yield ((camera, value) if self.label else (camera,)), count


def _plain(name: str, text: str, attribute: str, is_told: Callable[[SummaryCounts], bool] = _always) -> CountMetric:
    return CountMetric(name, text, "", (), lambda counts: iter([("", getattr(counts, attribute))]), is_told)


def _bins(
    name: str,
    text: str,
    edges: Sequence[float],
    counts_of: Callable[[SummaryCounts], list[int]],
    is_told: Callable[[SummaryCounts], bool] = _always,
) -> CountMetric:
    words = [str(edge) for edge in edges]
    return CountMetric(
        name, text, "le", edges, lambda counts: zip(words, accumulate(counts_of(counts)), strict=True), is_told
    )


COUNT_METRICS = (
    CountMetric("frames", "frames by state", "state", (), lambda counts: iter(counts.states.items())),
    _plain("late_frames", "frames whose verdict came after the deadline", "late"),
    _plain("dropped_frames", "frames that were never scored because a later one came", "dropped"),
    _plain("repeated_frames", "frames that came twice", "repeated", _follows),
    _plain("gaps", "gaps between frames that are longer than the alarm looks back", "gaps", _follows),
    _plain("clock_steps", "steps back of the clock of a camera", "steps", _follows),
    _plain("alarms", "alarms that were raised", "alarms", _follows),
    _plain("alarm_frames", "frames with an alarm", "alarm_frames", _follows),
    _plain("quality_alarms", "alarms that the expected quality raised", "quality_alarms", _alarms_by_quality),
    CountMetric("causes", "frames by the cause of degradation", "cause", (), lambda counts: iter(counts.causes.items())),
    _plain("unknown_objects", "unknown objects, over all frames", "objects", _tells_objects),
    _plain("object_frames", "frames with an unknown object", "object_frames", _tells_objects),
    _plain("objects_known_frames", "frames whose number of unknown objects is known", "objects_known", _tells_objects),
    _plain("objects_unknown_frames", "frames whose number of them is not known", "objects_unknown", _tells_objects),
    _plain("unknown_quality_frames", "frames whose quality is not known", "quality_unknown", _tells_quality),
    _bins("p_value", "p-values of frames that are not invalid", P_VALUE_EDGES, lambda counts: counts.p_values),
    _bins("expected_quality", "expected quality of frames", QUALITY_EDGES, lambda counts: counts.qualities, _tells_quality),
)  # fmt: skip
"""Every metric."""
