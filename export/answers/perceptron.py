# SPDX-License-Identifier: Apache-2.0
"""Expected quality by a perceptron of two layers, the first drawn at random, beside a linear part.

``both = x linear + max(x[places] directions + thresholds, 0) weights + intercept`` are two numbers a frame, of the quality
and of its log odds: ``expected = (clip(both[0], 0, 1) + 1 / (1 + exp(-both[1]))) / 2``. Their mean errs less on kinds left
out than either.

Directions and thresholds of the hidden layer are drawn, not trained (random features; Rahimi and Recht 2007), so that the
rest are two ridge regressions, which have one solution each and take a second. The hidden layer reads the network's output
alone: how good the classes are follows from shares and logits of the classes together, not from their sum, and few numbers
leave little to learn by heart. The linear part may read the tap as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.special import expit, logit

from export.answers.columns import Rows

PENALTY = 0.25
"""Of the linear part: of the weights' squares, in units of the mean square of the error."""

HIDDEN = 768
"""Units of the hidden layer. Of half as many the error on kinds left out hangs on the draw."""

HIDDEN_PENALTY = 2e-5
"""Of the hidden layer, for each of its units, in the same units."""

LEAST_QUALITY = 0.02
"""Odds are those of a quality of this or more, and of 1 less this or less."""

_SEED = 0


@dataclass(frozen=True, eq=False)
class Perceptron:
    """Two layers and a linear part, over D columns.

    Attributes:
        places: ``(P,)`` int64 of the columns that the hidden layer reads; P may be 0, and then it has no units.
        directions: ``(P, H)`` of the hidden layer.
        thresholds: ``(H,)``.
        weights: ``(H, 2)`` of the hidden units: for the quality, and for its log odds.
        linear: ``(D, 2)`` of the columns.
        intercept: ``(2,)``, where all else is 0.
    """

    places: NDArray[np.int64]
    directions: Rows
    thresholds: Rows
    weights: Rows
    linear: Rows
    intercept: Rows

    def __call__(self, columns: Rows) -> Rows:
        """Quality ``(N,)`` of ``(N, D)`` columns, within [0, 1]; NaN where a column is NaN."""
        hidden = _hidden(columns, self.places, self.directions, self.thresholds)
        quality, log_odds = (columns @ self.linear + hidden @ self.weights + self.intercept).T
        result: Rows = (np.clip(quality, 0, 1) + expit(log_odds)) / 2
        return result


def fit_perceptron(columns: Rows, quality: Rows, widths: Sequence[int], hidden: Sequence[bool]) -> Perceptron:
    """Draw the hidden layer and fit the rest by ridge regressions of the quality and of its log odds.

    An error of the odds weighs ``q (1 - q)``, since the error of the quality q that it makes is so many times as large. Each
    feature weighs the same however many columns it has: the square of a linear weight costs in proportion to the width of its
    feature, and the hidden layer sees columns of a wide feature as smaller ones.

    Args:
        columns: ``(N, D)``, finite.
        quality: ``(N,)``.
        widths: columns of each feature, which sum to D.
        hidden: for each feature, whether the hidden layer reads it.
    """
    width = np.repeat(np.asarray(widths, np.float64), widths)
    places = np.flatnonzero(np.repeat(np.asarray(hidden, np.bool_), widths))
    rng, units = np.random.default_rng(_SEED), HIDDEN if len(places) else 0
    share = _mean_of_one(1 / width[places])[:, None]
    directions = rng.normal(size=(len(places), units)) * np.sqrt(share / max(len(places), 1))
    thresholds = rng.normal(size=units)
    rows = np.concatenate([_hidden(columns, places, directions, thresholds), columns], axis=1)
    cost = np.concatenate([np.full(units, HIDDEN_PENALTY * units), PENALTY / _mean_of_one(1 / width)])
    inner = np.clip(quality, LEAST_QUALITY, 1 - LEAST_QUALITY)
    of_quality, level = fit_ridge(rows, quality, cost)
    of_odds, level_of_odds = fit_ridge(rows, logit(inner), cost, inner * (1 - inner))
    both = np.stack([of_quality, of_odds], axis=1)
    return Perceptron(places, directions, thresholds, both[:units], both[units:], np.array([level, level_of_odds]))


def fit_ridge(rows: Rows, target: Rows, cost: Rows, share: Rows | None = None) -> tuple[Rows, float]:
    """Weights ``(D,)`` and intercept of least squares.

    Of fewer rows than columns a matrix of the rows is solved in place of one of the columns; both give the same weights.

    Args:
        rows: ``(N, D)``.
        target: ``(N,)``.
        cost: ``(D,)`` of the square of each weight, above 0, in units of the mean square of the error.
        share: ``(N,)`` above 0 of each row in that mean, in any unit; None where all are alike.
    """
    count = len(rows)
    mean, level = np.average(rows, axis=0, weights=share), float(np.average(target, weights=share))
    centred, rest = rows - mean, target - level
    if share is not None:
        root = np.sqrt(share / share.mean())
        centred *= root[:, None]
        rest *= root
    weights: Rows
    if count < rows.shape[1]:
        cheap = centred / cost
        weights = cheap.T @ solve(cheap @ centred.T + count * np.eye(count), rest, assume_a="pos")
    else:
        weights = solve(centred.T @ centred / count + np.diag(cost), centred.T @ rest / count, assume_a="pos")
    return weights, level - float(mean @ weights)


def _hidden(columns: Rows, places: NDArray[np.int64], directions: Rows, thresholds: Rows) -> Rows:
    result: Rows = np.maximum(columns[:, places] @ directions + thresholds, 0)
    return result


def _mean_of_one(weights: Rows) -> Rows:
    """Weights with a mean of 1."""
    result: Rows = weights / weights.mean() if len(weights) else weights
    return result
