# SPDX-License-Identifier: Apache-2.0
"""A perceptron of one hidden layer that tells clean tiles from those under a patch."""

from dataclasses import dataclass

import numpy as np
from sklearn.neural_network import MLPClassifier

from export.answers.columns import Rows

UNITS = 64
"""Of the hidden layer."""

PENALTY = 1.0
"""Of the weights' squares, as scikit-learn's ``alpha``."""

EPOCHS, FEWEST_STEPS = 25, 300
"""Passes over all tiles; steps at least, which take more passes where tiles are few."""

_BATCH, _SEED = 256, 0
_BESIDE = 0.5
"""Share of the tiles beside patches that are learnt from: they repeat those of the clean frames."""

_SMALLEST_DEVIATION = 1e-6


@dataclass(frozen=True, eq=False)
class TilePerceptron:
    """A trained perceptron.

    Attributes:
        directions: ``(D, H)`` of the hidden layer.
        thresholds: ``(H,)``.
        weights: ``(H,)``.
        offset: log odds where all hidden units are 0.
    """

    directions: Rows
    thresholds: Rows
    weights: Rows
    offset: float

    def __call__(self, columns: Rows) -> Rows:
        """Log odds ``(N,)`` that a patch covers a tile of ``(N, D)`` numbers; NaN where one is NaN."""
        result: Rows = np.maximum(columns @ self.directions + self.thresholds, 0) @ self.weights + self.offset
        return result


def train_perceptron(clean: Rows, beside: Rows, under: Rows) -> TilePerceptron:
    """Train it on tiles of clean frames, on tiles beside patches, which are clean too, and on tiles under patches.

    Args:
        clean: ``(N, D)``, one at least.
        beside: ``(M, D)``, or none.
        under: ``(P, D)``, one at least.
    """
    centre = clean.mean(axis=0)
    scale = np.maximum(np.concatenate([clean, under]).std(axis=0), _SMALLEST_DEVIATION)
    some = np.random.default_rng(_SEED).permutation(len(beside))[: round(_BESIDE * len(beside))]
    rows = ((np.concatenate([clean, beside[some], under]) - centre) / scale).astype(np.float32)
    is_under = np.arange(len(rows)) >= len(rows) - len(under)
    network = MLPClassifier((UNITS,), alpha=PENALTY, batch_size=min(_BATCH, len(rows)), random_state=_SEED)
    batches = -(-len(rows) // _BATCH)
    for _ in range(max(EPOCHS, FEWEST_STEPS // batches)):
        network.partial_fit(rows, is_under, classes=(False, True))
    (first, last), (thresholds, offset) = network.coefs_, network.intercepts_
    directions = np.asarray(first, np.float64) / scale[:, None]
    weights = np.asarray(last[:, 0], np.float64)
    return TilePerceptron(directions, np.float64(thresholds) - centre @ directions, weights, float(offset[0]))
