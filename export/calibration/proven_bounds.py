# SPDX-License-Identifier: Apache-2.0
"""Bounds of false-alarm rates that are proven, before and after a cross-fit (docs/concepts/thresholds.md has the proofs)."""


def proven_bound(units: int, heaviest: float, false_alarm_rate: float, folds: int, unit: str) -> float:
    """Compute the bound of the rate that the rule of :mod:`export.calibration.conformal` is proven to hold.

    Without a cross-fit it is the target where all units weigh the same, and holds for the shipped detector; where they
    differ, it holds for new units no heavier than the heaviest of these. With a cross-fit it holds for the detectors of the
    folds alone: a frame is flagged where its scores by these, each compared with the scores of its own fold, say so. Nothing
    is proven of the detector that is then fitted on all frames.

    Args:
        units: m, exchangeable with a new one.
        heaviest: largest share of one unit in the weight of all; 1 / m where all weigh the same.
        false_alarm_rate: target.
        folds: of the cross-fit; 0 for none.
        unit: ``frames`` or ``drives``; folds hold whole drives.
    """
    above = false_alarm_rate - (1 - false_alarm_rate) / units
    if not folds:
        return min(1.0, (heaviest + above) / (heaviest + 1))
    equal = unit == "drives" and heaviest * units < 1 + 1e-9
    return _cross_fit_bound(above, heaviest, folds, equal and units % folds == 0)


def new_drive_bound(above: float, drives: int, folds: int) -> float:
    """Compute the bound of the rate for a frame of a new drive, every drive weighed alike.

    Args:
        above: mean over drives of the share of scores above the threshold.
        drives: G.
        folds: of the cross-fit, whose detectors the bound is about; 0 for none.
    """
    if not folds:
        return (1 + drives * above) / (1 + drives)
    return _cross_fit_bound(above, 1 / drives, folds, drives % folds == 0)


def _cross_fit_bound(above: float, heaviest: float, folds: int, folds_are_equal: bool) -> float:
    """The smaller of two bounds for K folds: p-values averaged over folds; the tournament of CV+, for folds of equal size.

    Twice a mean of p-values is one (Vovk and Wang 2020; Vovk et al. 2018 for cross-conformal prediction). The tournament is
    that of Barber et al. 2021, theorem 4, with weights.
    """
    bounds = [1.0, 2 * (above + folds * heaviest) / (1 + folds * heaviest)]
    if folds_are_equal:
        bounds.append((2 * above + 1 / folds) / (1 + 1 / folds))
    return min(bounds)
