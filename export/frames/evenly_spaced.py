# SPDX-License-Identifier: Apache-2.0
"""Choose evenly spaced frames of a recording, the first and the last among them."""

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Take at most ``count`` of ``(N,)`` indices, evenly spaced and without repeats; all where there are no more."""
    places = np.linspace(0, len(indices) - 1, min(len(indices), count)).round().astype(np.int64)
    return np.asarray(indices[places], np.int64)
