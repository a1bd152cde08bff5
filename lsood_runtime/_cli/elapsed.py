# SPDX-License-Identifier: Apache-2.0
"""Write and draw the time of a drive: from its first frame, with long stretches without any frame cut out."""

import copy
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_LONG_S, _STEPS, _CUT_SHARE, _MOST_TICKS = 10.0, 20, 0.03, 12
_LETTERS = 100  # of all ticks' texts together, that an axis has room for
_NICE_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_DATED_NS = 10**17  # stamps below, three years, count from the start of something; from there on they have a date


def elapsed(seconds: float, decimals: int = 0) -> str:
    """Write a time as ``m:ss``, from one hour on ``h:mm:ss``, from 100 hours on in days too, with so many decimals."""
    units = round(abs(seconds) * 10**decimals)
    whole, fraction = divmod(units, 10**decimals)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24) if hours >= 100 else (0, hours)
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours or days else f"{minutes}:{rest:02d}"
    sign, date = "-" if seconds < 0 else "", f"{days} d " if days else ""
    return sign + date + text + (f".{fraction:0{decimals}d}" if decimals else "")


def is_dated(stamp_ns: int) -> bool:
    """Whether a stamp is a date: images and videos count from 0, recordings from 1970."""
    return _DATED_NS <= stamp_ns < 2**63


def describe_start(stamp_ns: int) -> str:
    """Say when the first frame was, where its stamp is a date; empty where it is none."""
    if not is_dated(stamp_ns):
        return ""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=stamp_ns // 1000):%Y-%m-%d %H:%M:%S} UTC"


class DriveTime:
    """Maps stamps to places on an axis, in seconds from the first one.

    Two drives a day apart, or one stamp of another century, would leave nothing to see of the frames: a time without any
    frame that is longer than all frames together is drawn as a narrow cut.

    Args:
        stamps_ns: of all cameras, in any order, at least one.

    Attributes:
        first_ns: the earliest stamp.
        cuts: first and last place of each time that is cut out.
        end: place of the last stamp.
    """

    def __init__(self, stamps_ns: Iterable[int]) -> None:
        stamps = sorted(stamps_ns)
        self.first_ns = stamps[0]
        seconds = np.array([(stamp - self.first_ns) / 1e9 for stamp in stamps])
        steps = np.diff(seconds)
        usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
        empty = steps > max(_LONG_S, _STEPS * usual)
        covered = float(steps[~empty].sum())
        cut = np.flatnonzero(empty & (steps > covered))
        width = max(_CUT_SHARE * (covered + float(steps[empty].sum() - steps[cut].sum())), usual, 1e-9)
        drawn = steps.copy()
        drawn[cut] = width
        self._seconds = seconds
        self._places = np.concatenate([[0.0], np.cumsum(drawn)])
        self.cuts = [(float(self._places[i]), float(self._places[i + 1])) for i in cut]
        self.end = float(self._places[-1])
        borders: list[int] = [0, *(cut + 1).tolist(), len(seconds)]
        self._sections = [(float(seconds[a]), float(seconds[b - 1])) for a, b in pairwise(borders)]

    def place(self, stamps_ns: Sequence[int]) -> NDArray[np.float64]:
        """Places of stamps between the first and the last."""
        seconds = [(stamp - self.first_ns) / 1e9 for stamp in stamps_ns]
        places: NDArray[np.float64] = np.interp(seconds, self._seconds, self._places)
        return places

    def starting(self, first_ns: int) -> "DriveTime":
        """The same axis for stamps of another clock, whose first is drawn where the axis begins."""
        other = copy.copy(self)
        other.first_ns = first_ns
        return other

    def ticks(self) -> tuple[list[float], list[str]]:
        """Places of round times, and of the first frame after each cut, with their texts, which do not overlap."""
        span = sum(end - start for start, end in self._sections)
        most = max(1, _LETTERS // len(elapsed(float(self._seconds[-1]))))
        times, decimals = self._round_times(*_tick_step(span, min(most, _MOST_TICKS)))
        places = np.interp(times, self._seconds, self._places)
        texts = [elapsed(time, decimals) for time in times]
        starts = {float(start) for start, _ in self._sections[1:]}
        kept: list[int] = []
        letter = self.end / (_LETTERS + 2 * _MOST_TICKS)
        for i in sorted(range(len(times)), key=lambda i: (times[i] not in starts, times[i])):
            halves = [(len(texts[i]) + len(texts[j])) / 2 for j in kept]
            if all(abs(places[i] - places[j]) >= letter * (half + 2) for j, half in zip(kept, halves, strict=True)):
                kept.append(i)
        kept.sort()
        return [float(places[i]) for i in kept], [texts[i] for i in kept]

    def _round_times(self, step: float, decimals: int) -> tuple[list[float], int]:
        times: list[float] = []
        for i, (start, end) in enumerate(self._sections):
            first = int(np.ceil(start / step))
            rounds = [step * n for n in range(first, int(end / step + 1e-9) + 1)]
            apart = [time for time in rounds if time - start > step / 2]
            times += [start, *apart] if i else rounds
        return times, decimals


def _tick_step(span_s: float, most: int) -> tuple[float, int]:
    """Seconds between ticks, and the decimals to write them with."""
    for decimals in (6, 3, 2, 1):
        for digit in (1, 2, 5):
            step = digit / 10**decimals
            if span_s / step <= most:
                return step, decimals
    for whole in _NICE_S:
        if span_s / whole <= most:
            return whole, 0
    return 86400.0 * int(np.ceil(span_s / 86400 / most)), 0
