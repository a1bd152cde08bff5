# SPDX-License-Identifier: Apache-2.0
"""A camera frame of a source: an image, or the reason why it could not be read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._text.printable import printable


@dataclass(frozen=True, slots=True, eq=False)
class SourceFrame:
    """A frame with its name, its camera, and its stamp in nanoseconds; its texts can be written to any file.

    Attributes:
        name: path of its file, in a video or a recording with ``#`` and the frame's number from 0.
        camera: that sent it.
        stamp_ns: of the frame; where it could not be read, of the place where it should have been.
        image: ``(H, W, 3)`` uint8; None where it could not be read.
        fault: why it could not be read, in one sentence; empty where it was.
    """

    name: str
    camera: str
    stamp_ns: int
    image: NDArray[np.uint8] | None
    fault: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "camera", printable(self.camera))
        object.__setattr__(self, "fault", printable(self.fault))
