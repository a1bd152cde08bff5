# SPDX-License-Identifier: Apache-2.0
"""Test which vehicles, days, and days of vehicles differ from the rest, by figures of whole days.

Frames of a day resemble each other, so that a million of them are no million observations: a day of a vehicle is one. Nor
are the days of a vehicle independent, since it keeps its roads and its camera. The tests take both from the fleet itself:

*Vehicles.* The level of a vehicle is the mean distance of its days from the median vehicle of each day, on the scale of log
odds, no day further than ten deviations of the bulk of that day. Levels are compared with those of the bulk of the fleet:
their deviation is the larger one of those that the median and the 80th percentile of the distances from the median level
tell, and p-values are those of Student's t, since the deviation is an estimate. So a vehicle that is named differs by more
than vehicles do by nature, whatever makes them differ; the bulk of the levels is taken for normal.

Where half of the days have fewer than ten of what is counted, such as alarms, levels are too coarse. The vehicles are then
ranked on each day, and the ranks become normal scores. Their sum has the cumulants of a sum of draws from each day's
scores, were the vehicles exchangeable on each day; its tail is that of a Pearson type III distribution with the first
three. Its variance is raised by ``1 + (days - 1) rho``, a correlation between days, with the smallest rho that leaves no
more p-values below 0.5 and 0.25 than there should be.

*Days.* The same with vehicles and days exchanged.

*Days of a vehicle.* The residual of a two-way fit by medians (Tukey's median polish), on the scale of log odds. Its tail
on each side is that of Student's t through the 50th and the 98th percentile of the residuals of that side. The furthest
ones, up to a quarter of a side, are left out of these percentiles where all of them lie so far beyond the tail of the
others that not one is expected there by chance, at 5 %: so faults, however many, do not set the scale by which they are
judged, while a tail that is heavy without a gap stays whole. Where half of the days have fewer than ten of what is
counted, chance alone spreads them so unequally that single days are not judged.

*Days of a vehicle by what it lost*, frames that are invalid or were dropped: the same, however rare they are, by the half
with more losses. Losses of less than a frame in a thousand tell nothing, so that as much is added to what was lost and to
what was not. The scale is at least that by which chance spreads the logarithm of one frame more than the median count.

P-values are two-sided; of losses, of which only more is a fault, those of fewer are 1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit
from scipy.stats import norm, pearson3, rankdata
from scipy.stats import t as student

DayTable = NDArray[np.float64]

FEWEST = 10
"""Vehicles, or days, at least: fewer do not show how much they differ by nature."""

_CHECKED = (0.5, 0.25)
_DEGREES = 0.4  # of freedom a unit, of a spread that quantiles tell (37 % of the efficiency of a variance)
_BODY, _TAIL = 0.5, 0.98
_LEAST_COUNT, _FEWEST_BLOCKS, _FURTHEST = 10, 3, 10.0
_LEAST_DEGREES, _MOST_DEGREES = 1.5, 100.0
_MOST_LEFT_OUT, _GAP, _STEPS = 0.25, 0.05, 25
_USUAL_LOSS = 0.001


def compare_units(sums: DayTable, sizes: DayTable) -> DayTable:
    """Two-sided p-values ``(U,)`` of units, such as vehicles; NaN where they cannot be compared.

    Args:
        sums: numerators of shares ``(U, B)`` of units in blocks, such as vehicles on days; NaN where there is none.
        sizes: denominators, likewise.
    """
    known = np.isfinite(sums) & (np.nan_to_num(sizes) > 0)
    if min(sums.shape) < FEWEST or not known.any():
        return np.full(len(sums), np.nan)
    sums, sizes = np.where(known, sums, np.nan), np.where(known, sizes, np.nan)
    if np.median(sums[known]) < _LEAST_COUNT:
        return _compare_ranks(sums / sizes)
    return _compare_levels(_log_odds(sums, sizes))


def _compare_levels(values: DayTable) -> DayTable:
    distances = values - _medians(values, axis=0)
    most = _FURTHEST * _medians(np.abs(distances), axis=0) / norm.ppf(0.75)
    distances = np.clip(distances, -most, most)
    days = np.isfinite(distances).sum(axis=1)
    levels = np.full(len(values), np.nan)
    levels[days > 0] = np.nansum(distances[days > 0], axis=1) / days[days > 0]
    p_values = np.full(len(values), np.nan)
    compared = days >= _FEWEST_BLOCKS
    if compared.sum() < FEWEST:
        return p_values
    far = np.abs(levels[compared] - np.median(levels[compared]))
    scale = max(float(np.quantile(far, share)) / norm.ppf((1 + share) / 2) for share in (0.5, 0.8))
    if scale > 0:
        p_values[compared] = 2 * student.sf(far / scale, _DEGREES * (compared.sum() - 1))
    return p_values


def _compare_ranks(shares: DayTable) -> DayTable:
    scores, variances, thirds = _normal_scores(shares)
    is_there = np.isfinite(scores)
    blocks = (is_there & (variances > 0)).sum(axis=1)
    spread = is_there @ variances
    known = (spread > 0) & (blocks >= _FEWEST_BLOCKS)
    p_values = np.full(len(shares), np.nan)
    if known.sum() < FEWEST:
        return p_values
    z = np.nansum(scores, axis=1)[known] / np.sqrt(spread[known])
    skew = (is_there @ thirds)[known] / spread[known] ** 1.5
    more = blocks[known] - 1.0
    wider = np.sqrt(1 + more * _correlation(z, skew, more))
    p_values[known] = _two_sided(z / wider, skew, _DEGREES * (known.sum() - 1))
    return p_values


def _log_odds(sums: DayTable, sizes: DayTable, added: DayTable | float = 0.5) -> DayTable:
    return np.asarray(np.log((sums + added) / (sizes - sums + added)), np.float64)


def compare_cells(sums: DayTable, sizes: DayTable) -> DayTable:
    """Two-sided p-values ``(V, D)`` of single days of vehicles; NaN where they cannot be judged.

    Args:
        sums: numerators of shares ``(V, D)``; NaN where there is none.
        sizes: denominators, likewise.
    """
    known = np.isfinite(sums) & (np.nan_to_num(sizes) > 0)
    p_values = np.full(sums.shape, np.nan)
    if min(sums.shape) < FEWEST or not known.any() or np.median(sums[known]) < _LEAST_COUNT:
        return p_values
    sums, sizes = np.where(known, sums, np.nan), np.where(known, sizes, np.nan)
    residuals = _median_polish(_log_odds(sums, sizes))
    p_values[known] = 1.0
    for sign in (1, -1):
        side = known & (sign * residuals > 0)
        if side.sum() >= 2 * FEWEST:
            p_values[side] = _side_p_values(sign * residuals[side], np.sort(sign * residuals[side]))
    return p_values


def compare_losses(sums: DayTable, sizes: DayTable) -> DayTable:
    """P-values ``(V, D)`` of single days on which a vehicle lost more frames; NaN where they cannot be judged.

    Args:
        sums: lost frames ``(V, D)``; NaN where there is no such day.
        sizes: all frames, likewise.
    """
    known = np.isfinite(sums) & (np.nan_to_num(sizes) > 0)
    p_values = np.full(sums.shape, np.nan)
    if min(sums.shape) < FEWEST or not known.any():
        return p_values
    sums, sizes = np.where(known, sums, np.nan), np.where(known, sizes, np.nan)
    residuals = _median_polish(_log_odds(sums, sizes, np.maximum(0.5, _USUAL_LOSS * sizes)))
    further = residuals[known]
    half = np.sort(further)[len(further) // 2 :]  # rather than those above 0, of which there are few where few lose any
    least = 1 / np.sqrt(1 + np.median(sums[known]))
    p_values[known] = np.where(further > 0, _side_p_values(further, half, least), 1.0)
    return p_values


def _normal_scores(values: DayTable) -> tuple[DayTable, DayTable, DayTable]:
    """Scores within each column, centred, with the variance and the third moment of each column."""
    scores = np.full(values.shape, np.nan)
    variances, thirds = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for column in range(values.shape[1]):
        there = np.isfinite(values[:, column])
        count = int(there.sum())
        if count < 2:
            continue
        normal = norm.ppf((rankdata(values[there, column]) - 0.5) / count)
        normal -= normal.mean()
        scores[there, column] = normal
        variances[column], thirds[column] = (normal**2).mean(), (normal**3).mean()
    return scores, variances, thirds


def _two_sided(z: DayTable, skew: DayTable, degrees: float = np.inf) -> DayTable:
    tails = np.minimum(pearson3.sf(z, skew), pearson3.sf(-z, -skew))
    if np.isfinite(degrees):
        tails = student.sf(norm.isf(np.maximum(tails, 1e-300)), max(degrees, _LEAST_DEGREES))
    return np.asarray(np.minimum(1.0, 2 * tails), np.float64)


def _correlation(z: DayTable, skew: DayTable, more: DayTable) -> float:
    def excess(rho: float) -> float:
        p_values = _two_sided(z / np.sqrt(1 + more * rho), skew)
        return max(float(np.mean(p_values <= level)) - level for level in _CHECKED)

    low, high = 0.0, 1.0
    if excess(low) <= 0:
        return low
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high


def _median_polish(values: DayTable, rounds: int = 3) -> DayTable:
    """What is left of a table after its column and row medians; NaN stays."""
    left = values - np.nanmedian(values)
    for _ in range(rounds):
        left = left - _medians(left, axis=0)
        left = left - _medians(left, axis=1)
    return left


def _medians(values: DayTable, axis: int) -> DayTable:
    filled = np.where(np.isfinite(values).any(axis=axis, keepdims=True), values, 0.0)
    return np.asarray(np.nanmedian(filled, axis=axis, keepdims=True), np.float64)


def _side_p_values(distances: DayTable, side: DayTable, least: float = 0.0) -> DayTable:
    """Two-sided p-values of distances, by the tail of those of a sorted side that are not far beyond it.

    Args:
        distances: of any shape.
        side: distances, sorted, whose tail is taken.
        least: scale at least.
    """
    steps = np.unique(np.ceil(np.linspace(0, _MOST_LEFT_OUT, _STEPS + 1) * len(side)).astype(int))
    for left_out in steps[::-1]:
        nearest = side[len(side) - left_out] if left_out else np.inf
        scale, degrees = _tail(side[: len(side) - left_out], least)
        if 2 * stdtr(degrees, -nearest / scale) <= _GAP / len(side):
            break
    return np.asarray(2 * stdtr(degrees, -np.abs(distances) / scale), np.float64)


def _tail(distances: DayTable, least: float) -> tuple[float, float]:
    """Scale and degrees of freedom of the tail of Student's t through two percentiles of distances of one side."""
    body, tail = np.maximum(
        np.quantile(distances, [_BODY, _TAIL]), least * norm.ppf([(1 + _BODY) / 2, (1 + _TAIL) / 2])
    )
    most = max(_LEAST_DEGREES, min(_MOST_DEGREES, len(distances) / (2 * FEWEST)))

    def furthest(share: float, degrees: float) -> float:
        return float(stdtrit(degrees, (1 + share) / 2))

    def excess(degrees: float) -> float:
        return furthest(_TAIL, degrees) / furthest(_BODY, degrees) - float(tail / body)

    if excess(most) >= 0:
        degrees = most
    elif excess(_LEAST_DEGREES) <= 0:
        degrees = _LEAST_DEGREES
    else:
        degrees = float(brentq(excess, _LEAST_DEGREES, most))
    return max(float(body) / furthest(_BODY, degrees), float(tail) / furthest(_TAIL, degrees)), degrees
