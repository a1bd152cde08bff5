# SPDX-License-Identifier: Apache-2.0
"""Fit a detector, scaling and projection included, as one scikit-learn pipeline."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from export.detectors.registry import detector_spec, detectors_on_ood_frames
from export.errors import CalibrationError
from export.features.rows import RowBlocks

Rows = NDArray[np.float64]


def fit_detector(
    kind: str,
    ind: Rows | RowBlocks,
    ood: Rows | None = None,
    *,
    pca_components: int | None = None,
    standardise: bool = False,
    bandwidth: float | str = "likelihood",
    groups: Sequence[str] | None = None,
    widths: Sequence[int] | None = None,
    seed: int = 0,
) -> Pipeline:
    """Fit a detector, with scaling and a whitening PCA in front of it on request.

    Args:
        kind: a name in :data:`export.detectors.registry.DETECTORS`.
        ind: ``(N, D)`` in-distribution rows in the order of recording; read block by block where the detector can do so, and
            neither scaling nor PCA stands before it.
        ood: ``(M, D)`` out-of-distribution rows, for a detector that needs them alone; scaling and PCA see them as well.
        pca_components: None for the rows as they are.
        standardise: bring each column to zero mean and unit variance.
        bandwidth: of the densities, see :class:`~export.detectors.kernel_density.ExactKernelDensity`.
        groups: ``(N,)`` drives: a density chooses its bandwidth for drives that are held out whole.
        widths: columns of the features that the rows consist of, side by side, for a detector that reads certain features.
        seed: of the PCA's randomised solver.

    Returns:
        A pipeline whose ``score_samples`` is minus the score: higher = closer to the in-distribution rows.

    Raises:
        CalibrationError: out-of-distribution rows missing or not wanted, rows that are not finite, too few or identical, more
            components than rows or columns, or scaling or PCA before a detector of certain features.
        UsageError: there is no such detector.
    """
    spec = detector_spec(kind)
    if spec.needs_ood_frames != (ood is not None):
        raise CalibrationError(
            f"expected out-of-distribution frames for {' or '.join(detectors_on_ood_frames())} and for no other, got {kind} "
            f"{'without' if ood is None else 'with'} them: add or drop them"
        )
    if spec.accepts and (standardise or pca_components is not None):
        raise CalibrationError(
            f"expected neither scaling nor PCA before {kind}, got one: it reads its features as they are, drop the option"
        )
    streamed = isinstance(ind, RowBlocks) and spec.streams and not standardise and pca_components is None
    rows = ind if streamed else np.asarray(ind) if ood is None else np.vstack([np.asarray(ind), ood])
    _check_finite(RowBlocks.of(rows))
    count, dimensions = rows.shape
    steps: list[tuple[str, BaseEstimator]] = [("scaler", StandardScaler())] if standardise else []
    if pca_components is not None:
        if not 1 <= pca_components <= min(count, dimensions):
            raise CalibrationError(
                f"expected 1 to {min(count, dimensions)} PCA components for {count} frames of {dimensions} dimensions, "
                f"got {pca_components}: choose a number in this range, or calibrate on more frames"
            )
        values = np.asarray(rows)
        if (values == values[0]).all():
            raise CalibrationError(
                f"expected rows that differ to find PCA components of, got {count} identical ones: leave this feature out, "
                "or look at the frames"
            )
        steps.append(("pca", PCA(pca_components, whiten=True, random_state=seed)))
    labels = None if ood is None else np.repeat([0, 1], [len(ind), len(ood)])
    more: dict[str, Sequence[str] | Sequence[int]] = {}
    if spec.fits_drives and groups is not None:
        more["detector__groups"] = groups
    if spec.fits_widths:
        more["detector__widths"] = rows.shape[1:] if widths is None else widths
    try:
        return Pipeline([*steps, ("detector", spec.build(bandwidth))]).fit(rows, labels, **more)
    except ValueError as error:
        raise CalibrationError(f"expected frames that a {kind} detector can be fitted on: {error}") from error


def _check_finite(rows: RowBlocks) -> None:
    """Refuse NaN and infinity."""
    start = 0
    for block in rows:
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise CalibrationError(
                f"expected finite entropies, row {start + int(bad[0])} holds NaN or infinity: drop this frame"
            )
        start += len(block)
