# SPDX-License-Identifier: Apache-2.0
"""Interpolate the colours of a Bayer mosaic; OpenCV is imported when one is read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError, missing_extra

_LEAST = 4  # OpenCV leaves smaller mosaics black


def demosaic(mosaic: NDArray[Any], pattern: str) -> NDArray[Any]:
    """Interpolate each pixel's missing colours bilinearly from its neighbours.

    Args:
        mosaic: ``(H, W)`` uint8 or uint16.
        pattern: colours of its first two rows, such as ``rggb``.

    Returns:
        ``(H, W, 3)`` RGB of the mosaic's dtype.

    Raises:
        FrameError: fewer than 4 rows or columns.
        MediaError: OpenCV is not installed.
    """
    if min(mosaic.shape) < _LEAST:
        raise FrameError(f"expected a Bayer mosaic of at least {_LEAST}x{_LEAST} pixels, got {mosaic.shape}: check it")
    try:
        import cv2
    except ImportError as error:
        raise missing_extra("reading a Bayer mosaic", "media") from error
    code = getattr(cv2, f"COLOR_Bayer{pattern.upper()}2RGB")
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(mosaic), code))
