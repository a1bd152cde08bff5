# SPDX-License-Identifier: Apache-2.0
"""Measure frames that are made one by one in several processes, to the same bits as in one."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.measured_folder import MeasuringOptions
from export.calibration.measuring import Item, Measure, MeasuredFrame, Result
from export.errors import UsageError

GraphsMeasure = Callable[[EvaluationGraphs, NDArray[np.uint8]], MeasuredFrame]
"""Measures a frame by the graphs of a bundle, in one pass; it can be pickled."""

_AHEAD = 3
"""Items of each process that are begun before the first result is taken: what waits to be taken stays small."""


@dataclass(frozen=True, eq=False)
class SeveralProcesses:
    """A :class:`~export.calibration.measuring.Spread` over processes that each load the bundle.

    The noise of each pass is that of its place among all passes, whichever process makes it.

    Attributes:
        options: what a process needs to load the bundle, and how many there are.
        graphs: of this process, whose noise goes on behind that of the items.
        measure: of the other processes.
    """

    options: MeasuringOptions
    graphs: EvaluationGraphs
    measure: GraphsMeasure

    @contextmanager
    def __call__(
        self, work: Callable[[Measure, Item], Result], _: Measure
    ) -> Iterator[Callable[[Sequence[Item], int], Iterator[Result]]]:
        """Start the processes, and end them behind the context.

        Raises:
            UsageError: one of them was killed.
        """
        options = self.options
        threads = options.threads or max((os.cpu_count() or 1) // options.workers, 1)
        given = (options, threads, self.measure, work)
        with ProcessPoolExecutor(options.workers, multiprocessing.get_context("spawn"), _set_up, given) as pool:
            try:
                yield partial(self._run, pool)
            except BrokenProcessPool as error:
                raise UsageError(
                    f"expected {options.workers} processes that measure to the end, one was killed, as where memory runs "
                    "out, or could not begin: type the same command with fewer --workers",
                    words=("--workers", str(options.workers // 2)),
                ) from error
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, pool: ProcessPoolExecutor, items: Sequence[Any], passes: int) -> Iterator[Any]:
        first = self.graphs.passes
        waiting: deque[Future[Any]] = deque()
        for place, item in enumerate(items):
            waiting.append(pool.submit(_do, first + place * passes, item))
            if len(waiting) == _AHEAD * self.options.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        self.graphs.skip(len(items) * passes)


_own: list[tuple[EvaluationGraphs, Callable[[Any], Any]]] = []
"""Graphs and work of a process that was started to measure."""


def _set_up(
    options: MeasuringOptions, threads: int, measure: GraphsMeasure, work: Callable[[Measure, Any], Any]
) -> None:
    graphs = EvaluationGraphs(options.bundle, threads, expected_sha256=options.manifest_sha256)
    _own.append((graphs, partial(work, partial(measure, graphs))))


def _do(first: int, item: Any) -> Any:
    ((graphs, work),) = _own
    graphs.skip(first - graphs.passes)
    return work(item)
