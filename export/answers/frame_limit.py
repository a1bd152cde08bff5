# SPDX-License-Identifier: Apache-2.0
"""Set a limit that at most a share of clean frames of new drives exceeds, every drive weighed alike.

It is the rule of the threshold of the monitor (:mod:`export.detectors.weighted_quantile`), for the score of a frame that is
its most abnormal tile or its clearest object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.detectors.weighted_quantile import allowed_share, quantile, weigh_frames


@dataclass(frozen=True)
class FrameLimit:
    """A limit of the scores of frames.

    Attributes:
        limit: the smallest that keeps to the rate; the largest score where there are too few frames for it.
        rate: share of clean frames that may be above.
        guarantee: ``drives`` where it holds for frames of a new drive, ``frames`` where there were too few drives for it.
    """

    limit: float
    rate: float
    guarantee: str


def frame_limit(scores: NDArray[np.float64], drives: Sequence[str], rates: Sequence[float]) -> FrameLimit:
    """Set the limit: for drives rather than for frames, and for the first of the rates that there are enough of them for.

    Args:
        scores: ``(N,)`` of clean frames that fitted nothing, one at least.
        drives: ``(N,)`` of these frames.
        rates: that are wanted, one at least, each rather than the next.
    """
    for unit in ("drives", "frames"):
        weights = weigh_frames(drives, unit, unit)
        for rate in rates:
            share = allowed_share(weights.units, rate)
            if share >= 0 and (unit == "frames" or weights.units > 1):
                return FrameLimit(quantile(scores, weights, share), rate, unit)
    return FrameLimit(float(scores.max()), rates[-1], "frames")
