# SPDX-License-Identifier: Apache-2.0
"""Choose and join the features of a pass that go with a verdict, so that frames can be compared with each other."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.records import LATENT_SAMPLES

_MAPS = ("tiles/", "picture_tiles/", "feature_map/", "logit_map/")


def kept_names(features: Iterable[str]) -> list[str]:
    """Names of the features that describe a frame as a whole: not the samples that entropies are made of, and no maps."""
    return [name for name in features if name != LATENT_SAMPLES and not name.startswith(_MAPS)]


def join_features(values: Iterable[NDArray[np.generic]], batch: int) -> NDArray[np.float32]:
    """Join features ``(B, ...)`` into ``(B, D)`` float32, one behind the other; of none ``(B, 0)``."""
    none = np.empty((batch, 0), np.float32)
    return np.concatenate([none, *(array.reshape(batch, -1).astype(np.float32) for array in values)], axis=1)
