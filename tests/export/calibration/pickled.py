# SPDX-License-Identifier: Apache-2.0
"""Work on frames as other processes do it: with copies of all that is given, and copies of what comes back."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from export.calibration.measuring import Item, Measure, Result


@contextmanager
def pickled(
    work: Callable[[Measure, Item], Result], measure: Measure
) -> Iterator[Callable[[Sequence[Item], int], Iterator[Result]]]:
    """A :class:`~export.calibration.measuring.Spread` that works in this process, on copies."""

    def run(items: Sequence[Item], _: int) -> Iterator[Any]:
        for item in items:
            yield _copy(_copy(work)(measure, _copy(item)))

    yield run


def _copy(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))
