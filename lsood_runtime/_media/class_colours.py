# SPDX-License-Identifier: Apache-2.0
"""Colours of class maps."""

import numpy as np
from numpy.typing import NDArray

# Okabe and Ito's colours, told apart by colour-blind readers too, then shades of them.
_PALETTE = np.array(
    [
        (86, 180, 233), (213, 94, 0), (240, 228, 66), (90, 90, 90), (204, 121, 167), (0, 158, 115), (230, 159, 0),
        (150, 110, 70), (0, 114, 178), (255, 255, 255), (120, 0, 60), (170, 200, 120), (60, 60, 160), (200, 200, 200),
        (255, 170, 150), (0, 80, 60), (160, 140, 0), (140, 90, 200), (100, 220, 220),
    ],
    np.uint8,
)  # fmt: skip


def colour_classes(classes: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Colour a class map: ``(h, w)`` classes to ``(h, w, 3)`` uint8 RGB; beyond 19 classes the colours repeat."""
    coloured: NDArray[np.uint8] = _PALETTE[classes % len(_PALETTE)]
    return coloured
