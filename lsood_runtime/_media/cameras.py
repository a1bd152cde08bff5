# SPDX-License-Identifier: Apache-2.0
"""Read the frames of a camera of this machine; OpenCV is imported when one is read."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._text.counted import counted

_WAIT_S = 1.0
_Answer: TypeAlias = "tuple[int, bool, Any] | BaseException"


def read_camera(number: int, channels: str, on_wait: Callable[[], None]) -> Iterator[SourceFrame]:
    """Read frames as they come, each stamped with the time at which it came, until the camera fails.

    Args:
        number: of the camera, from 0.
        channels: ``rgb`` or ``bgr``, the order to give.
        on_wait: called about once a second while the camera sends nothing, in the thread that iterates.

    Raises:
        MediaError: there is no such camera, or it failed; the message names it.
    """
    try:
        import cv2
    except ImportError as error:
        raise missing_extra(f"reading camera:{number}", "media") from error
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong is said once, and by us
    try:
        capture = cv2.VideoCapture(number)
    finally:
        cv2.utils.logging.setLogLevel(level)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the latest frame, not the oldest that waits
    if not capture.isOpened():
        capture.release()
        raise MediaError(f"expected a camera at camera:{number}, found none: see /dev/video*")
    grabber = _Grabber(capture)
    try:
        for i in count():
            try:
                stamp_ns, grabbed, image = grabber.grab(on_wait)
            except cv2.error as error:
                raise MediaError(
                    f"camera:{number} failed after {counted(i, 'frame')}: {error}; check its driver"
                ) from error
            if not grabbed:
                raise MediaError(
                    f"camera:{number} gave no frame after {counted(i, 'frame')}: check its cable and driver"
                )
            frame = np.asarray(image, np.uint8)
            turned = frame if channels == "bgr" else frame[..., ::-1]
            yield SourceFrame(f"camera:{number}#{i:06d}", f"camera:{number}", stamp_ns, turned)
    finally:
        grabber.close()


class _Grabber:
    """Reads a capture in a thread of its own, a frame each time that it is asked: a driver that hangs stops nobody else."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture
        self._requests: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="lsood-camera", daemon=True).start()

    def grab(self, on_wait: Callable[[], None]) -> tuple[int, bool, Any]:
        """Time at which the next frame came, whether one came, and the frame, BGR."""
        self._requests.put(True)
        while True:
            try:
                answer = self._answers.get(timeout=_WAIT_S)
            except queue.Empty:
                on_wait()
                continue
            if isinstance(answer, BaseException):
                raise answer
            return answer

    def close(self) -> None:
        """Release the capture, once the driver gives the thread back."""
        self._requests.put(False)

    def _work(self) -> None:
        while self._requests.get():
            try:
                grabbed, image = self._capture.read()
                self._answers.put((time.time_ns(), bool(grabbed), image))
            except Exception as error:  # it belongs to the thread that asked
                self._answers.put(error)
        self._capture.release()
