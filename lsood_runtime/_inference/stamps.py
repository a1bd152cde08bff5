# SPDX-License-Identifier: Apache-2.0
"""Take the stamp of a frame as a driver gives it."""

import operator
import time
from typing import SupportsIndex, TypeAlias

Stamp: TypeAlias = tuple[int, str | None]
"""Nanoseconds, and why the given stamp was not used; None where it was, or where none was given."""

_LARGEST = 2**63 - 1


def received_stamp(stamp_ns: SupportsIndex | None) -> Stamp:
    """Make a stamp a Python integer, and the time of receipt where there is none or one that no clock gives.

    Args:
        stamp_ns: nanoseconds, any integer (numpy's too) from 0 to 2**63 - 1; None where the frame has no stamp.

    Raises:
        TypeError: it is no integer, such as seconds as a float.
    """
    if stamp_ns is None:
        return time.time_ns(), None
    try:
        stamp = operator.index(stamp_ns)
    except TypeError as error:
        raise TypeError(
            f"expected stamp_ns as an integer of nanoseconds, got {stamp_ns!r} of type {type(stamp_ns).__name__}: "
            "multiply seconds by 10**9 and round"
        ) from error
    if 0 <= stamp <= _LARGEST:
        return stamp, None
    return time.time_ns(), f"expected a stamp from 0 to 2**63 - 1 ns, got {stamp}: the clock of the camera is wrong"
