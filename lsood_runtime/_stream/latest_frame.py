# SPDX-License-Identifier: Apache-2.0
"""Score the latest frame of a camera that is faster than the monitor, and count the frames that were dropped."""

import logging
import os
import threading
import time
from collections import OrderedDict
from types import TracebackType
from typing import NoReturn, Self, SupportsIndex

import numpy as np

from lsood_runtime._arguments import check_type
from lsood_runtime._exceptions import ClosedError, one_line
from lsood_runtime._inference.forks import guard_forks
from lsood_runtime._inference.stamps import integer_stamp
from lsood_runtime._stream.camera_names import check_camera
from lsood_runtime._stream.stream import Stream

_LOG = logging.getLogger("lsood_runtime")


class LatestFrameWorker:
    """Scores frames in a thread of its own; a frame that still waits when its camera sends another is dropped.

    Results come by the stream's ``on_result``, in that thread. Latency and deadline count from :meth:`submit`. Whatever goes
    wrong there, or is raised by ``on_result``, SystemExit and KeyboardInterrupt too, stops the worker, is logged, and is
    raised by the next :meth:`submit` or :meth:`close`.

    Args:
        stream: that takes the frames; leave it to this worker alone.

    Raises:
        TypeError: no stream.

    Example:
        >>> with LatestFrameWorker(monitor.stream(KOfN(3, 5), on_result=publish)) as worker:  # doctest: +SKIP
        ...     worker.submit(frame, stamp_ns=stamp)
    """

    def __init__(self, stream: Stream) -> None:
        check_type(stream, Stream, "a Stream", "pass monitor.stream(policy)")
        self._stream = stream
        self._waiting: OrderedDict[str, tuple[float, object, int]] = OrderedDict()
        self._changed = threading.Condition()
        self._process = os.getpid()
        self._closing, self._dropped = False, 0
        self._error: BaseException | None = None
        self._ended_by = "this one was closed"
        self._thread = threading.Thread(target=self._work, name="lsood-latest-frame", daemon=True)
        guard_forks(self)
        self._thread.start()

    def submit(self, frame: object, *, stamp_ns: SupportsIndex | None = None, camera: str = "camera") -> bool:
        """Hand over a frame and return at once; numpy arrays are copied, so that a driver may reuse their memory.

        Returns:
            Whether no waiting frame of this camera was dropped for it.

        Raises:
            TypeError: the stamp is no integer, or the name no text.
            ClosedError: the worker was closed, or has stopped, or is that of the process that forked this one.
            LsoodError: what went wrong with an earlier frame, or what ``on_result`` raised; the worker has stopped.
        """
        stamp = time.time_ns() if stamp_ns is None else integer_stamp(stamp_ns)
        check_camera(camera)
        self._check_process()
        own = frame.copy() if isinstance(frame, np.ndarray) else frame
        entry = time.perf_counter(), own, stamp
        with self._changed:
            self._raise_error()
            if self._closing:
                raise ClosedError(f"expected an open worker, {self._ended_by}: make a new LatestFrameWorker")
            dropped = camera in self._waiting
            self._dropped += dropped
            self._waiting[camera] = entry  # a camera keeps its place in the queue: no other can starve it
            self._changed.notify_all()
        return not dropped

    @property
    def dropped(self) -> int:
        """Frames that were never scored because a later one came."""
        with self._changed:
            return self._dropped

    def close(self) -> None:
        """Score what still waits and stop; closing again does nothing, nor does it in a forked process.

        Raises:
            RuntimeError: called by ``on_result``, in the worker's own thread, which cannot wait for itself.
            LsoodError: as for :meth:`submit`.
        """
        if self._process != os.getpid():
            return
        if self._thread is threading.current_thread():
            raise RuntimeError(
                "expected close in another thread than the worker's own, got it inside on_result, where the worker would "
                "wait for itself: let on_result return, and close where frames are submitted"
            )
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._raise_error()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                camera, (start, frame, stamp_ns) = self._waiting.popitem(last=False)
            try:
                self._stream.assess_since(start, frame, stamp_ns=stamp_ns, camera=camera)
            except BaseException as error:  # whatever it is, it belongs to the caller, who is in another thread
                words = one_line(f"{type(error).__name__}: {error}".removesuffix(": "))
                with self._changed:
                    self._error, self._closing = error, True
                    self._ended_by = f"this one stopped at a frame of {camera} by {words}"
                    self._waiting.clear()
                _LOG.error("the worker stopped at a frame of %s by %s: submit and close raise it", camera, words)
                return

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise ClosedError(
                "expected a worker of this process, this one was inherited by a fork, where its thread is missing: "
                "make a new LatestFrameWorker"
            )

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def leave_to_parent(self) -> object:
        """Let go of what waits in a forked process, and of a lock that the parent's threads may hold there."""
        waiting, self._waiting = self._waiting, OrderedDict()
        self._changed, self._closing, self._error = threading.Condition(), True, None
        return waiting

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: its thread belongs to one process."""
        raise TypeError(
            "expected a worker to stay where it was made, got a copy or a pickle of it: pickle the monitor, and make a new "
            "LatestFrameWorker of its stream in the other process"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
