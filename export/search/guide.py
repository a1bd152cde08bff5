# SPDX-License-Identifier: Apache-2.0
"""The guide's own configuration, judged beside the candidates of a search on shifts that its classifier did not see."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from export.data.anomalous import GUIDE_ANOMALIES
from export.detectors.fitted import FeatureRows
from export.detectors.kde_classifier import KDELogOdds
from export.evaluation.detector_ranking import CrossFit, Figures, ScoreFunction, Shares, joined_rows
from export.features.key import FeatureKey
from export.search.features import SearchFeatures

GUIDE_COMPONENTS, GUIDE_BANDWIDTH = 16, 0.8


def guide_figures(cross_fit: CrossFit, features: SearchFeatures, key: FeatureKey) -> Figures:
    """Cross-validate the guide's classifier, which learns from its own three kinds of degradation.

    Args:
        cross_fit: of the candidates.
        features: of all frames.
        key: of the entropies of the guide's tap and S under fresh masks.
    """

    def scorers(fold: int) -> Iterator[tuple[ScoreFunction, Shares]]:
        others = cross_fit.others(fold)
        learnt = [(cell, cell.rows_in(others)) for cell in features.shifts if cell.kind in GUIDE_ANOMALIES]
        tested = [(cell, rows) for cell, rows in cross_fit.tested_in(fold) if cell.kind not in GUIDE_ANOMALIES]
        ood = np.asarray(joined_rows(learnt, [key])[key], np.float64)
        yield _guides_scorer(key, features.ind[key][others].astype(np.float64), ood, cross_fit.seed), tested

    return cross_fit.figures_of([key], scorers)


def _guides_scorer(key: FeatureKey, ind: NDArray[np.float64], ood: NDArray[np.float64], seed: int) -> ScoreFunction:
    """The guide's detector: whitened components of all frames, and a density of bandwidth 0.8 for each class."""
    both = np.vstack([ind, ood])
    pca = PCA(min(GUIDE_COMPONENTS, *both.shape), svd_solver="randomized", whiten=True, random_state=seed).fit(both)
    labels = np.repeat([0, 1], [len(ind), len(ood)])
    detector = KDELogOdds(GUIDE_BANDWIDTH).fit(pca.transform(both), labels)

    def score(values: FeatureRows) -> NDArray[np.float64]:
        result: NDArray[np.float64] = -detector.score_samples(pca.transform(values[key].astype(np.float64)))
        return result

    return score
