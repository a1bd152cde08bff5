# SPDX-License-Identifier: Apache-2.0
"""Stack, label and project in- and out-of-distribution entropies, which the guide's detector is fitted on."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from export.errors import UsageError
from export.evaluation.ood_metrics import IND, OOD

Floats = NDArray[np.floating]


def build_ood_detection_ds(
    ind_valid_data: Floats,
    ood_valid_data: Floats,
    ind_test_data: Floats,
    ood_test_data: Floats,
    apply_pca: bool = True,
    pca_nro_comp: int = 16,
    pca_svd_solver: str = "randomized",
    pca_whiten: bool = True,
    *,
    random_state: int = 0,
) -> tuple[Floats, NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Stack validation entropies to train on and test entropies to test on, InD rows first.

    Args:
        ind_valid_data: ``(N, C)`` entropies of in-distribution validation frames, nats.
        ood_valid_data: the same of out-of-distribution frames; each argument has its own N.
        ind_test_data: in-distribution test frames.
        ood_test_data: out-of-distribution test frames.
        apply_pca: project both sets by a PCA that is fitted on the training rows, InD and OoD together.
        pca_nro_comp: number of components, at most the training rows and C.
        pca_svd_solver: scikit-learn's name of the solver.
        pca_whiten: scale the components to unit variance over the training rows.
        random_state: of the randomised solver.

    Returns:
        Training rows, their labels, test rows, their labels; label 1 is out-of-distribution.

    Raises:
        UsageError: arrays that are not two-dimensional, empty, not finite or of different C; or too many components.
    """
    named = {
        "ind_valid_data": ind_valid_data,
        "ood_valid_data": ood_valid_data,
        "ind_test_data": ind_test_data,
        "ood_test_data": ood_test_data,
    }
    _check(named)
    train, train_labels = _stack(ind_valid_data, ood_valid_data)
    test, test_labels = _stack(ind_test_data, ood_test_data)
    if apply_pca:
        if not 1 <= pca_nro_comp <= min(train.shape):
            raise UsageError(
                f"expected 1 to {min(train.shape)} components for {train.shape[0]} training rows of {train.shape[1]} "
                f"entropies, got {pca_nro_comp}: lower pca_nro_comp, or pass apply_pca=False"
            )
        pca = PCA(pca_nro_comp, svd_solver=pca_svd_solver, whiten=pca_whiten, random_state=random_state)
        train, test = pca.fit_transform(train), pca.transform(test)
    return train, train_labels, test, test_labels


def _stack(ind: Floats, ood: Floats) -> tuple[Floats, NDArray[np.int64]]:
    return np.vstack([ind, ood]), np.repeat(np.array([IND, OOD], np.int64), [len(ind), len(ood)])


def _check(named: dict[str, Floats]) -> None:
    columns = np.shape(named["ind_valid_data"])[1:]
    for name, entropies in named.items():
        shape = np.shape(entropies)
        if len(shape) != 2 or 0 in shape or shape[1:] != columns:
            raise UsageError(
                f"expected (N, C) entropies with one C for all four sets, got {shape} as {name}: pass the second array that "
                "get_dl_h_z returns"
            )
        if not np.isfinite(entropies).all():
            raise UsageError(
                f"expected finite entropies, got NaN or infinity in {name}: look at the samples behind them"
            )
