# SPDX-License-Identifier: Apache-2.0
"""Find the remedy for a frame of a wrong form, by the usual mistakes."""

import numpy as np
from numpy.typing import NDArray

_GREY = (
    "This looks like a grey image: the network was trained on colour, pass the camera's colour image, or open the monitor "
    "with channels='grey'."
)


def array_hint(frame: NDArray[np.generic], shape: tuple[int, int, int]) -> str:
    """Remedy for an array that is no frame of ``shape``, which is rows, columns and 3."""
    height, width, _ = shape
    if frame.ndim == 4:
        return "This looks like a batch: pass one frame at a time."
    if frame.ndim == 2:
        return _GREY
    if frame.ndim != 3:
        return "Pass the camera's image as rows, columns and channels."
    first_is_channels = frame.shape[0] == 3 and frame.shape[2] != 3
    if np.issubdtype(frame.dtype, np.floating):
        lowest, highest = (
            of.reduce(frame, axis=None, initial=np.nan) for of in (np.fmin, np.fmax)
        )  # no warning of NaN
        in_unit_range = bool(lowest >= 0 and highest <= 1)
        kind = "a channels-first tensor" if first_is_channels else "a frame"
        values = "in [0, 1]" if in_unit_range else "that was scaled or normalised"
        return f"This looks like {kind} {values}: pass the camera's own uint8 image."
    if frame.dtype != np.uint8:
        return "Pass the camera's own 8-bit image; the graph scales and normalises."
    if first_is_channels:
        return "This looks like a channels-first frame: pass frame.transpose(1, 2, 0)."
    if frame.shape[2] == 4:
        return (
            "This looks like an image with an alpha channel: pass frame[..., :3], or open the monitor with "
            "channels='rgba' or 'bgra'."
        )
    if frame.shape[2] == 1:
        return _GREY
    if frame.shape == (width, height, 3):
        return "Rows and columns look swapped: pass frame.transpose(1, 0, 2), or turn the camera's image."
    return (
        f"This monitor was calibrated for images {width} wide and {height} high: "
        "pass the camera's image as it was at calibration, or export a bundle for this size."
    )


def batch_hint(frames: NDArray[np.generic], shape: tuple[int, int, int]) -> str:
    """Remedy for an array that is no batch of frames of ``shape``, which is rows, columns and 3."""
    if frames.ndim == 3:
        single = "" if frames.shape == shape and frames.dtype == np.uint8 else f" {array_hint(frames, shape)}"
        return f"This looks like one frame: pass frame[None], or score it by itself.{single}"
    return array_hint(frames[0], shape) if frames.ndim == 4 and len(frames) else "Stack the frames of all cameras."


def object_hint(frame: object) -> str:
    """Remedy for an object that is no array."""
    if isinstance(frame, str | bytes):
        return "Read the file first; `lsood score` does that."
    return "Pass a numpy array; numpy.asarray(image) makes one of an image."


def batch_object_hint(frames: object) -> str:
    """Remedy for an object that is no batch of frames."""
    if isinstance(frames, str | bytes):
        return object_hint(frames)
    if hasattr(frames, "__iter__"):
        return (
            f"A batch is an array or a list: pass list(frames), which reads every frame of the {type(frames).__name__}."
        )
    return "Pass the frames in one array, or in a list."
