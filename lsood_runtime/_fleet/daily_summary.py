# SPDX-License-Identifier: Apache-2.0
"""The summary of what one camera of a vehicle sent on one day, which adds up exactly with others of its key."""

import copy
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from lsood_runtime._arguments import check_type
from lsood_runtime._exceptions import MediaError
from lsood_runtime._fleet.summary_counts import SummaryCounts

SummaryKey: TypeAlias = tuple[str, float, str, str, date]
"""Bundle, threshold, camera, vehicle and day, by which summaries are sorted."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY_NS = 946_684_800_000_000_000  # the year 2000: earlier stamps count from the start of something


@dataclass(slots=True)
class DailySummary:
    """Counts of the frames of one camera of a vehicle on one day, scored by one bundle with one threshold.

    Attributes:
        vehicle: its name.
        camera: its name.
        day: of the frames' stamps, in UTC.
        bundle: SHA-256 digest of the manifest of the bundle, as ``lsood inspect`` prints it.
        threshold: of the score.
        counts: of the frames.
    """

    vehicle: str
    camera: str
    day: date
    bundle: str
    threshold: float
    counts: SummaryCounts = field(default_factory=SummaryCounts)

    @property
    def key(self) -> SummaryKey:
        """What summaries that add up have in common."""
        return self.bundle, self.threshold, self.camera, self.vehicle, self.day

    def merge(self, other: "DailySummary") -> None:
        """Add the counts of another part of the same day.

        Raises:
            TypeError: no summary.
            MediaError: one of another key.
        """
        check_type(other, DailySummary, "a DailySummary", "read one with read_summaries")
        if other.key != self.key:
            raise MediaError(
                f"expected a summary of {self}, got one of {other}: merge those of one vehicle, camera, day, bundle and "
                "threshold"
            )
        self.counts.merge(other.counts)

    def __str__(self) -> str:
        """The key in words."""
        return f"{self.vehicle}, {self.camera}, {self.day}, bundle {self.bundle[:12]}, threshold {self.threshold:g}"


def summary_day(stamp_ns: int) -> date | None:
    """The day of a stamp in UTC; None where the stamp is no time of day, as one that counts from 0."""
    if not _FIRST_DAY_NS <= stamp_ns < 2**63:
        return None
    return (_EPOCH + timedelta(seconds=stamp_ns // 10**9)).date()


def merged_summaries(sorted_summaries: Iterable[Iterable[DailySummary]]) -> Iterator[DailySummary]:
    """Merge several sequences of summaries, each sorted by key, into one in which each key stands once.

    At most one summary of each sequence is held at a time; those that are given are left as they are.
    """
    last: DailySummary | None = None
    ours = False
    for summary in heapq.merge(*sorted_summaries, key=lambda each: each.key):
        if last is not None and summary.key == last.key:
            last, ours = last if ours else copy.deepcopy(last), True
            last.merge(summary)
            continue
        if last is not None:
            yield last
        last, ours = summary, False
    if last is not None:
        yield last
