# SPDX-License-Identifier: Apache-2.0
"""Random drives: frames by clocks that jump, stand still and overlap, of every state, with pictures that come again."""

import math
import random

from tests.cases.stream_events import Case, Event, Picture, QualityRule, completed

SECOND = 10**9
EPOCH, LATEST = 1_700_000_000 * SECOND, 2**63 - 1
POLICIES = (
    *("1of1", "3of5", "8of12", "40of64", "hysteresis:0.05:0.2", "hysteresis:0.1:0.4", "duration:0", "duration:0.5"),
    *("duration:2", "cusum:0.003h@10", "cusum:0.1h@10", "cusum:1h@30"),
)
PICTURES: tuple[Picture, ...] = (
    *((1, 8, 1, 0), (1, 8, 1, 1), (40, 32, 1, 5), (40, 32, 1, 5, 1, 1, 1, 1, 9), (40, 32, 1, 6), (8, 5, 3, 2)),
    *((3, 2, 1, 1), (70, 64, 1, 8), (40, 32, 1, -1)),
)


def random_drive(rng: random.Random) -> Case:
    """A stream of up to two cameras, and up to 40 events."""
    frames = rng.choice([40, 99, 400])
    tiles = (rng.choice([1, 2, 4]), rng.choice([1, 2, 4]), rng.choice([0.25, 0.5, 1.0]), rng.choice([1, 2, 3]))
    checked = tiles if rng.random() < 0.3 else None
    quality = None
    if rng.random() < 0.4:
        lows = tuple(sorted(round(rng.random(), 2) for _ in range(rng.choice([20, 60]))))
        rule = rng.choice(["3of5", "hysteresis:0.05:0.3", "duration:0.3", "cusum:0.01h@10"])
        quality = QualityRule(rule, lows, rng.choice([0, 1, 3]), rng.choice([1.0, 0.3]))
    return Case(
        "random",
        rng.choice(POLICIES),
        completed(_events(rng, frames, checked)),
        frames=frames,
        effective=frames / rng.choice([1, 1, 3, 8]),
        frozen_after_s=rng.choice([None, 0.2, 0.5, 1.0]),
        tolerance=rng.choice([0.0, 1 / 32, 0.1, 0.5]),
        max_cameras=rng.choice([1, 2, 1000]),
        tiles=checked,
        quality=quality,
    )


def _events(rng: random.Random, frames: int, tiles: tuple[int, int, float, int] | None) -> list[Event]:
    events = []
    stamp, step = rng.choice([0, 100 * SECOND, EPOCH]), rng.choice([SECOND // 10, SECOND // 30, SECOND // 2])
    still = rng.choice(PICTURES) if rng.random() < 0.3 else None
    for _ in range(rng.randint(3, 40)):
        camera = rng.choice(["front", "front", "front", "rear"])
        stamp = min(max(0, stamp + _jump(rng, step)), LATEST)
        match rng.choices(["frame", "silent", "ask", "forget", "summary"], [92, 3, 2, 1, 2])[0]:
            case "frame":
                events.append(_frame(rng, camera, stamp, frames, tiles, still))
            case do:
                now = rng.choice([None, stamp, min(stamp + 2 * SECOND, LATEST)])
                events.append(Event(do, camera, now, age_s=rng.choice([0.0, 0.35, 1.0]), expected=("front", "left")))
    return events


def _jump(rng: random.Random, step: int) -> int:
    draw = rng.random()
    if draw < 0.8:
        return step
    if draw < 0.9:
        return rng.choice([0, 0, -step, -SECOND // 2, -SECOND, -SECOND - 1, 3 * step])
    return rng.choice([-5 * SECOND, 20 * SECOND, 3600 * SECOND, -3600 * SECOND, 5 * step, 5 * step + 1])


def _frame(
    rng: random.Random,
    camera: str,
    stamp: int,
    frames: int,
    tiles: tuple[int, int, float, int] | None,
    still: Picture | None,
) -> Event:
    state = rng.choice(["ok", "ok", "late", "low_quality", "out_of_distribution", "out_of_distribution", "invalid"])
    given: int | None = stamp
    if (draw := rng.random()) < 0.15:
        others = [None, 0, -rng.randint(1, 10**12), rng.randint(0, LATEST), max(0, stamp - 7 * SECOND)]
        given = others[int(draw / 0.03)]
    unknown = state == "invalid" and rng.random() < 0.5
    picture = rng.choice([(), *PICTURES]) if rng.random() < 0.5 else ()
    if still is not None and rng.random() < 0.9:
        picture = still
    blank = None
    if tiles is not None and rng.random() < 0.5:
        blank = "".join(rng.choice("01") for _ in range(tiles[0] * tiles[1]))
    return Event(
        camera=camera,
        stamp_ns=given,
        state=state,
        p=math.nan if unknown else rng.choice([1 / (frames + 1), 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]),
        low=rng.choice([math.nan, 0.1, 0.5, 0.9, round(rng.random(), 2)]),
        blank=blank,
        picture=None if rng.random() < 0.02 else picture,
    )
