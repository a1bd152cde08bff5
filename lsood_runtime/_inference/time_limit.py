# SPDX-License-Identifier: Apache-2.0
"""End runs of ONNX Runtime that together take longer than a limit."""

import math
import threading
import time
from types import TracebackType
from typing import Self

import onnxruntime as ort


class TimeLimit:
    """Options for runs that end with an error of ONNX Runtime's once the time is over, at their next node.

    Args:
        seconds: from entering the context on; the runs under way are told to end then, and later ones at once.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.run_options = seconds, ort.RunOptions()
        self._end_s = math.inf
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    @property
    def is_over(self) -> bool:
        """Whether the time is over; the clock decides, since the thread that tells runs to end may come late."""
        return time.monotonic() >= self._end_s

    def __enter__(self) -> Self:
        self._end_s = time.monotonic() + self.seconds
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.run_options.terminate = True
