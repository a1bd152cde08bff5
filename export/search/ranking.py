# SPDX-License-Identifier: Apache-2.0
"""Rank the candidates of a search by how well each separates shifts from in-distribution frames, in two folds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from export.data.anomalous import GUIDE_ANOMALIES
from export.detectors.auroc import auroc
from export.detectors.fit import fit_detector
from export.detectors.kde_classifier import KDELogOdds
from export.detectors.registry import DETECTORS
from export.errors import UsageError
from export.evaluation.ood_metrics import ind_flagged
from export.features.key import FeatureKey
from export.search.features import Floats, SearchFeatures
from export.search.folds import Fold, Shares, rows_in_fold, split_shifts

ScoreFunction = Callable[[Floats], NDArray[np.float64]]

OUTPUT, GUIDE = "output", "guide"
GUIDE_COMPONENTS, GUIDE_BANDWIDTH = 16, 0.8


@dataclass(frozen=True)
class Candidate:
    """Features with a detector.

    Attributes:
        features: what the detector sees.
        detector: a name in ``export.detectors.registry.DETECTORS``, ``output`` for features that are scores already, or
            ``guide``.
        pca_components: of the detector; None for the features as they are.
    """

    features: FeatureKey
    detector: str
    pca_components: int | None = None


@dataclass(frozen=True)
class RankedCandidate:
    """A candidate and its figures.

    Attributes:
        candidate: the features and the detector.
        auroc: by shift, mean of two folds.
        flagged: share of in-distribution frames flagged where 95 % of a shift's are caught, mean over shifts.
        added_ms: what the monitor adds to the bare network, median; None where it was not timed.
    """

    candidate: Candidate
    auroc: dict[str, float]
    flagged: float
    added_ms: float | None = None

    @property
    def mean_auroc(self) -> float:
        """Mean over the shifts."""
        return float(np.mean(list(self.auroc.values())))

    @property
    def worst(self) -> tuple[str, float]:
        """The shift with the lowest AUROC, and that AUROC."""
        return min(self.auroc.items(), key=lambda item: item[1])

    def over(self, shifts: Sequence[str]) -> "RankedCandidate":
        """Restrict the figures to some of the shifts."""
        return replace(self, auroc={name: self.auroc[name] for name in shifts})


def candidates(
    features: Iterable[FeatureKey], detectors: Sequence[str], components: Sequence[int]
) -> Iterator[Candidate]:
    """Yield each detector on the features of each tap, by number of PCA components (0: none); output scores as they are."""
    for key in features:
        if key.kind.is_output_score:
            yield Candidate(key, OUTPUT)
        else:
            for detector in detectors:
                for count in components:
                    yield Candidate(key, detector, count or None)


def cross_validate(
    candidate: Candidate, ind: SearchFeatures, shifts: Sequence[SearchFeatures], folds: tuple[Fold, Fold], seed: int
) -> RankedCandidate:
    """Fit on one fold, score the other, and the other way round.

    A candidate is tested on degraded frames of the fold that it was not fitted on. A detector that needs out-of-distribution
    frames is fitted on half of the shifts of the other fold and tested on the other half; of a single real shift it is fitted
    on one half of the frames and tested on the other.

    Raises:
        UsageError: a fold without frames of a shift.
        CalibrationError: frames that a detector cannot be fitted on.
    """
    aurocs: dict[str, list[float]] = {shift.frames.name: [] for shift in shifts}
    flagged: list[float] = []
    for fit, test in (folds, folds[::-1]):
        for score, tested in _fitted_scorers(candidate, ind, shifts, fit, test, seed):
            ind_scores = score(ind.rows[candidate.features][test])
            for shift, rows in tested:
                if not len(rows):
                    raise UsageError(f"expected frames of {shift.frames.name} in both halves, got none: lower --every")
                ood_scores = score(shift.rows[candidate.features][rows])
                labels = np.repeat([0, 1], [len(ind_scores), len(ood_scores)])
                aurocs[shift.frames.name].append(auroc(ind_scores, ood_scores))
                flagged.append(ind_flagged(labels, np.concatenate([ind_scores, ood_scores])))
    means = {name: float(np.mean(values)) for name, values in aurocs.items() if values}
    return RankedCandidate(candidate, means, float(np.mean(flagged)))


def _fitted_scorers(
    candidate: Candidate, ind: SearchFeatures, shifts: Sequence[SearchFeatures], fit: Fold, test: Fold, seed: int
) -> Iterator[tuple[ScoreFunction, Shares]]:
    """Yield detectors fitted on ``fit``, each with the shifts that it may be tested on."""
    key = candidate.features
    rows = ind.rows[key][fit].astype(np.float64)
    if candidate.detector == OUTPUT:
        yield (lambda values: values[:, 0].astype(np.float64)), [(shift, rows_in_fold(shift, test)) for shift in shifts]
    elif candidate.detector == GUIDE:
        fitted_on = [(shift, rows_in_fold(shift, fit)) for shift in shifts if shift.frames.kind in GUIDE_ANOMALIES]
        tested = [(shift, rows_in_fold(shift, test)) for shift in shifts if shift.frames.kind not in GUIDE_ANOMALIES]
        yield _guides_scorer(rows, _rows_of(fitted_on, key), seed), tested
    elif DETECTORS[candidate.detector].needs_ood_frames:
        for fitted_on, tested in split_shifts(shifts, fit, test):
            yield _scorer(candidate, rows, _rows_of(fitted_on, key), seed), tested
    else:
        yield _scorer(candidate, rows, None, seed), [(shift, rows_in_fold(shift, test)) for shift in shifts]


def _rows_of(shares: Shares, key: FeatureKey) -> NDArray[np.float64]:
    return np.concatenate([shift.rows[key][rows] for shift, rows in shares]).astype(np.float64)


def _scorer(
    candidate: Candidate, ind: NDArray[np.float64], ood: NDArray[np.float64] | None, seed: int
) -> ScoreFunction:
    pipeline = fit_detector(candidate.detector, ind, ood, pca_components=candidate.pca_components, seed=seed)
    return lambda values: -pipeline.score_samples(values.astype(np.float64))


def _guides_scorer(ind: NDArray[np.float64], ood: NDArray[np.float64], seed: int) -> ScoreFunction:
    """The guide's detector: whitened components of all frames, and a density of bandwidth 0.8 for each class."""
    both = np.vstack([ind, ood])
    pca = PCA(min(GUIDE_COMPONENTS, *both.shape), svd_solver="randomized", whiten=True, random_state=seed).fit(both)
    labels = np.repeat([0, 1], [len(ind), len(ood)])
    detector = KDELogOdds(GUIDE_BANDWIDTH).fit(pca.transform(both), labels)
    return lambda values: -detector.score_samples(pca.transform(values.astype(np.float64)))
