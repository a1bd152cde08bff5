# SPDX-License-Identifier: Apache-2.0
"""Cases of the expected quality: it falls, is unknown, comes back, and has an alarm of its own beside that of the score."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

from tests.cases.stream_events import Case, QualityRule
from tests.cases.stream_model import SECOND, Drive, Rule, cusum, duration, hysteresis, k_of_n

START, TENTH = 100 * SECOND, SECOND // 10
CLEAN_LOW = tuple(0.4 + i / 100 for i in range(50))
WORTH, RANK = 0.8, 3
SMALLEST = CLEAN_LOW[RANK - 1]
POLICIES: dict[str, Rule] = {
    "2of3": k_of_n(2, 3),
    "hysteresis:0.05:0.2": hysteresis(0.05, 0.2),
    "duration:0.2": duration(0.2),
    "cusum:0.002h@10": cusum(0.002, 10, len(CLEAN_LOW), len(CLEAN_LOW) * WORTH),
}
LOWS: dict[str, Sequence[float]] = {
    "falls at once, and comes back": [0.7] * 4 + [0.1] * 5 + [0.8] * 5,
    "falls slowly": [0.7 - i / 20 for i in range(13)],
    "is unknown": [0.7] * 3 + [math.nan] * 5 + [0.7] * 3,
    "is at the smallest one, just below it, and at that of the best clean frame": [
        *(SMALLEST, SMALLEST - 1e-9, SMALLEST, SMALLEST - 1e-9),
        *(CLEAN_LOW[-1], 1.0),
    ],
}


def quality_cases() -> Iterator[Case]:
    """The quality by each policy; that of an INVALID frame counts as the lowest."""
    rows = [(name, lows, ["ok"] * len(lows)) for name, lows in LOWS.items()]
    rows.append(("is that of INVALID frames", [0.7] * 10, ["ok"] * 3 + ["invalid"] * 4 + ["ok"] * 3))
    for policy, rule in POLICIES.items():
        for name, lows, states in rows:
            yield _case(f"quality by {policy}: it {name}", policy, rule, lows, states)


def _case(name: str, policy: str, rule: Rule, lows: Sequence[float], states: Sequence[str]) -> Case:
    score = Drive("3of5", k_of_n(3, 5), quality=QualityRule(policy, CLEAN_LOW, RANK, WORTH))
    watched = Drive(policy, rule, frames=len(CLEAN_LOW), effective=len(CLEAN_LOW) * WORTH)
    for i, (low, state) in enumerate(zip(lows, states, strict=True)):
        stamp = START + i * TENTH
        score.frame(stamp, state, 0.5, low=low)
        known = 0.0 if state == "invalid" or math.isnan(low) else low
        p = (1 + sum(clean <= known for clean in CLEAN_LOW)) / (len(CLEAN_LOW) + 1)
        watched.frame(stamp, "out_of_distribution" if known < SMALLEST else "ok", p)
    expected = tuple(
        own | {f"quality_{field}": its[field] for field in ("alarm", "onset", "since_ns", "statistic") if field in its}
        for own, its in zip(score.expected, watched.expected, strict=True)
    )
    return dataclasses.replace(score.case(name), expected=expected)
