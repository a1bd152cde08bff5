# SPDX-License-Identifier: Apache-2.0
"""Read the class of each pixel from a segmentation, be it a class map, logits, or one logit for two classes."""

import numpy as np
from numpy.typing import NDArray


def segmentation_classes(segmentation: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.int64]:
    """Classes ``(h, w)`` of ``(h, w)`` classes or ``(K, h, w)`` logits; of one logit 1 where it is above 0, else 0."""
    if segmentation.ndim == 2:
        return segmentation.astype(np.int64)
    classes = segmentation.argmax(axis=0) if len(segmentation) > 1 else segmentation[0] > 0
    return np.asarray(classes, np.int64)
