# SPDX-License-Identifier: Apache-2.0
"""Features of clean frames and of what was made of them, which answers are fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.features.key import FeatureKey


@dataclass(frozen=True, eq=False)
class DegradedRows:
    """N measured frames, clean and degraded.

    Attributes:
        values: ``(N, D)`` float32 of each feature.
        kind: ``(N,)`` str, of the degradation; ``none`` for clean frames.
        severity: ``(N,)`` int64, 1 to 5; 0 for clean frames.
        drive: ``(N,)`` str, of the clean frame.
        frame: ``(N,)`` int64, index of the clean frame among the calibration frames.
        quality: ``(N,)`` float64 in [0, 1]; None without a segmentation.
        measure: what the quality is of: ``miou`` with the frame's label, or ``agreement`` with the class map of the clean
            frame; None without a segmentation.
    """

    values: Mapping[FeatureKey, NDArray[np.float32]]
    kind: NDArray[np.str_]
    severity: NDArray[np.int64]
    drive: NDArray[np.str_]
    frame: NDArray[np.int64]
    quality: NDArray[np.float64] | None
    measure: str | None

    def chosen(self, some: NDArray[np.bool_] | NDArray[np.int64]) -> "DegradedRows":
        """Some of the rows, by a mask or by their places."""
        return DegradedRows(
            {key: numbers[some] for key, numbers in self.values.items()},
            self.kind[some],
            self.severity[some],
            self.drive[some],
            self.frame[some],
            None if self.quality is None else self.quality[some],
            self.measure,
        )

    def __len__(self) -> int:
        return len(self.kind)
