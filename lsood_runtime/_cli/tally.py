# SPDX-License-Identifier: Apache-2.0
"""Count the verdicts of a run, for the lines at its end."""

from collections import Counter

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._cli.latency_histogram import LatencyHistogram
from lsood_runtime._text.counted import counted


class Tally:
    """Counts verdicts by state, and latencies, in memory that does not grow.

    Attributes:
        states: verdicts of each state.
        count: verdicts in all.
        out_of_distribution: those that are out of distribution, late ones included, invalid ones not.
        late: those that came after the deadline, whatever their state.
        unreadable: those on frames that could not be read; they are INVALID.
        first_fault: why the first of these could not be read; empty where all could.
    """

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self.count = self.out_of_distribution = self.late = 0
        self.unreadable, self.first_fault = 0, ""
        self._latencies = LatencyHistogram()

    def add(self, verdict: Assessment, fault: str = "") -> None:
        """Count one verdict; ``fault`` says why its frame could not be read."""
        self.states[verdict.state] += 1
        self.count += 1
        self.out_of_distribution += verdict.is_ood and verdict.state is not State.INVALID
        self.late += verdict.is_late
        if fault:
            self.unreadable += 1
            self.first_fault = self.first_fault or fault
        else:
            self._latencies.add(verdict.latency_ms)

    def describe_latency(self, provider: str) -> str:
        """Median latency of the frames that were read, to within 1 %, or that there was none."""
        if self.count == self.unreadable:
            return f"no frame was read for {provider}"
        return f"median {self._latencies.median_ms:.1f} ms a frame on {provider}"

    def __str__(self) -> str:
        """The counts in one line."""
        parts = [counted(self.count, "frame"), f"{self.out_of_distribution} out of distribution"]
        states = self.states
        counts = {"of low quality": states[State.LOW_QUALITY], "invalid": states[State.INVALID], "late": self.late}
        parts += [f"{count} {word}" for word, count in counts.items() if count]
        return ", ".join(parts)
