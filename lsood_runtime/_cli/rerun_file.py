# SPDX-License-Identifier: Apache-2.0
"""Write a drive as a recording for the rerun viewer; rerun is imported when a file is opened."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment
from lsood_runtime._exceptions import MediaError, missing_extra


class RerunFile:
    """Frames, class maps, scores and alarms on the timeline ``stamp``.

    Args:
        path: of the recording, ``.rrd``; ``rerun PATH`` shows it.
        threshold: drawn beside the scores.

    Raises:
        MediaError: rerun is missing, or nothing can be written there.
    """

    def __init__(self, path: Path, threshold: float) -> None:
        try:
            import rerun
        except ImportError as error:
            raise missing_extra("writing for the rerun viewer", "rerun") from error
        self._rerun, self._threshold = rerun, threshold
        self._recording: Any = rerun.RecordingStream("lsood")
        try:
            self._recording.save(path)
        except Exception as error:  # rerun raises what its Rust side makes of it
            raise MediaError(f"cannot write {path}: {error}; choose another file") from error

    def add(self, camera: str, image: NDArray[np.uint8], verdict: Assessment, onset: bool) -> None:
        """Add a frame, RGB."""
        rerun, recording, where = self._rerun, self._recording, camera.strip("/")
        recording.set_time("stamp", timestamp=np.datetime64(verdict.stamp_ns, "ns"))
        recording.log(f"{where}/image", rerun.Image(image).compress(jpeg_quality=85))
        if verdict.segmentation is not None and verdict.segmentation.ndim == 2:
            recording.log(f"{where}/segmentation", rerun.SegmentationImage(verdict.segmentation))
        if np.isfinite(verdict.score):
            recording.log(f"{where}/score", rerun.Scalars(verdict.score))
        recording.log(f"{where}/threshold", rerun.Scalars(self._threshold))
        if onset or verdict.reason:
            level = "ERROR" if onset else "WARN"
            recording.log(f"{where}/log", rerun.TextLog(f"ALARM {verdict}" if onset else str(verdict), level=level))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recording.flush()
        self._recording.disconnect()
