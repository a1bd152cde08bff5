# SPDX-License-Identifier: Apache-2.0
"""Learn the weights of a fused detector's parts, and tell whether they serve shifts that taught nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from export.detectors.auroc import auroc
from export.detectors.cross_fit import deal_folds
from export.errors import CalibrationError

RIDGE = 0.05
"""Price of the squared distance from equal weights, beside a mean logistic loss."""

_SURE = 2.0
"""Standard errors by which learnt weights must be better on the kinds left out."""

_WORTH = 0.001
"""Mean AUROC by which they must be better besides: less is not worth another set of numbers to keep."""

PartShares = NDArray[np.float64]
"""``(N, P)`` shares of P parts at weight 1."""


@dataclass(frozen=True)
class LeftOutKind:
    """What weights are worth for a kind of shift that did not teach them.

    Attributes:
        kind: of shift.
        equal: AUROC of the sum with equal weights.
        learnt: AUROC of the sum with weights learnt from the other kinds.
    """

    kind: str
    equal: float
    learnt: float


@dataclass(frozen=True)
class LearntWeights:
    """Weights of parts, and why these.

    Attributes:
        weights: of the parts, at least 0, with a mean of 1; all 1 where learning did not pay.
        learnt: whether they are learnt.
        reason: in a sentence, with the figures.
        table: a row for each kind, left out in turn.
    """

    weights: tuple[float, ...]
    learnt: bool
    reason: str
    table: tuple[LeftOutKind, ...]


def learn_weights(
    ind: PartShares, drives: Sequence[str], shifts: Mapping[str, PartShares], *, ridge: float = RIDGE, seed: int = 0
) -> LearntWeights:
    """Learn non-negative weights by logistic regression, pulled towards equal ones; keep them only if they pay.

    Each kind of shift is left out in turn: weights are learnt from the other kinds and half of the drives, and the kind is
    told from the other half's frames, then with the halves exchanged. The learnt weights are taken where their mean AUROC
    on the kinds left out is higher than that of equal weights, by two standard errors over the kinds and by 0.001.

    Args:
        ind: shares of N in-distribution frames, by parts that did not fit on them.
        drives: ``(N,)`` of these frames, in the order of recording.
        shifts: shares of shifted frames by kind, two kinds or more.
        ridge: price of leaving equal weights.
        seed: of the deal of drives to halves.

    Raises:
        CalibrationError: fewer than two kinds, a kind without frames, or shares that are not finite.
    """
    if len(shifts) < 2 or not all(len(shares) for shares in shifts.values()):
        raise CalibrationError(
            f"expected frames of two or more kinds of shift to learn weights from, got {', '.join(shifts) or 'none'}: "
            "add kinds, or keep the parts' own weights"
        )
    if not all(np.isfinite(shares).all() for shares in (ind, *shifts.values())):
        raise CalibrationError("expected finite shares to learn weights from, got NaN or infinity: drop these frames")
    halves = deal_folds(drives, 2, seed)
    table = tuple(_left_out(kind, ind, halves, shifts, ridge) for kind in shifts)
    gains = np.array([row.learnt - row.equal for row in table])
    gain, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    pays = gain > max(_SURE * error, _WORTH)
    figures = f"{gain:+.4f} ± {error:.4f} AUROC on {len(table)} kinds of shift left out in turn"
    if not pays:
        equal = tuple([1.0] * ind.shape[1])
        return LearntWeights(equal, False, f"the parts' own weights: learnt ones change {figures}", table)
    weights = tuple(_fit(ind, list(shifts.values()), ridge).tolist())
    return LearntWeights(weights, True, f"learnt weights: {figures}", table)


def _left_out(
    kind: str, ind: PartShares, halves: Sequence[NDArray[np.int64]], shifts: Mapping[str, PartShares], ridge: float
) -> LeftOutKind:
    others = [shares for name, shares in shifts.items() if name != kind]
    equal, learnt = [], []
    for taught, judged in (halves, halves[::-1]):
        weights = _fit(ind[taught], others, ridge)
        equal.append(auroc(ind[judged].sum(axis=1), shifts[kind].sum(axis=1)))
        learnt.append(auroc(ind[judged] @ weights, shifts[kind] @ weights))
    return LeftOutKind(kind, float(np.mean(equal)), float(np.mean(learnt)))


def _fit(ind: PartShares, shifts: Sequence[PartShares], ridge: float) -> NDArray[np.float64]:
    """Weights of mean 1; in-distribution frames count as much as all shifts, and each shift as every other."""
    rows = np.vstack([ind, *shifts])
    signs = np.repeat([-1.0, 1.0], [len(ind), len(rows) - len(ind)])
    portions = np.concatenate(
        [np.full(len(ind), 0.5 / len(ind)), *(np.full(len(s), 0.5 / len(shifts) / len(s)) for s in shifts)]
    )

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias = parameters[:-1], parameters[-1]
        margins = signs * (rows @ weights + bias)
        slopes = -portions * signs * np.exp(-np.logaddexp(0, margins))
        value = portions @ np.logaddexp(0, -margins) + ridge * ((weights - 1) ** 2).sum()
        return float(value), np.append(rows.T @ slopes + 2 * ridge * (weights - 1), slopes.sum())

    count = ind.shape[1]
    start = np.append(np.ones(count), -float(np.median(rows.sum(axis=1))))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * count + [(None, None)])
    weights: NDArray[np.float64] = found.x[:-1]
    return weights * count / weights.sum() if weights.sum() > 0 else np.ones(count)
