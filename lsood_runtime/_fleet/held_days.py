# SPDX-License-Identifier: Apache-2.0
"""The days that a recorder still counts, and the totals of those that it let go of."""

import copy
import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from lsood_runtime._fleet.daily_summary import DailySummary
from lsood_runtime._fleet.frame_facts import FrameFacts
from lsood_runtime._fleet.summary_counts import SummaryCounts

_HELD_S, _MOST_DAYS = 600.0, 8
"""How long a day is held for late frames after its last one, and how many are once they are written: a clock that jumps
fills no memory while the disk keeps up with its days."""


@dataclass(slots=True)
class _HeldDay:
    cameras: dict[str, DailySummary] = field(default_factory=dict)
    last_s: float = 0.0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class DayCopy:
    """A day as it was at one moment.

    Attributes:
        summaries: of its cameras, in order; copies.
        changes: of the day until then.
    """

    summaries: tuple[DailySummary, ...]
    changes: int


class HeldDays:
    """Counts by day and camera; its owner lets one thread at a time use it.

    Args:
        vehicle: of the summaries.
        bundle: digest of the bundle's manifest.
        threshold: of the score.
    """

    def __init__(self, vehicle: str, bundle: str, threshold: float) -> None:
        self._vehicle, self._bundle, self._threshold = vehicle, bundle, threshold
        self._days: dict[date, _HeldDay] = {}
        self._forgotten: dict[str, SummaryCounts] = {}

    def __len__(self) -> int:
        return len(self._days)

    def add(self, day: date, camera: str, frame: FrameFacts | int) -> bool:
        """Count a frame, or a number of dropped ones; give whether the day is a new one."""
        is_new = day not in self._days
        held = self._days.setdefault(day, _HeldDay())
        held.last_s, held.changes = time.monotonic(), held.changes + 1
        if camera not in held.cameras:
            held.cameras[camera] = DailySummary(self._vehicle, camera, day, self._bundle, self._threshold)
        counts = held.cameras[camera].counts
        if isinstance(frame, FrameFacts):
            counts.add(frame)
        else:
            counts.dropped += frame
        return is_new

    def copies(self) -> dict[date, DayCopy]:
        """Every day as it is now."""
        return {
            day: DayCopy(
                tuple(
                    replace(held.cameras[name], counts=_copy(held.cameras[name].counts))
                    for name in sorted(held.cameras)
                ),
                held.changes,
            )
            for day, held in self._days.items()
        }

    def totals(self) -> Mapping[str, SummaryCounts]:
        """Counts of each camera over all days, without the spans of alarms."""
        found: dict[str, SummaryCounts] = {}
        for camera, counts in self._forgotten.items():
            _add_total(found, camera, counts)
        for held in self._days.values():
            for camera, summary in held.cameras.items():
                _add_total(found, camera, summary.counts)
        return found

    def forget(self, written: Mapping[date, DayCopy], keep: date) -> list[date]:
        """Let go of days that had no frame for some minutes, as others may come late, nor since they were written.

        Args:
            written: copies that are in a safe place.
            keep: day of the machine's clock, which stays with that of the last frame: cameras whose stamps differ by days
                take turns, and begin no new files.

        Returns:
            The days.
        """
        by_age = sorted(self._days, key=lambda day: self._days[day].last_s)
        surplus, now_s = len(by_age) - _MOST_DAYS, time.monotonic()
        found = []
        for place, day in enumerate([day for day in by_age[:-1] if day != keep]):
            held = self._days[day]
            is_over = place < surplus or now_s - held.last_s >= _HELD_S
            if is_over and day in written and written[day].changes == held.changes:
                found.append(day)
        for day in found:
            for camera, summary in self._days.pop(day).cameras.items():
                _add_total(self._forgotten, camera, summary.counts)
        return found


def _copy(counts: SummaryCounts) -> SummaryCounts:
    return SummaryCounts(**{each.name: copy.copy(getattr(counts, each.name)) for each in dataclasses.fields(counts)})


def _add_total(totals: dict[str, SummaryCounts], camera: str, counts: SummaryCounts) -> None:
    totals.setdefault(camera, SummaryCounts()).merge(replace(counts, alarm_spans={}))
