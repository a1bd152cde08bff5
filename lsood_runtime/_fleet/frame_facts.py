# SPDX-License-Identifier: Apache-2.0
"""What a daily summary counts of a frame, from an assessment in the process or from a row that was written of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self, TypeVar

from lsood_runtime._arguments import shown
from lsood_runtime._assessment import Assessment, State
from lsood_runtime._stream.history import History
from lsood_runtime._stream.stream_assessment import StreamAssessment

_Name = TypeVar("_Name", bound=StrEnum)

_CAMERA = "camera"
ROW_COLUMNS = frozenset(
    [
        "camera",
        "stamp_ns",
        "threshold",
        "state",
        "is_late",
        "p_value",
        "quality_measure",
        "expected_quality",
        "cause",
        "object_words",
        "object_count",
        "alarm",
        "onset",
        "since_ns",
        "quality_onset",
        "history",
    ]
)
"""Columns of a row that facts are read from."""

_TRUTH = {"True": True, "False": False, True: True, False: False}


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """What counts of one frame.

    Attributes:
        camera: that sent it.
        stamp_ns: of the frame, nanoseconds on the clock of the camera.
        threshold: of the score.
        state: of the frame.
        is_late: whether the verdict came after the deadline.
        p_value: of the score, in (0, 1]; NaN where the state is INVALID and there is none.
        quality: expected quality in [0, 1]; NaN where it is unknown, None where the bundle does not tell it.
        cause: of the degradation; None where the bundle does not tell it.
        objects: unknown objects in the frame; -1 where their number is unknown, None where the bundle tells none.
        followed: whether a stream followed the frame, so that the next five mean something.
        alarm: whether there is an alarm.
        onset: whether this frame raised it.
        since_ns: stamp of the frame that raised the alarm; None without one.
        quality_onset: whether this frame raised an alarm by the expected quality.
        history: how the frame continues the history of its camera; None where no stream followed it.
    """

    camera: str
    stamp_ns: int
    threshold: float
    state: State
    is_late: bool = False
    p_value: float = math.nan
    quality: float | None = None
    cause: str | None = None
    objects: int | None = None
    followed: bool = False
    alarm: bool = False
    onset: bool = False
    since_ns: int | None = None
    quality_onset: bool = False
    history: History | None = None

    @classmethod
    def of_assessment(cls, result: StreamAssessment | Assessment, camera: str = _CAMERA) -> Self:
        """The facts of an assessment; ``camera`` names that of one without a stream."""
        stream = result if isinstance(result, StreamAssessment) else None
        verdict = result.verdict if isinstance(result, StreamAssessment) else result
        unknown = -1 if verdict.object_count is None else verdict.object_count
        return cls(
            camera=camera if stream is None else stream.camera,
            stamp_ns=verdict.stamp_ns,
            threshold=verdict.threshold,
            state=verdict.state,
            is_late=verdict.is_late,
            p_value=verdict.p_value,
            quality=verdict.expected_quality,
            cause=verdict.cause,
            objects=unknown if verdict.object_words else None,
            followed=stream is not None,
            alarm=stream is not None and stream.alarm,
            onset=stream is not None and stream.onset,
            since_ns=None if stream is None else stream.since_ns,
            quality_onset=stream is not None and stream.quality is not None and stream.quality.onset,
            history=None if stream is None else stream.history,
        )

    @classmethod
    def of_row(cls, row: Mapping[str, object]) -> Self:
        """The facts of a row with the names of :meth:`Assessment.asdict` and :meth:`StreamAssessment.asdict`.

        Values are those of JSON, or text as CSV has it; None and empty text are no value.

        Raises:
            ValueError: a column is missing, or a value is none that the runtime writes; the message names the column.
        """
        told = {name: value for name, value in row.items() if value is not None and value != ""}
        followed = "alarm" in told
        quality = (
            _number(told, "expected_quality", least=0, most=1, default=math.nan) if "quality_measure" in told else None
        )
        objects = _integer(told, "object_count", default=-1) if "object_words" in told else None
        alarm = _flag(told, "alarm") if followed else False
        state = _named(State, told, "state")
        no_p_value = math.nan if state is State.INVALID else None
        return cls(
            camera=_text(told, "camera", _CAMERA),
            stamp_ns=_integer(told, "stamp_ns"),
            threshold=_number(told, "threshold"),
            state=state,
            is_late=_flag(told, "is_late"),
            p_value=_number(told, "p_value", least=0, most=1, default=no_p_value),
            quality=quality,
            cause=_text(told, "cause") if "cause" in told else None,
            objects=objects,
            followed=followed,
            alarm=alarm,
            onset=_flag(told, "onset") if followed else False,
            since_ns=_integer(told, "since_ns") if alarm else None,
            quality_onset=_flag(told, "quality_onset") if "quality_onset" in told else False,
            history=_named(History, told, "history") if followed else None,
        )


def _value(row: Mapping[str, object], name: str) -> object:
    if name not in row:
        raise ValueError(f"expected a value of {name}, got none")
    return row[name]


def _number(
    row: Mapping[str, object], name: str, *, least: float = -math.inf, most: float = 1e308, default: float | None = None
) -> float:
    if default is not None and name not in row:
        return default
    value = _value(row, name)
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not least <= number <= most:
        kind = f"a number from {least:g} to {most:g}" if most == 1 else "a finite number"
        raise ValueError(f"expected {kind} as {name}, got {shown(value)}")
    return number


def _integer(row: Mapping[str, object], name: str, *, default: int | None = None) -> int:
    if default is not None and name not in row:
        return default
    value = _value(row, name)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError
        whole = int(value)
        if not -(2**63) <= whole < 2**63:
            raise ValueError
    except ValueError as error:
        raise ValueError(f"expected a whole number as {name}, got {shown(value)}") from error
    return whole


def _text(row: Mapping[str, object], name: str, default: str = "") -> str:
    text = str(row.get(name, default))
    try:
        text.encode()
    except UnicodeEncodeError as error:  # a lone surrogate, which JSON can hold
        raise ValueError(f"expected text as {name}, got {shown(text)}") from error
    return text


def _flag(row: Mapping[str, object], name: str) -> bool:
    value = _value(row, name)
    if not isinstance(value, str | bool) or value not in _TRUTH:
        raise ValueError(f"expected True or False as {name}, got {shown(value)}")
    return _TRUTH[value]


def _named(names: type[_Name], row: Mapping[str, object], name: str) -> _Name:
    value = _value(row, name)
    if not isinstance(value, str) or value not in {each.value for each in names}:
        raise ValueError(f"expected {', '.join(each.value for each in names)} as {name}, got {shown(value)}")
    return names(value)
