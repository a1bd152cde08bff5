# SPDX-License-Identifier: Apache-2.0
"""Write a drive as a recording for the rerun viewer; rerun is imported when a file is opened."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment
from lsood_runtime._bundle.answers_records import MEASURES
from lsood_runtime._cli.camera_paths import CameraPaths
from lsood_runtime._exceptions import MediaError, missing_extra, reason_of
from lsood_runtime._maps.map_picture import BOX, MapPictures
from lsood_runtime._maps.objects import object_label
from lsood_runtime._partial_file import PartialFile

_NUMBERS = ("score", "threshold", "severity", "log", *(f"expected_{measure}" for measure in MEASURES))
_PICTURES = ("image", "image/unknown_objects", "segmentation", "anomaly_map", "unknown_objects")
_ENTITIES = tuple(f"/{name}" for name in (*_PICTURES, *_NUMBERS))


class RerunFile:
    """Frames, class and anomaly maps, scores, alarms on the timeline ``stamp``; it appears under its name on leaving, whole.

    What was logged is kept whatever ends the block; an older file stays where an exception comes before the first frame.

    Args:
        path: of the recording, ``.rrd``; ``rerun PATH`` shows it.
        threshold: drawn beside the scores.
        maps: draws the anomaly map over a frame; None where there is none.

    Raises:
        MediaError: rerun is missing, or nothing can be written there.
    """

    def __init__(self, path: Path, threshold: float, maps: MapPictures | None = None) -> None:
        try:
            import rerun
        except ImportError as error:
            raise missing_extra("writing for the rerun viewer", "rerun") from error
        self._rerun, self._threshold, self._path, self._maps, self._frames = rerun, threshold, path, maps, 0
        self._cameras = CameraPaths(_ENTITIES)
        try:
            self._partial = PartialFile(path)
        except OSError as error:
            raise MediaError(f"cannot write {path}: {reason_of(error)}; choose another file") from error
        self._recording: Any = rerun.RecordingStream("lsood")
        try:
            self._recording.save(self._partial.path)
        except Exception as error:  # rerun raises what its Rust side makes of it
            self._partial.discard()
            raise MediaError(f"cannot write {path}: {reason_of(error)}; choose another file") from error

    def add(self, camera: str, image: NDArray[np.uint8], verdict: Assessment, onset: bool) -> None:
        """Add a frame, RGB."""
        self._frames += 1
        rerun, recording, where = self._rerun, self._recording, self._cameras.of(camera)
        recording.set_time("stamp", timestamp=np.datetime64(verdict.stamp_ns, "ns"))
        recording.log(f"{where}/image", rerun.Image(image).compress(jpeg_quality=85))
        if verdict.segmentation is not None and verdict.segmentation.ndim == 2:
            recording.log(f"{where}/segmentation", rerun.SegmentationImage(verdict.segmentation))
        if self._maps is not None and verdict.anomaly_map is not None:
            drawn = self._maps.draw(image, verdict.anomaly_map, verdict.objects)
            recording.log(f"{where}/anomaly_map", rerun.Image(drawn).compress(jpeg_quality=85))
            if verdict.object_count is not None:
                recording.log(f"{where}/unknown_objects", rerun.Scalars(verdict.object_count))
            recording.log(f"{where}/image/unknown_objects", self._boxes(verdict))
        if np.isfinite(verdict.score):
            recording.log(f"{where}/score", rerun.Scalars(verdict.score))
        recording.log(f"{where}/threshold", rerun.Scalars(self._threshold))
        measured = verdict.quality_measure is not None
        numbers = {f"expected_{verdict.quality_measure}": verdict.expected_quality} if measured else {}
        for name, number in {**numbers, "severity": verdict.severity}.items():
            if number is not None and np.isfinite(number):
                recording.log(f"{where}/{name}", rerun.Scalars(number))
        if onset or verdict.reason:
            level = "ERROR" if onset else "WARN"
            recording.log(f"{where}/log", rerun.TextLog(f"ALARM {verdict}" if onset else str(verdict), level=level))

    def _boxes(self, verdict: Assessment) -> Any:
        """Boxes of the objects over the frame, which replace those of the frame before, also by none."""
        objects = verdict.objects
        return self._rerun.Boxes2D(
            mins=[(each.x, each.y) for each in objects],
            sizes=[(each.width, each.height) for each in objects],
            labels=[object_label(each) for each in objects],
            colors=[BOX] * len(objects),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._recording.flush()
        finally:
            self._recording.disconnect()
        if kind is not None and not self._frames:
            self._partial.discard()
            return
        try:
            self._partial.move_into_place()
        except OSError as failure:
            where = f"{reason_of(failure)}; what was logged is in {self._partial.path}"
            raise MediaError(f"cannot write {self._path}: {where}") from failure
