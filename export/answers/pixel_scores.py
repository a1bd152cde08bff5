# SPDX-License-Identifier: Apache-2.0
"""Scores of every pixel of a map of logits, higher = more unknown: entropy, softmax, logit, energy and standardised logit.

The standardised maximum logit is that of Jung et al. (2021, arXiv 2107.11264): the largest logit less its mean over the
clean pixels of the class that it names, by its deviation there. Near a boundary of two classes every logit is small, so that
a pixel there takes the mean of its neighbours that are further inside, from wide boundaries to narrow ones.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

Maps = NDArray[np.float64]

ENTROPY, SOFTMAX, LOGIT, ENERGY = "predictive_entropy", "maximum_softmax", "maximum_logit", "energy"
STANDARDISED, HEAD = "standardised_maximum_logit", "head"

OUTPUT_PIXEL_SCORES = (ENTROPY, SOFTMAX, LOGIT, ENERGY, STANDARDISED)
"""Scores that need nothing but the logits of the pixel and of its neighbours."""

BOUNDARY_WIDTHS = (2, 1)
"""Pixels of the map's grid to each side of a boundary whose scores are replaced, one step after another."""


def predictive_entropy(logits: Maps) -> Maps:
    """Entropy ``(N, h, w)`` of the class probabilities, nats."""
    below, powers, total = _powers(logits)
    return np.asarray(np.log(total) - (powers * below).sum(axis=1) / total)


def maximum_softmax(logits: Maps) -> Maps:
    """Minus the largest probability, ``(N, h, w)``."""
    return np.asarray(-1 / _powers(logits)[2])


def maximum_logit(logits: Maps) -> Maps:
    """Minus the largest logit, ``(N, h, w)``."""
    return np.asarray(-logits.max(axis=1))


def energy(logits: Maps) -> Maps:
    """Minus the logarithm of the sum of the logits' exponentials, ``(N, h, w)``."""
    return np.asarray(-(logits.max(axis=1) + np.log(_powers(logits)[2])))


SCORES_OF_A_PIXEL: Mapping[str, Callable[[Maps], Maps]] = {
    ENTROPY: predictive_entropy,
    SOFTMAX: maximum_softmax,
    LOGIT: maximum_logit,
    ENERGY: energy,
}
"""Scores of which each reads the logits of one pixel."""


def standardised_maximum_logit(logits: Maps, centre: Maps, scale: Maps) -> Maps:
    """Minus the largest logit standardised by its class, ``(N, h, w)``, without what boundaries of classes do to it.

    Args:
        logits: ``(N, K, h, w)``.
        centre: ``(K,)`` mean of the largest logit over the clean pixels of each class.
        scale: ``(K,)``, above 0.
    """
    classes = logits.argmax(axis=1)
    scores = (centre[classes] - logits.max(axis=1)) / scale[classes]
    for width in BOUNDARY_WIDTHS:
        size = (1, 2 * width + 1, 2 * width + 1)
        inside = (maximum_filter(classes, size) == minimum_filter(classes, size)).astype(np.float64)
        share = uniform_filter(inside, (1, 3, 3), mode="constant")
        around = uniform_filter(scores * inside, (1, 3, 3), mode="constant")
        known = (inside == 0) & (share > _NO_NEIGHBOUR)
        scores = np.where(known, around / np.where(known, share, 1), scores)
    return np.asarray(scores)


_NO_NEIGHBOUR = 1 / 18
"""Half of the share of one pixel in its neighbourhood of 3 x 3: below it there is none."""


def _powers(logits: Maps) -> tuple[Maps, Maps, Maps]:
    """The logits less their largest, their exponentials, and the sums of these over the classes."""
    below = logits - logits.max(axis=1, keepdims=True)
    powers = np.exp(below)
    return below, powers, powers.sum(axis=1)
