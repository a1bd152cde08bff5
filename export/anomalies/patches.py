# SPDX-License-Identifier: Apache-2.0
"""Replace a part of a frame by what does not belong there, to learn which tiles are abnormal.

A patch has a random place, outline, softness and filling, by which a fit is to tell what does not belong to the scene.
Pasting a part of another frame, or a flat or noisy one, is how anomaly detection learns without anomalies (CutPaste; Li et
al. 2021).
"""

import numpy as np
from numpy.typing import NDArray

from export.anomalies.patch_fillings import patch_filling
from export.anomalies.patch_shapes import patch_shape
from export.anomalies.patterns import Bytes, blend


def patched(frame: Bytes, other: Bytes, filling: str, rng: np.random.Generator) -> tuple[Bytes, NDArray[np.bool_]]:
    """Replace a part of a frame.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB; not modified.
        other: a frame of any size, of which a filling of kind ``paste`` is made.
        filling: one of ``FILLINGS``.
        rng: draws the patch.

    Returns:
        The patched frame, and ``(H, W)`` bool: where the patch shows with half of its strength or more.
    """
    values, (height, width) = frame.astype(np.float32), frame.shape[:2]
    shape = patch_shape(filling, height, width, rng)
    mixed = blend(values, shape, patch_filling(filling, values, other, rng))
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8), shape > 0.5
