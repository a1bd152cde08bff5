# SPDX-License-Identifier: Apache-2.0
"""Tell once, early in a long loop, how many minutes it will take: by its first items."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from export.reporter import Reporter

T = TypeVar("T")

_FIRST, _WORTH_TELLING_S = 20, 60.0


def telling_time_left(items: Iterable[T], what: str, total: int, reporter: Reporter) -> Iterator[T]:
    """Give the items one by one, and tell what is left of the time after the first twenty, where that is a minute or more.

    Args:
        items: over which the caller loops.
        what: they are for, in a few words.
        total: how many there are.
        reporter: told it.
    """
    start = time.monotonic()
    for done, item in enumerate(items):
        if done == _FIRST:
            left_s = (time.monotonic() - start) / done * (total - done)
            if left_s >= _WORTH_TELLING_S:
                reporter.stage(f"about {round(left_s / 60)} min left for {what}, by the first {done} passes")
        yield item
