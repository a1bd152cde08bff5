# SPDX-License-Identifier: Apache-2.0
"""Read the class of each cell of an anomaly map from the segmentation of its frame."""

import numpy as np
from numpy.typing import NDArray


def cell_classes(segmentation: NDArray[np.uint8] | NDArray[np.float32], rows: int, columns: int) -> NDArray[np.integer]:
    """The class of the pixel that each cell reads: every fourth one for a map of a quarter of the rows and columns.

    Args:
        segmentation: ``(h, w)`` uint8 classes or ``(K, h, w)`` float32 logits; one logit for two classes, 1 where it is
            above 0.
        rows: of the map, at most ``h``.
        columns: of the map, at most ``w``.

    Returns:
        ``(rows, columns)`` integers.
    """
    height, width = segmentation.shape[-2:]
    down, across = (np.arange(cells) * -(-pixels // cells) for cells, pixels in ((rows, height), (columns, width)))
    values = segmentation[..., down.clip(0, height - 1)[:, None], across.clip(0, width - 1)]
    classes: NDArray[np.integer]
    if values.ndim == 2:
        classes = values.astype(np.int64)
    elif len(values) > 1:
        classes = values.argmax(axis=0)
    else:
        classes = (values[0] > 0).astype(np.int64)
    return classes
