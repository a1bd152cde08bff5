# SPDX-License-Identifier: Apache-2.0
"""Features of clean frames and of what was made of them, degraded or patched, which answers are fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.features.key import FeatureKey

UNKNOWN_SEVERITY = -1
"""Of frames that a user has of a kind of degradation: they are of any."""

CHANGED_SEVERITY = -2
"""Of clean frames that were changed harmlessly in the first way, one less for each further way: to answers they are clean."""


@dataclass(frozen=True, eq=False)
class DegradedRows:
    """N measured frames, clean and degraded.

    Attributes:
        values: ``(N, D)`` float32 of each feature.
        kind: ``(N,)`` str, of the degradation; ``none`` for clean frames.
        severity: ``(N,)`` int64, 1 to 5; 0 for clean frames, -1 for those of a kind of a user's own, -2 and below for
            clean frames that were changed harmlessly, another number for each way.
        drive: ``(N,)`` str, of the clean frame; of a frame of a user's own kind its own.
        frame: ``(N,)`` int64, index of the clean frame among the calibration frames; frames of a user's own kinds follow.
        quality: ``(N,)`` float64 in [0, 1], NaN for frames of a user's own kinds; None without a segmentation.
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

    @property
    def own(self) -> NDArray[np.bool_]:
        """Whether each row is a frame of a kind of a user's own, ``(N,)``."""
        unknown: NDArray[np.bool_] = self.severity == UNKNOWN_SEVERITY
        return unknown

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Whether each row is a clean frame that was changed harmlessly, ``(N,)``."""
        changed: NDArray[np.bool_] = self.severity <= CHANGED_SEVERITY
        return changed

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


@dataclass(frozen=True, eq=False)
class PatchedRows:
    """N measured frames, clean and with a part replaced or degraded, to tell abnormal tiles by.

    Attributes:
        values: ``(N, D)`` float32 of what is read tile by tile.
        cover: ``(N, R, Q)`` share of each tile that the patch or the degradation covers; 0 in clean frames.
        filling: ``(N,)`` str, of the patch, or the kind of degradation; empty for clean frames.
        drive: ``(N,)`` str, of the clean frame.
        frame: ``(N,)`` int64, index of the clean frame among the calibration frames.
    """

    values: Mapping[FeatureKey, NDArray[np.float32]]
    cover: NDArray[np.float64]
    filling: NDArray[np.str_]
    drive: NDArray[np.str_]
    frame: NDArray[np.int64]

    @property
    def clean(self) -> NDArray[np.bool_]:
        """``(N,)``: which frames nothing was done to."""
        clean: NDArray[np.bool_] = self.filling == ""
        return clean

    def chosen(self, some: NDArray[np.bool_] | NDArray[np.int64]) -> "PatchedRows":
        """Some of the rows, by a mask or by their places."""
        values = {key: numbers[some] for key, numbers in self.values.items()}
        return PatchedRows(values, self.cover[some], self.filling[some], self.drive[some], self.frame[some])

    def __len__(self) -> int:
        return len(self.frame)
