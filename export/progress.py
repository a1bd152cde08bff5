# SPDX-License-Identifier: Apache-2.0
"""Report how far a loop over frames has come."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Wraps a loop."""

    def __call__(self, items: Iterable[T], what: str, total: int, /) -> Iterable[T]:
        """The items, one by one.

        Args:
            items: over frames, most often.
            what: is done with them.
            total: how many there are.
        """


def without_progress(items: Iterable[T], _: str, __: int) -> Iterable[T]:
    """A loop that tells nobody."""
    return items
