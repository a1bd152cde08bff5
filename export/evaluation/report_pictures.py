# SPDX-License-Identifier: Apache-2.0
"""Pictures within a report's page."""

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError

_WIDTH = 240


def data_url(image: NDArray[np.uint8], width: int = _WIDTH) -> str:
    """A picture as a URL that holds it: a JPEG of so many columns.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        width: of the JPEG.

    Raises:
        UsageError: OpenCV cannot encode it.
    """
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    small = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA)
    encoded, contents = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not encoded:
        raise UsageError("expected OpenCV to encode a thumbnail, it did not: install opencv-python-headless anew")
    return f"data:image/jpeg;base64,{base64.b64encode(contents.tobytes()).decode()}"
