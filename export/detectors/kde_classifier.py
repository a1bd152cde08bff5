# SPDX-License-Identifier: Apache-2.0
"""The guide's classifier: one kernel density a class, and Bayes' rule."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxSub
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from export.detectors.kernel_density import ExactKernelDensity
from export.detectors.onnx_operators import scalar


class KDEClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Posterior of each class under Gaussian kernel densities with the class frequencies as priors.

    ``p(c | h) = softmax_c(log p(h | c) + log pi_c)``, both terms exact, so that it holds at any distance from the data.
    There the nearest training point decides: the posterior of a frame that resembles neither class tends to 0 or to 1,
    with nothing between. It does not measure how far a frame is from the training frames; the density of
    :class:`ExactKernelDensity` does.

    Args:
        bandwidth: as for :class:`ExactKernelDensity`; the guide takes 0.8 on whitened components.

    Attributes:
        classes_: the K labels, ascending.
        densities_: for each class its density.
        log_priors_: ``(K,)`` float64, log of each class's share of the training rows.
        n_features_in_: D.
    """

    def __init__(self, bandwidth: float | str = 1.0) -> None:
        self.bandwidth = bandwidth

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit one density a class.

        Args:
            X: ``(N, D)``, at least two rows a class.
            y: ``(N,)`` labels; the guide's are 0 for in-distribution and 1 for out-of-distribution.

        Raises:
            ValueError: fewer than two classes, a class of one row, or a bandwidth that is not above zero.
        """
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, members = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"expected rows of at least two classes, got one class, {self.classes_[0]}: add rows of another"
            )
        self.densities_ = [
            ExactKernelDensity(self.bandwidth).fit(rows[members == c]) for c in range(len(self.classes_))
        ]
        self.log_priors_ = np.log(np.bincount(members) / len(members))
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Posterior of each class: ``(M, K)`` float64, rows sum to 1, columns as in ``classes_``."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        joint = np.column_stack([density.score_samples(rows) for density in self.densities_]) + self.log_priors_
        posterior: NDArray[np.float64] = softmax(joint, axis=1)
        return posterior

    def predict(self, X: ArrayLike) -> NDArray[np.generic]:
        """Most probable class of each row, ``(M,)``; the first one where two are equally probable."""
        posterior = self.predict_proba(X)
        labels: NDArray[np.generic] = self.classes_[posterior.argmax(axis=1)]
        return labels

    def onnx_joint(self, rows: OnnxOperator, opset: int) -> list[OnnxOperator]:
        """For each class log-density plus log-prior of ``(B, D)`` float64 rows, as ONNX operators: ``(B, 1)`` each, nats."""
        pairs = zip(self.densities_, self.log_priors_, strict=True)
        return [OnnxAdd(density.onnx_score(rows, opset), scalar(prior), op_version=opset) for density, prior in pairs]

    def pred_prob(self, X: ArrayLike) -> NDArray[np.float64]:
        """The guide's name for :meth:`predict_proba`."""
        return self.predict_proba(X)

    def predict_prob(self, X: ArrayLike) -> NDArray[np.float64]:
        """The guide's other name for :meth:`predict_proba`, where its own version divides 0 by 0 far from the data."""
        return self.predict_proba(X)

    def predict_label(self, X: ArrayLike) -> NDArray[np.generic]:
        """The guide's name for :meth:`predict`, right for any labels."""
        return self.predict(X)


class KDELogOdds(BaseEstimator):  # type: ignore[misc]
    """Log-odds of in-distribution (label 0) over out-of-distribution (label 1) under the guide's classifier.

    Posteriors saturate at 0 and 1 a few tens of nats from the border between the classes; log-odds rank every frame.

    Args:
        bandwidth: as for :class:`KDEClassifier`.

    Attributes:
        classifier_: the fitted :class:`KDEClassifier`.
        n_features_in_: D.
    """

    def __init__(self, bandwidth: float | str = 1.0) -> None:
        self.bandwidth = bandwidth

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit one density a class.

        Args:
            X: ``(N, D)``, at least two rows a class.
            y: ``(N,)`` labels, 0 or 1, both present.

        Raises:
            ValueError: other labels, or as for :meth:`KDEClassifier.fit`.
        """
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        if not np.array_equal(np.unique(labels), [0, 1]):
            raise ValueError(
                f"expected labels 0 and 1, both present, got {np.unique(labels).tolist()[:5]}: "
                "0 is in distribution, 1 out of it"
            )
        self.classifier_ = KDEClassifier(self.bandwidth).fit(rows, labels)
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """``log p(0 | h) - log p(1 | h)`` of each row of ``X``, ``(M, D)``; ``(M,)`` float64, nats; higher = closer."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        ind, ood = (density.score_samples(rows) for density in self.classifier_.densities_)
        prior_ind, prior_ood = self.classifier_.log_priors_
        result: NDArray[np.float64] = (ind + prior_ind) - (ood + prior_ood)
        return result

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        ind, ood = self.classifier_.onnx_joint(rows, opset)
        return OnnxSub(ind, ood, op_version=opset)
