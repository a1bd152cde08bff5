# SPDX-License-Identifier: Apache-2.0
"""The nearest-neighbour estimate of a differential entropy, as its papers state it, by a KD-tree of scipy's.

L. F. Kozachenko and N. N. Leonenko, Problems of Information Transmission 23 (1987); in the form of A. Kraskov, H. Stögbauer
and P. Grassberger, Physical Review E 69 (2004), equation 20, in the maximum norm, where the unit ball has volume 1 in
diameters: ``h = digamma(n) - digamma(k) + d / n * sum_i log(2 r_i)`` nats, ``r_i`` the distance from point i to its k-th
neighbour. Shares no line with ``export/detectors/entropy.py``, which it judges.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree


def entropy_by_tree(points: NDArray[np.floating], k: int, min_dist: float) -> float:
    """Entropy in nats of ``(n, d)`` points, or of ``(n,)`` numbers; distances below ``min_dist`` count as ``min_dist``."""
    rows = np.asarray(points, np.float64)
    rows = rows.reshape(len(rows), -1)
    distances, _ = KDTree(rows).query(rows, k=k + 1, p=math.inf)  # each point is its own nearest
    log_diameters = np.log(2 * np.maximum(distances[:, -1], min_dist))
    offset = math.fsum(1 / i for i in range(k, len(rows)))  # digamma(n) - digamma(k) of whole numbers
    return offset + rows.shape[1] * float(log_diameters.mean())
