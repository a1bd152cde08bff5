# SPDX-License-Identifier: Apache-2.0
"""Judge candidates on frames that did not fit them, best first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from export.calibration.feature_key import FeatureKey
from export.data.anomalous import GUIDE_ANOMALIES
from export.detectors.auroc import auroc
from export.detectors.fit import fit_detector
from export.detectors.kde_classifier import KDELogOdds
from export.detectors.registry import DETECTORS
from export.errors import UsageError
from export.evaluation.ood_metrics import ind_flagged
from export.search.features import Floats, SearchFeatures

Fold = NDArray[np.int64]
ScoreFunction = Callable[[Floats], NDArray[np.float64]]

GUIDE = "guide"
GUIDE_COMPONENTS, GUIDE_BANDWIDTH = 16, 0.8


@dataclass(frozen=True)
class Candidate:
    """What is judged.

    Attributes:
        features: key of the rows, see :class:`export.search.features.SearchFeatures`.
        detector: a name in ``export.detectors.registry.DETECTORS``, ``output`` for rows that are scores already, or
            ``guide``.
        pca_components: of the detector; None for the rows as they are.
    """

    features: FeatureKey
    detector: str
    pca_components: int | None = None


@dataclass(frozen=True)
class Ranked:
    """A candidate and how it did.

    Attributes:
        candidate: what was judged.
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
        """Over the shifts."""
        return float(np.mean(list(self.auroc.values())))

    @property
    def worst(self) -> tuple[str, float]:
        """The shift told apart worst, and its AUROC."""
        return min(self.auroc.items(), key=lambda item: item[1])

    def over(self, shifts: Sequence[str]) -> "Ranked":
        """The same, judged by some of the shifts."""
        return replace(self, auroc={name: self.auroc[name] for name in shifts})


def candidates(
    features: Sequence[FeatureKey], detectors: Sequence[str], components: Sequence[int]
) -> Iterator[Candidate]:
    """Every detector on every set of features; 0 components: no PCA. Output scores stand for themselves."""
    for key in features:
        if key.kind.is_output_score:
            yield Candidate(key, "output")
        else:
            for detector in detectors:
                for count in components:
                    yield Candidate(key, detector, count or None)


def judge(
    candidate: Candidate, ind: SearchFeatures, shifts: Sequence[SearchFeatures], folds: tuple[Fold, Fold], seed: int
) -> Ranked:
    """Fit on one fold, score the other, and the other way round.

    A synthetic shift is judged on spoilt frames of the fold that did not fit the detector. The classifier learns half of the
    shifts from the other fold's frames and is judged on the other half; of a single real shift it learns one half of the
    frames and is judged on the other.

    Raises:
        UsageError: a fold without frames of a shift.
        CalibrationError: frames that a detector cannot be fitted on.
    """
    aurocs: dict[str, list[float]] = {shift.frames.name: [] for shift in shifts}
    flagged: list[float] = []
    for fit, test in (folds, folds[::-1]):
        for scorer, judged in _scorers(candidate, ind, shifts, fit, test, seed):
            familiar = scorer(ind.rows[candidate.features][test])
            for shift, places in judged:
                if not len(places):
                    raise UsageError(f"expected frames of {shift.frames.name} in both halves: lower --every")
                strange = scorer(shift.rows[candidate.features][places])
                labels, scores = np.repeat([0, 1], [len(familiar), len(strange)]), np.concatenate([familiar, strange])
                aurocs[shift.frames.name].append(auroc(familiar, strange))
                flagged.append(ind_flagged(labels, scores))
    found = {name: float(np.mean(values)) for name, values in aurocs.items() if values}
    return Ranked(candidate, found, float(np.mean(flagged)))


def _scorers(
    candidate: Candidate, ind: SearchFeatures, shifts: Sequence[SearchFeatures], fit: Fold, test: Fold, seed: int
) -> Iterator[tuple[ScoreFunction, list[tuple[SearchFeatures, Fold]]]]:
    """Detectors fitted on ``fit``, each with the shifts that it may be judged on and their frames."""
    name = candidate.features
    rows = ind.rows[name][fit].astype(np.float64)
    if candidate.detector == "output":
        yield (lambda values: values[:, 0].astype(np.float64)), [(shift, _within(shift, test)) for shift in shifts]
    elif candidate.detector == GUIDE:
        learnt = [shift for shift in shifts if shift.frames.kind in GUIDE_ANOMALIES]
        strange = np.concatenate([shift.rows[name][_within(shift, fit)] for shift in learnt]).astype(np.float64)
        yield _guide(rows, strange, seed), [(shift, _within(shift, test)) for shift in shifts if shift not in learnt]
    elif DETECTORS[candidate.detector].needs_ood_frames:
        for known, judged in _halves(shifts, fit, test):
            strange = np.concatenate([shift.rows[name][places] for shift, places in known]).astype(np.float64)
            yield _scorer(candidate, rows, strange, seed), judged
    else:
        yield _scorer(candidate, rows, None, seed), [(shift, _within(shift, test)) for shift in shifts]


def _scorer(
    candidate: Candidate, rows: NDArray[np.float64], ood: NDArray[np.float64] | None, seed: int
) -> ScoreFunction:
    pipeline = fit_detector(candidate.detector, rows, ood, pca_components=candidate.pca_components, seed=seed)
    return lambda values: -pipeline.score_samples(values.astype(np.float64))


def _guide(rows: NDArray[np.float64], strange: NDArray[np.float64], seed: int) -> ScoreFunction:
    """Whitened components of both kinds of frames, and a density of bandwidth 0.8 for each."""
    both = np.vstack([rows, strange])
    pca = PCA(min(GUIDE_COMPONENTS, *both.shape), svd_solver="randomized", whiten=True, random_state=seed).fit(both)
    labels = np.repeat([0, 1], [len(rows), len(strange)])
    detector = KDELogOdds(GUIDE_BANDWIDTH).fit(pca.transform(both), labels)
    return lambda values: -detector.score_samples(pca.transform(values.astype(np.float64)))


def _within(shift: SearchFeatures, fold: Fold) -> Fold:
    """Places of a shift's frames whose clean frame is in the fold; all of them for real shifts."""
    if shift.frames.kind is None:
        return np.arange(len(shift.frames.indices))
    return np.flatnonzero(np.isin(shift.frames.indices, fold))


Judged = list[tuple[SearchFeatures, Fold]]


def _halves(shifts: Sequence[SearchFeatures], fit: Fold, test: Fold) -> Iterator[tuple[Judged, Judged]]:
    """What the classifier learns, and what it is judged on."""
    if len(shifts) == 1:
        places = np.array_split(np.arange(len(shifts[0].frames.indices)), 2)
        for first, second in (places, places[::-1]):
            inside = (np.isin(part, _within(shifts[0], fold)) for part, fold in ((first, fit), (second, test)))
            learnt, judged = (part[kept] for part, kept in zip((first, second), inside, strict=True))
            yield [(shifts[0], learnt)], [(shifts[0], judged)]
        return
    for first_shifts, second_shifts in ((shifts[::2], shifts[1::2]), (shifts[1::2], shifts[::2])):
        yield (
            [(shift, _within(shift, fit)) for shift in first_shifts],
            [(shift, _within(shift, test)) for shift in second_shifts],
        )
