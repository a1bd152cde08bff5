# SPDX-License-Identifier: Apache-2.0
"""Expected quality of a segmentation with an interval, from errors on kinds that the fit has not seen.

The size of the error is told as ``a + b (1 - expected) + c novelty``, with
a, b, c of 0 or more. The interval reaches from ``expected - below * error`` to ``expected + above * error``, within [0, 1].
Its two factors are conformal quantiles (Vovk et al. 2005; normalised residuals: Papadopoulos et al. 2008) of errors that
were made on drives and kinds of degradation which were left out of the fit together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from export.answers.columns import Rows
from export.answers.perceptron import Perceptron

_LEAST_ERROR = 1e-3
_STEP = 1.02
_WIDEST = 1e3


@dataclass(frozen=True, eq=False)
class FittedQuality:
    """A model of the quality, and the size of its error.

    Attributes:
        model: tells the expected quality of the columns.
        error: ``(3,)`` at least 0: constant, for each unit that the quality is below 1, for each unit of novelty.
        below: how many errors the interval reaches downwards.
        above: the same upwards.
    """

    model: Perceptron
    error: Rows
    below: float
    above: float

    def __call__(self, columns: Rows, novelty: Rows) -> Rows:
        """Expected quality, lower and upper end, ``(N, 3)``; NaN where a number is NaN.

        Args:
            columns: ``(N, D)``.
            novelty: ``(N,)``.
        """
        expected = self.model(columns)
        size = error_size(expected, novelty, self.error)
        ends = np.stack([expected, expected - self.below * size, expected + self.above * size], axis=1)
        result: Rows = np.clip(ends, 0, 1) + 0 * novelty[:, None]
        return result


def error_size(expected: Rows, novelty: Rows, error: Rows) -> Rows:
    """Size ``(N,)`` of the error, above 0."""
    result: Rows = error[0] + error[1] * (1 - expected) + error[2] * novelty
    return result


def fit_error(expected: Rows, novelty: Rows, truth: Rows) -> Rows:
    """Fit the size of the error ``(3,)`` to the errors of frames left out, with least squares of numbers of 0 or more."""
    design = np.column_stack([np.ones(len(truth)), 1 - expected, novelty])
    error, _ = nnls(design, np.abs(truth - expected))
    error[0] = max(error[0], _LEAST_ERROR)
    result: Rows = error
    return result


def conformal_factor(ratios: Rows, miss: float) -> float:
    """Smallest ratio above which at most ``miss`` of exchangeable new ones lie; 0 at least, infinite of too few."""
    place = int(np.ceil((len(ratios) + 1) * (1 - miss) - 1e-9))
    return float(np.inf) if place > len(ratios) else max(float(np.sort(ratios)[place - 1]), 0.0)


def fit_factors(
    expected: Rows, size: Rows, truth: Rows, kind: NDArray[np.str_], coverage: float, of_a_kind: float
) -> tuple[float, float]:
    """Find how many errors the interval reaches below and above.

    Each side misses half of what may be missed over all frames left out. Both are then widened together until the
    interval covers ``of_a_kind`` of the frames of every single kind.

    Args:
        expected: ``(N,)``, of frames left out.
        size: ``(N,)`` of the errors.
        truth: ``(N,)``.
        kind: ``(N,)``.
        coverage: over all frames.
        of_a_kind: over the frames of each kind.

    Raises:
        ValueError: too few frames for the coverage.
    """
    ratios = (truth - expected) / size
    below, above = (conformal_factor(side, (1 - coverage) / 2) for side in (-ratios, ratios))
    if not np.isfinite([below, above]).all():
        raise ValueError(f"expected at least {int(np.ceil(2 / (1 - coverage) - 1 - 1e-9))} frames, got {len(ratios)}")
    wider = 1.0
    while (
        wider < _WIDEST
        and min(np.mean(inside(ratios[kind == name], wider * below, wider * above)) for name in np.unique(kind))
        < of_a_kind
    ):
        wider *= _STEP
    return wider * below, wider * above


def inside(ratios: Rows, below: float, above: float) -> NDArray[np.bool_]:
    """Whether errors, in units of their size, lie in the interval."""
    result: NDArray[np.bool_] = (ratios >= -below) & (ratios <= above)
    return result
