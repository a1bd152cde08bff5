# SPDX-License-Identifier: Apache-2.0
"""Median latency in memory that does not grow with the number of frames."""

import math
from collections import Counter

_RATIO = 1.01
_SHORTEST_MS = 1e-3


class LatencyHistogram:
    """Counts latencies in bins whose edges lie 1 % apart; a run of any length fills a few hundred of them.

    Latencies below a microsecond share one bin.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._total = 0

    def add(self, latency_ms: float) -> None:
        """Count one latency."""
        self._counts[math.floor(math.log(max(latency_ms, _SHORTEST_MS), _RATIO))] += 1
        self._total += 1

    @property
    def median_ms(self) -> float:
        """Median to within 1 %, for an even number the lower one; 0 without a latency."""
        below = 0
        for index in sorted(self._counts):
            below += self._counts[index]
            if 2 * below >= self._total:
                return float(_RATIO ** (index + 0.5))
        return 0.0
