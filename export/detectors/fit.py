# SPDX-License-Identifier: Apache-2.0
"""Fit a detector, scaling and projection included, as one scikit-learn pipeline; choose one by likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from export.detectors.registry import densities, detector_spec, detectors_on_ood_frames
from export.errors import CalibrationError

_FOLDS = 5
_ENOUGH = 2000

Rows = NDArray[np.float64]


def fit_detector(
    kind: str,
    ind: Rows,
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
        ind: ``(N, D)`` in-distribution rows in the order of recording.
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
    rows = ind if ood is None else np.vstack([ind, ood])
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise CalibrationError(f"expected finite entropies, row {bad} holds NaN or infinity: drop this frame")
    count, dimensions = rows.shape
    steps: list[tuple[str, BaseEstimator]] = [("scaler", StandardScaler())] if standardise else []
    if pca_components is not None:
        if not 1 <= pca_components <= min(count, dimensions):
            raise CalibrationError(
                f"expected 1 to {min(count, dimensions)} PCA components for {count} frames of {dimensions} dimensions, "
                f"got {pca_components}: choose a number in this range, or calibrate on more frames"
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


@dataclass(frozen=True)
class Choice:
    """The detector that was chosen, and why.

    Attributes:
        kind: a name in :data:`export.detectors.registry.DETECTORS`.
        standardise: of ``fit_detector``.
        pca_components: None: likelihoods of different projections do not compare.
        reason: in a sentence, with the figures.
    """

    kind: str
    standardise: bool
    pca_components: int | None
    reason: str


def choose_detector(ind: Rows, groups: Sequence[str] | None = None, *, seed: int = 0) -> Choice:
    """Choose the density under which frames that did not fit it are likelier, and whether to scale the entropies.

    Whole drives are left out in turn where there are several, five contiguous blocks where there are not; at most 2,000
    evenly spaced frames are looked at. The rule uses in-distribution frames alone. It does not know which shifts will occur,
    and cannot compare detectors that are no densities: the classifier and the nearest neighbours.

    Args:
        ind: ``(N, D)`` in the order of recording.
        groups: ``(N,)`` drives.
        seed: passed to the fits.

    Raises:
        CalibrationError: too few frames to leave some out, or frames that no density can be fitted to.
    """
    chosen = np.unique(np.linspace(0, len(ind) - 1, min(len(ind), _ENOUGH)).round().astype(int))
    rows = ind[chosen]
    names = None if groups is None else np.asarray(groups)[chosen]
    if len(rows) < 4 * _FOLDS:
        raise CalibrationError(
            f"expected at least {4 * _FOLDS} frames to choose a detector by, got {len(rows)}: name one"
        )
    if names is None or len(np.unique(names)) < 2:
        folds = np.array_split(np.arange(len(rows)), _FOLDS)
        left_out = "blocks"
    else:
        folds = [np.flatnonzero(names == name) for name in np.unique(names)]
        left_out = "drives"
    likelihood = {
        (kind, standardise): float(
            np.mean(np.concatenate([_held_out(rows, fold, kind, standardise, seed) for fold in folds]))
        )
        for kind in densities()
        for standardise in (False, True)
    }
    (kind, standardise), best = max(likelihood.items(), key=lambda item: item[1])
    (rival, _), other = max((item for item in likelihood.items() if item[0][0] != kind), key=lambda item: item[1])
    reason = (
        f"{left_out} left out are {best - other:.1f} nats a frame likelier under {detector_spec(kind).density} than under "
        f"{detector_spec(rival).density}"
        f"{', and likelier with the entropies standardised' if standardise else ''}"
    )
    return Choice(kind, standardise, None, reason)


def _held_out(rows: Rows, fold: NDArray[np.int64], kind: str, standardise: bool, seed: int) -> Rows:
    """Log-likelihoods of a fold under the fit to all other rows, in the units of the unscaled rows."""
    others = np.delete(rows, fold, axis=0)
    pipeline = fit_detector(kind, others, standardise=standardise, seed=seed)
    before, estimator = pipeline[:-1], pipeline[-1]
    scaled = before.transform(rows[fold]) if len(before) else rows[fold]
    log_density: Rows = estimator.log_likelihood(scaled)
    return log_density - (np.log(before[0].scale_).sum() if standardise else 0.0)
