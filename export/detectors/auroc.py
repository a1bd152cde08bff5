# SPDX-License-Identifier: Apache-2.0
"""The area under the ROC curve of scores, with out-of-distribution frames as the positive class."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score


def auroc(ind: NDArray[np.floating], ood: NDArray[np.floating]) -> float:
    """Probability that an out-of-distribution frame scores higher than an in-distribution one, ties counted by half.

    Args:
        ind: ``(n,)`` finite scores of in-distribution frames, n above 0.
        ood: ``(m,)`` finite scores of out-of-distribution frames, m above 0.
    """
    return float(roc_auc_score(np.repeat([0, 1], [len(ind), len(ood)]), np.concatenate([ind, ood])))
