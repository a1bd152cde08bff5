# SPDX-License-Identifier: Apache-2.0
"""Sets of frames for an evaluation or a search: clean, or degraded when they are read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.anomalies import degrade
from export.frames.files import FrameFiles


@dataclass(frozen=True)
class FrameSource:
    """A named set of frames.

    Attributes:
        name: of the set.
        files: where the frames lie.
        indices: those of the files that belong to the set.
        kind: of degradation, a key of ``ANOMALIES``; None for clean frames.
        severity: of the degradation, 1 to 5; None without one.
        seed: of the degradation; each frame's pattern follows from it and the frame's index.
    """

    name: str
    files: FrameFiles
    indices: tuple[int, ...]
    kind: str | None = None
    severity: int | None = None
    seed: int = 0

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: int) -> NDArray[np.uint8]:
        """Frame ``indices[place]``, ``(H, W, 3)`` uint8 in the channel order of the files."""
        index = self.indices[place]
        frame = self.files[index]
        if self.kind is None or self.severity is None:
            return frame
        turned = slice(None, None, -1 if self.files.channels == "bgr" else 1)  # degradations are defined on RGB
        degraded = degrade(frame[..., turned], self.kind, self.severity, self.seed + index)
        return np.ascontiguousarray(degraded[..., turned])
