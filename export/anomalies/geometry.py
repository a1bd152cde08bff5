# SPDX-License-Identifier: Apache-2.0
"""Degradations of the geometry: a camera that was turned on its mount, a frame torn between two moments."""

import cv2
import numpy as np

from export.anomalies.patterns import Floats, LocalChange, level, rows

_FOCAL = 0.87
"""Focal length in widths of the frame: a field of view of 60 degrees."""
_HORIZON = 0.42
"""Row, as a share of the height, from which the scene grows as the car drives on."""


def decalibration(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Turn the camera on its mount by 0.7 to 7 degrees, partly about its axis.

    What the turned camera would see beyond the frame is not known, so that the picture is enlarged until it has no border.
    """
    height, width = frame.shape[:2]
    degrees = level(severity, 0, 0.7, 1.6, 3.0, 4.8, 7.0)
    axis = rng.normal(size=3) * (1, 1, 1.4)
    turned, _ = cv2.Rodrigues(np.deg2rad(degrees) * axis / np.linalg.norm(axis))
    focal = _FOCAL * width
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    low, high = 0.2, 1.0  # of the focal length: the picture is enlarged by one through it
    for _ in range(20):
        nearer = (low + high) / 2
        seen = camera @ turned @ np.diag([nearer, nearer, 1]) @ np.linalg.inv(camera) @ corners
        within = (seen[:2] / seen[2] >= 0).all() and (seen[:2] / seen[2] <= [[width], [height]]).all()
        low, high = (nearer, high) if within else (low, nearer)
    mapping = camera @ turned @ np.diag([low, low, 1]) @ np.linalg.inv(camera)
    middle = np.array(
        [[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]
    )  # from numbers of pixels to places, whose pixels begin at 0
    shown: Floats = cv2.warpPerspective(
        frame,
        np.linalg.inv(middle) @ mapping @ middle,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return shown


def torn_frame(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Tear the frame: below a seam it shows another moment, in which the camera had turned and driven on.

    The other moment is the frame itself, moved sideways by 1 to 11 % of its width, and enlarged by
    twice as much; the seam lies higher with severity.
    """
    height, width = frame.shape[:2]
    moved = level(severity, 0, 0.01, 0.025, 0.047, 0.075, 0.11)
    seam = rng.uniform(0.2, 0.35) + level(severity, 0.5, 0.42, 0.33, 0.23, 0.12, 0)
    aside = moved * (1 if rng.random() < 0.5 else -1)
    scale = 1 - 2 * moved
    seen_u = ((np.arange(width) + 0.5 - 0.5 * width) * scale + (0.5 + aside) * width - 0.5).astype(np.float32)
    seen_v = ((np.arange(height) + 0.5 - _HORIZON * height) * scale + _HORIZON * height - 0.5).astype(np.float32)
    grid_u, grid_v = np.meshgrid(seen_u, seen_v)
    other = cv2.remap(frame, grid_u, grid_v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    below = np.broadcast_to(rows(height) >= seam, (height, width))
    return LocalChange(np.where(below[..., None], other, frame), below.astype(np.float32))
