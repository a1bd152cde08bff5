# SPDX-License-Identifier: Apache-2.0
"""Degrade every frame of a data set by a seed of its own: the guide's out-of-distribution frames."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from export.anomalies import ANOMALIES, SEVERITIES, degrade
from export.data.dataset import LabelledFrames
from export.errors import UsageError

GUIDE_ANOMALIES = ("mud", "fog", "sun_flare")
"""Kinds that the guide draws from, with equal probability."""


class AnomalousFrames(Dataset[tuple[NDArray[np.uint8], NDArray[np.uint8]]]):
    """The frames of ``source``, each with one anomaly; labels are left as they are.

    Kind and pattern of frame ``i`` follow from ``(seed, stream, i)`` alone, so that every pass, order and number of
    workers sees the same frames. The reference draws from an unseeded generator and degrades the frame after resizing
    it; here the camera's frame is degraded and then resized as a clean one is.

    Args:
        source: clean frames with labels.
        kinds: keys of ``ANOMALIES``, drawn with equal chance.
        severity: 1, just visible, to 5, severe.
        seed: 0 or more.
        stream: 0 or more; sets of one seed differ in it, so that they do not repeat each other's anomalies.

    Raises:
        UsageError: no kind or an unknown one, or a severity, seed or stream out of its range.
    """

    def __init__(
        self,
        source: LabelledFrames,
        kinds: Sequence[str] = GUIDE_ANOMALIES,
        severity: int = 4,
        seed: int = 0,
        stream: int = 0,
    ) -> None:
        unknown = sorted(set(kinds) - set(ANOMALIES))
        if unknown or not kinds or isinstance(kinds, str):
            raise UsageError(
                f"expected a sequence of anomalies from {', '.join(ANOMALIES)}, got {kinds!r}: choose some"
            )
        if severity not in SEVERITIES:
            raise UsageError(f"expected a severity from 1 to 5, got {severity!r}: choose one of them")
        if min(seed, stream) < 0:
            raise UsageError(
                f"expected a seed and a stream of 0 or more, got {seed} and {stream}: pass non-negative integers"
            )
        self.source, self.kinds, self.severity, self.seed, self.stream = source, tuple(kinds), severity, seed, stream

    def __len__(self) -> int:
        return len(self.source)

    def draw(self, index: int) -> tuple[str, int]:
        """Kind of anomaly and seed of its pattern for frame ``index``."""
        rng = np.random.default_rng((self.seed, self.stream, index))
        return self.kinds[rng.integers(len(self.kinds))], int(rng.integers(2**31))

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Degraded frame ``(H, W, 3)`` uint8 RGB and its label ``(H, W)`` uint8."""
        frame, label = self.source[index]
        kind, seed = self.draw(index)
        return degrade(frame, kind, self.severity, seed), label
