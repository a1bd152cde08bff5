# SPDX-License-Identifier: Apache-2.0
"""Bring values of more than 8 bits to 8."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError

_WHOLE = 16


def eight_bits(values: NDArray[np.uint16], bits: int | None) -> NDArray[np.uint8]:
    """Scale values so that the highest of ``bits`` bits becomes 255, rounded to the nearest.

    Args:
        values: uint16, of any shape.
        bits: that the values use, counted from the lowest.

    Returns:
        uint8 of the same shape.

    Raises:
        FrameError: ``bits`` is None, or a value needs more of them.
    """
    if bits is None:
        raise FrameError(
            "expected 8 bits a value, got 16: state how many a value uses with PixelRules(bits=...), 12 for a sensor of 12 "
            "bits or 16 where white is 65535"
        )
    highest = 2**bits - 1
    if bits < _WHOLE and (most := int(values.max(initial=0))) > highest:
        raise FrameError(f"expected values of {bits} bits, up to {highest}, got {most}: check PixelRules(bits=...)")
    scaled: NDArray[np.uint32] = (values.astype(np.uint32) * 510 + highest) // (2 * highest)
    return scaled.astype(np.uint8)
