# SPDX-License-Identifier: Apache-2.0
"""Expected quality of a segmentation with an interval, from errors on kinds that the fit has not seen.

The interval reaches ``below[0] + below[1] (1 - expected) + below[2] novelty`` downwards and as much by ``above`` upwards,
within [0, 1], with numbers of 0 or more. Each end has numbers of its own, since frames far from everything seen are told as
too good more often than as too bad. They are the least squares of the errors to that side times a conformal quantile (Vovk et
al. 2005; normalised residuals: Papadopoulos et al. 2008) of errors that were made on drives and kinds of degradation which
were left out of the fit together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from export.answers.columns import Rows
from export.answers.perceptron import Perceptron

_LEAST_ERROR = 1e-3


@dataclass(frozen=True, eq=False)
class FittedQuality:
    """A model of the quality, and how far both ends of its interval reach.

    Attributes:
        model: tells the expected quality of the columns.
        below: ``(3,)`` at least 0, how far the lower end reaches: constant, for each unit that the quality is below 1, for
            each unit of novelty.
        above: the same of the upper end.
    """

    model: Perceptron
    below: Rows
    above: Rows

    def __call__(self, columns: Rows, novelty: Rows) -> Rows:
        """Expected quality, lower and upper end, ``(N, 3)``; NaN where a number is NaN.

        Args:
            columns: ``(N, D)``.
            novelty: ``(N,)``.
        """
        expected = self.model(columns)
        low, high = (
            expected + side * reach_of(expected, novelty, reach) for side, reach in ((-1, self.below), (1, self.above))
        )
        result: Rows = np.clip(np.stack([expected, low, high], axis=1), 0, 1) + 0 * novelty[:, None]
        return result


def reach_of(expected: Rows, novelty: Rows, reach: Rows) -> Rows:
    """How far ``(N,)`` an end of the interval lies from the expected quality."""
    result: Rows = reach[0] + reach[1] * (1 - expected) + reach[2] * novelty
    return result


def fit_reach(
    errors: Rows,
    expected: Rows,
    novelty: Rows,
    kind: NDArray[np.str_],
    miss: float,
    miss_of_a_kind: float,
) -> Rows:
    """Find how far ``(3,)`` an end of the interval has to reach.

    About ``miss`` of exchangeable new frames lie beyond it, and at most ``miss_of_a_kind`` of the given frames of any kind.
    The shape of the end is fitted to the frames of which the quantile is, so that of few frames a little more may lie beyond
    it: 6 % in place of 5 % of 40 skewed errors, 5.2 % of 400.

    Args:
        errors: ``(N,)`` of frames left out: how far the quality lies to this side of the expected one, below 0 where it lies
            to the other.
        expected: ``(N,)``.
        novelty: ``(N,)``.
        kind: ``(N,)``.
        miss: share of all frames.
        miss_of_a_kind: share of the frames of each kind.

    Raises:
        ValueError: too few frames for the share.
    """
    design = np.column_stack([np.ones(len(errors)), 1 - expected, novelty])
    size, _ = nnls(design, np.maximum(errors, 0))
    size[0] = max(size[0], _LEAST_ERROR)
    ratios = errors / reach_of(expected, novelty, size)
    factor = conformal_factor(ratios, miss)
    if not np.isfinite(factor):
        raise ValueError(f"expected at least {int(np.ceil(1 / miss - 1 - 1e-9))} frames, got {len(ratios)}")
    for name in np.unique(kind):
        own = np.sort(ratios[kind == name])
        held = max(int(np.ceil(len(own) * (1 - miss_of_a_kind) - 1e-9)), 1)
        factor = max(factor, float(own[held - 1]))
    result: Rows = factor * size
    return result


def conformal_factor(ratios: Rows, miss: float) -> float:
    """Smallest ratio above which at most ``miss`` of exchangeable new ones lie; 0 at least, infinite of too few."""
    place = int(np.ceil((len(ratios) + 1) * (1 - miss) - 1e-9))
    return float(np.inf) if place > len(ratios) else max(float(np.sort(ratios)[place - 1]), 0.0)
