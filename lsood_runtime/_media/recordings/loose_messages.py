# SPDX-License-Identifier: Apache-2.0
"""Places of messages in a file, held in little memory."""

from array import array
from collections.abc import Collection, Iterator

import numpy as np


class LooseMessages:
    """Topic's number, time of recording and place of messages, in 18 bytes each."""

    def __init__(self) -> None:
        self._numbers, self._times, self._places = array("I"), array("Q"), array("Q")

    def add(self, number: int, recorded_ns: int, place: int) -> None:
        """Add a message.

        Args:
            number: of its topic in the file.
            recorded_ns: its time of recording in nanoseconds, not negative.
            place: of it in the file.
        """
        self._numbers.append(number)
        self._times.append(recorded_ns)
        self._places.append(place)

    def numbers(self) -> set[int]:
        """The numbers of topics that have messages here."""
        return set(np.unique(np.asarray(self._numbers)).tolist())

    def in_order(self, numbers: Collection[int]) -> Iterator[tuple[int, int, int]]:
        """Number, time and place of the messages of some topics by time; those of one time in the order they came in."""
        which = np.flatnonzero(np.isin(np.asarray(self._numbers), list(numbers)))
        times = np.asarray(self._times)[which]
        for i in which[np.argsort(times, kind="stable")].tolist():
            yield self._numbers[i], self._times[i], self._places[i]
