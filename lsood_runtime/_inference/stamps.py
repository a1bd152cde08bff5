# SPDX-License-Identifier: Apache-2.0
"""Take the stamp of a frame as a driver gives it."""

import math
import operator
import time
from collections.abc import Iterable
from typing import SupportsIndex, TypeAlias

from lsood_runtime._arguments import check_number, shown

Stamp: TypeAlias = tuple[int, str | None]
"""Nanoseconds, and why the given stamp was not used; None where it was, or where none was given."""

_LARGEST = 2**63 - 1


def received_stamp(stamp_ns: SupportsIndex | None) -> Stamp:
    """Make a stamp a Python integer, and the time of receipt where there is none or one that no clock gives.

    Args:
        stamp_ns: nanoseconds, any integer (numpy's too) from 0 to 2**63 - 1; None where the frame has no stamp.

    Raises:
        TypeError: it is no integer, such as seconds as a float, or a truth value.
    """
    if stamp_ns is None:
        return time.time_ns(), None
    stamp = integer_stamp(stamp_ns)
    if 0 <= stamp <= _LARGEST:
        return stamp, None
    return time.time_ns(), f"expected a stamp from 0 to 2**63 - 1 ns, got {stamp}: the clock of the camera is wrong"


def received_stamps(stamps_ns: Iterable[SupportsIndex | None] | None, count: int) -> list[Stamp]:
    """The stamps of a batch of ``count`` frames, each as :func:`received_stamp` takes it; None for a batch without any.

    Raises:
        TypeError: no stamps in a row, or one that is no integer.
        ValueError: another number of stamps than of frames.
    """
    if stamps_ns is None:
        return [received_stamp(None) for _ in range(count)]
    if isinstance(stamps_ns, str | bytes) or not hasattr(stamps_ns, "__iter__"):
        raise TypeError(f"expected {count} stamps in a list, one a frame, got {shown(stamps_ns)}: pass None for now")
    given = list(stamps_ns)
    if len(given) != count:
        raise ValueError(f"expected {count} stamps, one a frame, got {len(given)}: pass None where there is none")
    return [received_stamp(stamp_ns) for stamp_ns in given]


def start_time(start: float) -> float:
    """The time from which latency counts, as a Python float.

    Raises:
        TypeError: no number.
        ValueError: one that is not finite.
    """
    return check_number(start, "a start of time.perf_counter()", "call assess to count from now", math.isfinite)


def integer_stamp(stamp_ns: SupportsIndex) -> int:
    """Make a stamp a Python integer, whatever its value.

    Raises:
        TypeError: it is no integer, such as seconds as a float, or a truth value.
    """
    try:
        if isinstance(stamp_ns, bool):
            raise TypeError
        return operator.index(stamp_ns)
    except TypeError as error:
        raise TypeError(
            f"expected stamp_ns as an integer of nanoseconds, got {shown(stamp_ns)}: multiply seconds by 10**9 and round"
        ) from error


def time_on_clock(now_ns: SupportsIndex) -> int:
    """Make a time that the caller gives on the clock of the stamps a Python integer.

    Raises:
        TypeError: it is no integer.
        ValueError: no stamp can be equal to it.
    """
    now = integer_stamp(now_ns)
    if not 0 <= now <= _LARGEST:
        raise ValueError(f"expected now_ns from 0 to 2**63 - 1 ns, got {now}: pass the time on the clock of the stamps")
    return now
