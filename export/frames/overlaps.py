# SPDX-License-Identifier: Apache-2.0
"""Compare class maps with labels: intersection and union of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Pixels of a frame by class: those in label and prediction, and those in either; ``(K,)`` int64."""

    intersection: NDArray[np.int64]
    union: NDArray[np.int64]


def overlaps(
    classes: NDArray[np.uint8], label: NDArray[np.uint8], num_classes: int, ignored: Sequence[int]
) -> Overlaps:
    """Compare a class map with a label of any size; the map is resized by the nearest neighbour.

    Args:
        classes: ``(h, w)`` predicted classes.
        label: ``(H, W)`` class ids.
        num_classes: K.
        ignored: ids of pixels that do not count.

    Raises:
        UsageError: an id that is neither a class nor ignored.
    """
    check_label_ids(label, num_classes, ignored)
    counted = ~np.isin(label, list(ignored))
    resized = cv2.resize(classes, label.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    truth, guess = label[counted].astype(np.int64), resized[counted].astype(np.int64)
    confusion = np.bincount(truth * num_classes + guess, minlength=num_classes**2).reshape(num_classes, num_classes)
    intersection = np.diag(confusion)
    return Overlaps(intersection, confusion.sum(axis=0) + confusion.sum(axis=1) - intersection)


def check_label_ids(label: NDArray[np.uint8], num_classes: int, ignored: Sequence[int]) -> None:
    """Refuse a label with an id that is neither a class nor ignored.

    Args:
        label: ``(H, W)`` class ids.
        num_classes: of the segmentation.
        ignored: ids of pixels that do not count.

    Raises:
        UsageError: it names the id.
    """
    unknown = label[~np.isin(label, list(ignored)) & (label >= num_classes)]
    if unknown.size:
        raise UsageError(
            f"expected label ids below {num_classes} or ignored ones, got {int(unknown[0])}: name it by --ignore-label"
        )


def mean_iou(frames: Sequence[Overlaps]) -> float:
    """Mean intersection over union of the classes that occur in label or prediction; NaN where none does."""
    intersection = np.sum([frame.intersection for frame in frames], axis=0)
    union = np.sum([frame.union for frame in frames], axis=0)
    return float((intersection[union > 0] / union[union > 0]).mean()) if (union > 0).any() else float("nan")
