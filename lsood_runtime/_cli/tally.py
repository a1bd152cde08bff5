# SPDX-License-Identifier: Apache-2.0
"""Count the verdicts of a run, for the line at its end."""

from collections import Counter
from statistics import median

from lsood_runtime._assessment import Assessment, State


class Tally:
    """Counts verdicts by state, and remembers latencies.

    Attributes:
        states: verdicts of each state.
        count: verdicts in all.
        out_of_distribution: those that are out of distribution, late ones included, invalid ones not.
        late: those that came after the deadline, whatever their state.
    """

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self.count = self.out_of_distribution = self.late = 0
        self._latencies_ms: list[float] = []

    def add(self, verdict: Assessment) -> None:
        """Count one verdict."""
        self.states[verdict.state] += 1
        self.count += 1
        self.out_of_distribution += verdict.is_ood and verdict.state is not State.INVALID
        self.late += verdict.is_late
        self._latencies_ms.append(verdict.latency_ms)

    @property
    def median_ms(self) -> float:
        """Median latency; 0 without a verdict."""
        return median(self._latencies_ms) if self._latencies_ms else 0.0

    def __str__(self) -> str:
        """The counts in one line."""
        parts = [f"{self.count} frames", f"{self.out_of_distribution} out of distribution"]
        counts = {"invalid": self.states[State.INVALID], "late": self.late}
        parts += [f"{count} {word}" for word, count in counts.items() if count]
        return ", ".join(parts)
