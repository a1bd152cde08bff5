# SPDX-License-Identifier: Apache-2.0
"""Cases of streams: what a case and an event hold, and the result that a stream gives for an event.

A case of ``streams.json`` is one object: a ``policy``, a ``calibration`` of so many frames that are worth so many independent
ones, ``options``, events, and what is expected of each.
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Picture: TypeAlias = tuple[int, ...]
"""``(height, width, channels, seed)`` and edits ``(row, column, height, width, seed)``; a seed below 0 paints one level."""

FIRST_EPOCH_NS, TENTH_NS = 1_700_000_000_000_000_000, 100_000_000


@dataclass(frozen=True)
class Event:
    """What happens to a stream.

    Attributes:
        do: ``frame``, ``silent`` (the camera is reported as such), ``ask`` (who is silent), ``forget``, ``summary``.
        camera: whose.
        stamp_ns: of the frame, or the time on its clock; None where none is given.
        state: of the frame alone.
        p: its p-value; NaN where its score is not finite.
        low: lower end of its expected quality; NaN where that is unknown.
        blank: its tiles without a picture, a digit each; None where they were not looked at.
        picture: its pixels; None where it never became an image, and no numbers for one that no other frame has.
        epoch_ns: time of receipt; None for a tenth of a second after that of the event before, and so is the next.
        steady_s: the same on a clock that is never set.
        age_s: largest age of a camera that is not silent.
        expected: cameras that should send.
    """

    do: str = "frame"
    camera: str = "camera"
    stamp_ns: int | None = None
    state: str = "ok"
    p: float = 0.5
    low: float = math.nan
    blank: str | None = None
    picture: Picture | None = ()
    epoch_ns: int | None = None
    steady_s: float | None = None
    age_s: float = 1.0
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class QualityRule:
    """The rule by which a stream watches the expected quality.

    Attributes:
        policy: as text.
        clean_low: lower ends of clean frames, ascending.
        rank: of the clean frame below whose lower end a frame counts as out of distribution does; 0 for none.
        worth: independent frames that a calibration frame is worth.
    """

    policy: str
    clean_low: tuple[float, ...]
    rank: int
    worth: float

    @property
    def smallest(self) -> float:
        """The smallest quality of a frame that does not count."""
        return self.clean_low[self.rank - 1] if self.rank else 0.0

    @property
    def rate(self) -> float:
        """Share of the clean frames that may count, by which each language finds that lower end."""
        return (self.rank + 0.5) / (len(self.clean_low) + 1)


@dataclass(frozen=True)
class Case:
    """A stream and what happens to it.

    Attributes:
        name: what it shows.
        policy: as text.
        frames: of the calibration.
        effective: independent frames that they are worth.
        frozen_after_s: None for never.
        tolerance: share of an image's tiles that may change.
        max_cameras: to remember.
        tiles: rows, columns, share and frames of the check of tiles; None for none.
        quality: None where it is not watched.
        events: one after another.
        expected: what the stream gives for each; empty where no table holds them.
    """

    name: str
    policy: str
    events: tuple[Event, ...]
    frames: int = 99
    effective: float = 99.0
    frozen_after_s: float | None = 1.0
    tolerance: float = 1 / 32
    max_cameras: int = 1000
    tiles: tuple[int, int, float, int] | None = None
    quality: QualityRule | None = None
    expected: tuple[dict[str, Any], ...] = field(default=())


def completed(events: Iterable[Event]) -> tuple[Event, ...]:
    """The events with their times of receipt, and each frame with its picture."""
    return tuple(
        dataclasses.replace(
            event,
            epoch_ns=FIRST_EPOCH_NS + i * TENTH_NS if event.epoch_ns is None else event.epoch_ns,
            steady_s=1.0 + i / 10 if event.steady_s is None else event.steady_s,
            picture=(1, 8, 1, 1000 + i) if event.picture == () else event.picture,
        )
        for i, event in enumerate(events)
    )


def case_of(values: dict[str, Any]) -> Case:
    """A case as the table has it: what is as by default is left out, and null stands for a number that is not known."""
    events = [_event_of(event) for event in values["events"]]
    quality = values.get("quality")
    return Case(
        **values
        | {"events": completed(events), "expected": tuple(values.get("expected", ()))}
        | ({"tiles": tuple(values["tiles"])} if values.get("tiles") else {})
        | ({"quality": QualityRule(**quality | {"clean_low": tuple(quality["clean_low"])})} if quality else {})
    )


def values_of(case: Case) -> dict[str, Any]:
    """The JSON values of a case, as :func:`case_of` takes them; its events are not completed yet."""
    values = _stated(case) | {"events": [_stated(event) for event in case.events], "expected": list(case.expected)}
    if case.quality is not None:
        values["quality"] = dataclasses.asdict(case.quality)
    return values


def _event_of(values: dict[str, Any]) -> Event:
    unknown = dict.fromkeys((name for name in ("p", "low") if values.get(name, 0) is None), math.nan)
    lists: dict[str, Any] = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Event(**values | unknown | lists)


def _stated(record: Case | Event) -> dict[str, Any]:
    """The fields that are not as by default."""
    values: dict[str, Any] = {}
    for each in dataclasses.fields(record):
        value = getattr(record, each.name)
        if value == each.default or (value != value and each.default != each.default):
            continue
        values[each.name] = None if value != value else value
    return values
