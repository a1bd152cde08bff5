# SPDX-License-Identifier: Apache-2.0
"""A map that was fitted, with what the manifest states of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.answers.maps import FittedMap
from export.features.key import FeatureKey
from lsood_runtime.offline import MapRecord


@dataclass(frozen=True, eq=False)
class CalibratedMap:
    """What tells how unknown each cell is, with its limits.

    Attributes:
        fitted: the map.
        record: for the manifest.
        examples: whole rows ``(E, D)`` of a few frames, to compare graph and numpy on.
    """

    fitted: FittedMap
    record: MapRecord
    examples: Mapping[FeatureKey, NDArray[np.float32]]
