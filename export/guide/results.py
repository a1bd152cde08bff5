# SPDX-License-Identifier: Apache-2.0
"""Results of a detector that separates in-distribution (InD, label 0) and out-of-distribution frames (OoD, label 1).

OoD is the positive class, as in the guide of 2023-04; ``docs/concepts/metrics.md`` says which published table used which.
"""

from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    matthews_corrcoef,
    roc_auc_score,
    roc_curve,
)

from export.errors import UsageError
from export.evaluation.ood_metrics import IND, OOD, check_labels, ind_flagged, ood_missed


class ProbabilisticDetector(Protocol):
    """Interface that the results need of a detector."""

    def pred_prob(self, X: ArrayLike) -> NDArray[np.float64]:
        """``(M, D)`` rows to ``(M, 2)`` posteriors, OoD in the second column."""


def get_ood_detector_results(
    classifier_name: str,
    kde_classifier_ood: ProbabilisticDetector,
    samples_test_ds: ArrayLike,
    labels_test_ds: ArrayLike,
) -> pd.DataFrame:
    """Measure how well a detector's posterior separates OoD from InD rows.

    Args:
        classifier_name: becomes the row's index.
        kde_classifier_ood: a fitted detector.
        samples_test_ds: ``(M, D)`` test rows.
        labels_test_ds: ``(M,)`` labels, 0 for InD and 1 for OoD, both present.

    Returns:
        One row. The guide's columns: ``fpr`` and ``tpr``, the ROC curve's vertices, one a distinct score; ``auc``, the
        area under it; ``acc``, ``mcc`` and ``f1`` at a posterior of 0.5; ``fpr@95``, see :func:`ind_flagged`. Beside them
        ``ind_flagged@95_ood_caught`` (the same figure by its full name), ``ood_missed@95_ind_kept`` (:func:`ood_missed`),
        and average precision with OoD and with InD as positive class, ``aupr_ood_positive`` and ``aupr_ind_positive``.

    Raises:
        UsageError: labels other than 0 and 1, one of them missing, or posteriors of another shape.
    """
    labels = np.asarray(labels_test_ds)
    posterior = np.asarray(kde_classifier_ood.pred_prob(samples_test_ds))
    if posterior.shape != (labels.size, 2):
        raise UsageError(
            f"expected posteriors of shape {(labels.size, 2)}, got {posterior.shape}: fit the detector on InD and OoD rows"
        )
    scores = posterior[:, 1]
    check_labels(labels)
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    called = scores >= 0.5
    flagged = ind_flagged(labels, scores)
    columns = {
        "fpr": [fpr],
        "tpr": [tpr],
        "auc": float(roc_auc_score(labels, scores)),
        "acc": float(accuracy_score(labels, called)),
        "mcc": float(matthews_corrcoef(labels, called)),
        "f1": float(f1_score(labels, called, zero_division=0.0)),
        "fpr@95": flagged,
        "ind_flagged@95_ood_caught": flagged,
        "ood_missed@95_ind_kept": ood_missed(labels, scores),
        "aupr_ood_positive": float(average_precision_score(labels == OOD, scores)),
        "aupr_ind_positive": float(average_precision_score(labels == IND, -scores)),
    }
    return pd.DataFrame(columns, index=pd.Index([classifier_name], name="classifiers"))
