# SPDX-License-Identifier: Apache-2.0
"""Frames and summaries drawn at random from a seed, with every state, answer and history."""

import math
import random
from collections.abc import Sequence
from datetime import date

from hypothesis import strategies as st

from lsood_runtime import DailySummary, History, State, SummaryCounts
from lsood_runtime._fleet.frame_facts import FrameFacts

DAY = date(2026, 11, 23)
START_NS = 1_795_392_000_000_000_000
"""Midnight of that day, in UTC."""


def drawn_frame(rng: random.Random) -> FrameFacts:
    """A frame of the camera ``front`` on :data:`DAY`; p-values and qualities often lie on the edge of a bin."""
    followed, alarm = rng.random() < 0.7, rng.random() < 0.5
    share = rng.choice([rng.randint(1, 20) / 20, rng.randint(1, 1000) / 1000, 1 - rng.random()])
    return FrameFacts(
        camera="front",
        stamp_ns=START_NS + rng.randint(0, 50),
        threshold=1.5,
        state=rng.choice(list(State)),
        is_late=rng.random() < 0.5,
        p_value=share,
        quality=rng.choice([None, math.nan, 0.0, 1 - share, share]),
        cause=rng.choice([None, "none", "fog", "mud", "unknown"]),
        objects=rng.choice([None, -1, 0, 1, 7]),
        followed=followed,
        alarm=followed and alarm,
        onset=followed and alarm and rng.random() < 0.3,
        since_ns=START_NS + rng.choice([-3, 0, 20]) if followed and alarm else None,
        quality_onset=followed and rng.random() < 0.1,
        history=rng.choice(list(History)) if followed else None,
    )


def drawn_frames(seed: int, count: int) -> list[FrameFacts]:
    """So many frames."""
    rng = random.Random(seed)
    return [drawn_frame(rng) for _ in range(count)]


FRAMES = st.builds(drawn_frames, st.integers(0, 10**9), st.integers(0, 30))


def summary_of(frames: Sequence[FrameFacts], vehicle: str = "car", camera: str = "front") -> DailySummary:
    """The summary of frames, one after the other."""
    summary = DailySummary(vehicle, camera, DAY, "a" * 64, 1.5, SummaryCounts())
    for frame in frames:
        summary.counts.add(frame)
    return summary
