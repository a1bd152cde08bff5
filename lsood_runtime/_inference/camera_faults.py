# SPDX-License-Identifier: Apache-2.0
"""Detect frames that no working camera sends: black, saturated, of one colour."""

import numpy as np

from lsood_runtime._inference.arrays import Frame

_DARK, _BRIGHT, _ALIKE = 8, 247, 0.99
_MAX_ROWS_EXAMINED = 64


def camera_fault(frame: Frame) -> str | None:
    """Say why no working camera sends this frame; None where one may. At most 64 rows are examined.

    Args:
        frame: ``(..., H, W, 3)`` uint8.
    """
    width = frame.shape[-2]
    rows = frame.reshape(-1, 3 * width)
    seen, colour = rows[:: max(1, len(rows) // _MAX_ROWS_EXAMINED)], rows[0, :3]
    enough = _ALIKE * seen.size
    if np.count_nonzero(seen <= _DARK) >= enough:
        return f"black: {_ALIKE:.0%} of the pixels are at {_DARK} or below"
    if np.count_nonzero(seen >= _BRIGHT) >= enough:
        return f"saturated: {_ALIKE:.0%} of the pixels are at {_BRIGHT} or above"
    if np.count_nonzero(seen == np.tile(colour, width)) >= enough:
        return f"of one colour: {_ALIKE:.0%} of the pixels are {tuple(map(int, colour))}"
    return None
