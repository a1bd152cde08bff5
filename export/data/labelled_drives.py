# SPDX-License-Identifier: Apache-2.0
"""Labelled frames of several drives: split by whole drives, and weights of their classes."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from export.data.labelled_files import LabelledFiles
from export.datasets.label_encoding import LabelEncoding
from export.errors import UsageError
from export.frames.drives import draw_drives
from lsood_runtime.offline import AS_STATED, PixelRules


class LabelledDrives(LabelledFiles):
    """Frames and labels, paired by name, with the drive of each.

    Args:
        frames: frame files by a name that the two of a pair share.
        labels: label files by the same names.
        encoding: what the pixels of a label file stand for.
        num_classes: number of classes.
        one_size: every frame must have the size of the first one; False takes frames of any sizes.
        rules: what frame files do not say themselves, such as that grey ones are meant.

    Attributes:
        drives: name of each frame's drive; all one until a data set tells them apart.

    Raises:
        UsageError: no frame at all, or a frame or a label that stands alone.
    """

    def __init__(
        self,
        frames: Mapping[str, Path],
        labels: Mapping[str, Path],
        encoding: LabelEncoding,
        num_classes: int,
        one_size: bool = True,
        rules: PixelRules = AS_STATED,
    ) -> None:
        super().__init__(frames, labels, encoding, one_size, rules)
        self.num_classes = num_classes
        self.drives: tuple[str, ...] = ("all",) * len(self)

    def hold_out(self, share: float, seed: int) -> tuple[Self, Self]:
        """Split by whole drives, drawn at random: the frames that are left, and those held out.

        Args:
            share: of the frames to hold out, above 0 and below 1.
            seed: of the draw.

        Raises:
            UsageError: fewer than two drives, or a share outside its range.
        """
        drawn = draw_drives(self.drives, share, seed)
        left, held = copy.copy(self), copy.copy(self)
        left._keep([index for index, drive in enumerate(self.drives) if drive not in drawn])
        held._keep([index for index, drive in enumerate(self.drives) if drive in drawn])
        return left, held

    def _keep(self, indices: Sequence[int]) -> None:
        """Drop all frames but these."""
        self.paths, self.label_paths = [self.paths[i] for i in indices], [self.label_paths[i] for i in indices]
        self.drives = tuple(self.drives[i] for i in indices)

    def class_counts(self) -> NDArray[np.int64]:
        """Count the pixels of each class in all label files, ``(num_classes,)``; every label is checked on the way.

        Raises:
            UsageError: a label cannot be read or holds an unknown id.
        """
        counts = np.zeros(256, np.int64)
        for index in range(len(self)):
            counts += np.bincount(self.label(index).ravel(), minlength=256)
        return counts[: self.num_classes]

    def class_weights(self) -> list[float]:
        """Weights of a class-balanced loss: ``1 / log(1.1 + share of the class)``, scaled to a mean of 1.

        Raises:
            UsageError: as :meth:`class_counts`, or no pixel has a class.
        """
        counts = self.class_counts()
        if not counts.any():
            raise UsageError("expected pixels with a class, got labels to ignore alone: check the label to ignore")
        weights = 1 / np.log(1.1 + counts / counts.sum())
        return [float(weight) for weight in weights / weights.mean()]
