# SPDX-License-Identifier: Apache-2.0
"""What measures a frame, and how many frames that are made one by one are measured: in this process, one after another."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from export.features.key import FeatureKey

MeasuredFrame = tuple[Mapping[FeatureKey, NDArray[np.floating]], NDArray[np.uint8] | None]
"""``(D,)`` of each feature, and the class map where there is one."""

Measure = Callable[[NDArray[np.uint8]], MeasuredFrame]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Spread(Protocol):
    """Does a piece of work for each item of a sequence, here or in other processes; results come in the items' order."""

    def __call__(
        self, work: Callable[[Measure, Item], Result], measure: Measure, /
    ) -> AbstractContextManager[Callable[[Sequence[Item], int], Iterator[Result]]]:
        """Begin.

        Args:
            work: makes the frames of an item, measures them, and gives what is wanted of them; it can be pickled, and depends
                on nothing but the item and the noise of its passes.
            measure: of this process.

        Returns:
            What runs the work, within the context: for a sequence of items, of which each takes so many passes.
        """


@contextmanager
def one_process(
    work: Callable[[Measure, Item], Result], measure: Measure
) -> Iterator[Callable[[Sequence[Item], int], Iterator[Result]]]:
    """Work in this process, item after item; the arguments are those of :class:`Spread`."""
    yield lambda items, _: (work(measure, item) for item in items)
