# SPDX-License-Identifier: Apache-2.0
"""Log-density of the Gaussian that a Mahalanobis detector stands for, to compare with SciPy's."""

import numpy as np
from numpy.typing import NDArray

from export.detectors.mahalanobis import MahalanobisDetector


def log_likelihood(detector: MahalanobisDetector, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-density ``(M,)`` of rows ``(M, D)``, nats, from the squared distance and the recorded determinant."""
    constant = detector.log_determinant_ + len(detector.location_) * np.log(2 * np.pi)
    result: NDArray[np.float64] = (detector.score_samples(rows) - constant) / 2
    return result
