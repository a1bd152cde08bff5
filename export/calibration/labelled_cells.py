# SPDX-License-Identifier: Apache-2.0
"""Collect logits of cells with labels from calibration frames, to calibrate the confidence of the segmentation by."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from export.answers.confidence import LabelledPixels, calibrate_confidence
from export.answers.maps import as_maps, grid_of_map
from export.calibration.cutout_frames import MapRows, logits_key
from export.calibration.degraded_rows import Labels
from export.detectors.cross_fit import fold_numbers
from export.errors import CalibrationError, UsageError
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.frames.label_cells import label_of_cells
from export.frames.labels import read_label
from export.frames.overlaps import check_label_ids
from lsood_runtime.offline import ConfidenceRecord

MOST_NUMBERS = 5_000_000
"""Logits that are kept of all frames, at most."""

FEWEST_CELLS = 10
"""Of a frame that are kept, however many frames and classes there are."""


class LabelledCells:
    """Logits and labels of evenly spaced cells of frames.

    Args:
        files: the calibration frames.
        labels: of these frames.
        frames: how many will be added, at most.
    """

    def __init__(self, files: FrameFiles, labels: Labels, frames: int) -> None:
        self._files, self._labels, self._frames = files, labels, frames
        self._logits: list[NDArray[np.float32]] = []
        self._ids: list[NDArray[np.int64]] = []
        self._indices: list[int] = []

    def add(self, index: int, rows: MapRows, segmentation: tuple[int, int]) -> None:
        """Keep cells of a frame; none of one whose pixels all are ignored.

        Args:
            index: of the frame.
            rows: ``(D,)`` of each map, that of the logits among them.
            segmentation: rows and columns of the class map, which is of the same picture as the label.

        Raises:
            UsageError: its label cannot be used.
        """
        key = logits_key(rows)
        maps = as_maps(np.asarray(rows[key])[None], key)[0]
        num_classes, file = len(maps), self._labels.files[self._files.paths[index].stem]
        label = read_label(file)
        try:
            check_label_ids(label, num_classes, self._labels.ignored)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from error
        ids = label_of_cells(label, grid_of_map(key), segmentation).ravel()
        counted = np.flatnonzero(~np.isin(ids, self._labels.ignored))
        most = max(MOST_NUMBERS // (self._frames * num_classes), FEWEST_CELLS)
        chosen = counted[evenly_spaced(np.arange(len(counted)), most)]
        if len(chosen):
            self._logits.append(maps.reshape(num_classes, -1)[:, chosen].T.astype(np.float32))
            self._ids.append(ids[chosen].astype(np.int64))
            self._indices.append(index)

    def calibrated(self, drives: Callable[[NDArray[np.int64]], Sequence[str]], seed: int) -> ConfidenceRecord:
        """Fit the temperature to what was kept.

        Args:
            drives: names of the drives of frames, by their indices.
            seed: of the deal of drives to folds.

        Raises:
            CalibrationError: fewer than two frames with pixels that count.
        """
        if len(self._indices) < 2:
            raise CalibrationError(
                f"expected two or more labels with pixels that count, got {len(self._indices)}: check --labels and "
                "--ignore-label, or leave --labels out"
            )
        order = np.argsort(self._indices)  # a single drive is cut into blocks in the order of recording
        names = drives(np.array(self._indices, np.int64)[order])
        folds = np.empty(len(order), np.int64)
        folds[order] = fold_numbers(names, seed=seed)
        sizes = [len(ids) for ids in self._ids]
        return calibrate_confidence(
            LabelledPixels(
                np.concatenate(self._logits),
                np.concatenate(self._ids),
                np.repeat(folds, sizes),
                len(order),
                len(set(names)),
            )
        )
