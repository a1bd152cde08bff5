# SPDX-License-Identifier: Apache-2.0
"""Code a picture as JPEG in memory, and read it back."""

import cv2
import numpy as np

from export.anomalies.patterns import Bytes


def coded_as_jpeg(picture: Bytes, quality: int) -> Bytes:
    """What JPEG of a quality from 1 to 100, 4:2:0, leaves of a picture ``(H, W, 3)`` uint8 RGB; the result is contiguous."""
    _, code = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    read: Bytes = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(read[..., ::-1])
