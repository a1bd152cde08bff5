# SPDX-License-Identifier: Apache-2.0
"""Fit a detector to features of in-distribution frames and set thresholds by scores of detectors that the frame did not fit.

Frames come in the order of their recording. Whole drives are left out in folds, contiguous blocks where there is one drive;
each frame is scored by a detector that was fitted without its fold; thresholds are set by the scores of all frames, and the
detector is fitted once more on all of them (docs/concepts/thresholds.md). Named drives, on request, set the thresholds alone.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from export.calibration.autocorrelation import effective_frames
from export.calibration.conformal import set_threshold
from export.calibration.cross_fit import Indices, Scores, cross_fit_scores
from export.calibration.detector_choice import DetectorChoice
from export.calibration.drive_warning import drive_warning
from export.calibration.few_frames import few_frames_warning
from export.calibration.frame_split import FrameSplit
from export.calibration.options import CalibrationOptions
from export.calibration.threshold_cost import margin_advice
from export.detectors.credibility import drives_advice
from export.detectors.fitted import FittedDetector, OnePart, fit_part
from export.detectors.fused import Fused, fit_fused
from export.detectors.weighted_quantile import weigh_frames
from export.errors import CalibrationError
from export.features.rows import BLOCK, StoredFeatures, select_rows
from lsood_runtime.offline import CalibrationRecord, DetectorRecord, OperatingPoint, PartRecord

SCORE_TOLERANCE = 0.02


@dataclass(frozen=True)
class CalibrationResult:
    """A fitted detector and its operating points, with what the manifest records of the frames behind them.

    Attributes:
        detector: from features to scores.
        fold_detector: the same, fitted without the frames ``split.left_out``.
        reason: why this one, in a sentence.
        split: which frames set the thresholds and which fitted the detector.
        scores: ``(n,)`` float64: the scores of the frames ``split.scored``, each by a detector that it did not fit.
        points: operating points by name, the default first.
        effective_frames: effective number of independent frames among the scored ones.
        ood_frames: out-of-distribution frames that the detector was fitted on.
        warnings: reasons not to rely on the thresholds.
        advice: what more calibration data would gain.
    """

    detector: FittedDetector
    fold_detector: FittedDetector
    reason: str
    split: FrameSplit
    scores: NDArray[np.float64]
    points: Mapping[str, OperatingPoint]
    effective_frames: float
    ood_frames: int
    warnings: tuple[str, ...]
    advice: tuple[str, ...] = ()

    @property
    def spread(self) -> float:
        """Interquartile range of the calibration scores, the unit of all tolerances."""
        low, high = np.quantile(self.scores, [0.25, 0.75])
        return float(high - low)

    @property
    def tolerance(self) -> float:
        """Largest allowed error of a graph's score: a fiftieth of the spread."""
        return max(SCORE_TOLERANCE * self.spread, 1e-3)

    @property
    def operating_point(self) -> str:
        """Name of the operating point that is the default: the first one."""
        return next(iter(self.points))

    @property
    def detector_record(self) -> DetectorRecord:
        """The manifest's entry for the detector."""
        fused = isinstance(self.detector, Fused)
        steps = {} if fused else dict(self.detector.parts[0].pipeline.steps)
        return DetectorRecord(
            kind=self.detector.kind,
            reason=self.reason,
            parameters={} if fused else _scalars(steps["detector"]),
            standardise="scaler" in steps,
            pca_components=int(steps["pca"].n_components_) if "pca" in steps else None,
            fit_frames=len(self.split.fitted),
            fit_ood_frames=self.ood_frames,
            parts=_part_records(self.detector) if isinstance(self.detector, Fused) else (),
        )

    @property
    def calibration_record(self) -> CalibrationRecord:
        """The manifest's entry for the frames that set the thresholds."""
        return CalibrationRecord(
            scores=tuple(np.sort(self.scores).tolist()),
            effective_frames=self.effective_frames,
            drives=dict(Counter(self.split.names(self.split.scored))),
            fit_drives=dict(Counter(self.split.names(self.split.fitted))),
            warnings=self.warnings,
            source=self.split.sentence,
            advice=self.advice,
        )


def _scalars(estimator: BaseEstimator) -> dict[str, float]:
    """The numbers that an estimator learned, by name without the underscore at its end; arrays are left out."""
    learned = {
        name: value for name, value in vars(estimator).items() if name.endswith("_") and not name.startswith("_")
    }
    numbers = {name: value for name, value in learned.items() if isinstance(value, float | np.floating)}
    return {name.rstrip("_"): float(value) for name, value in numbers.items()}


def _part_records(detector: Fused) -> tuple[PartRecord, ...]:
    constants = zip(detector.parts, detector.centres, detector.scales, detector.weights, strict=True)
    return tuple(
        PartRecord(part.name, tuple(map(str, part.keys)), part.kind, float(centre), float(scale), float(weight))
        for part, centre, scale, weight in constants
    )


def calibrate(
    features: StoredFeatures,
    split: FrameSplit,
    options: CalibrationOptions,
    choice: DetectorChoice,
    ood: StoredFeatures | None = None,
    warnings: Sequence[str] = (),
) -> CalibrationResult:
    """Fit the detector, and set the thresholds by scores of detectors that the scored frames did not fit.

    Args:
        features: ``(N, D)`` under each key, of in-distribution frames in the order of recording; read block by block where
            the detector's ``streams`` says so.
        split: roles of the frames, as :func:`export.calibration.frame_split.split_frames` gives them.
        options: of detector and thresholds.
        choice: as :func:`export.calibration.detector_choice.choose_parts` gives it, or for ``auto``
            :func:`export.evaluation.automatic_choice.choose_automatically`.
        ood: of out-of-distribution frames, for a detector that needs them; they fit the detector of every fold.
        warnings: further reasons not to rely on the thresholds.

    Raises:
        CalibrationError: features that are not finite, too few frames, or ones that the detector cannot be fitted on.
    """
    rows = {key: features[key] for key in choice.keys}
    _check_finite(rows)

    def fitted_on(indices: Indices) -> FittedDetector:
        own, names = select_rows(rows, indices), split.names(indices)
        if choice.fused:
            return fit_fused(choice.parts, own, names, weights=choice.weights, seed=options.seed)
        return OnePart(fit_part(choice.parts[0], own, names, ood, seed=options.seed))

    fold_detectors: list[FittedDetector] = []

    def scores_without(indices: Indices) -> Callable[[Indices], Scores]:
        detector = fitted_on(indices)
        fold_detectors.append(detector)
        return lambda scored: detector.score(select_rows(rows, scored))

    scores, names = cross_fit_scores(split.fold, scores_without), split.names(split.scored)
    still = None if split.still is None else split.still[split.scored]
    points = {
        name: set_threshold(
            scores, names, rate, guarantee=options.guarantee, weigh=options.weigh, folds=split.folds, still=still
        )
        for name, rate in options.rates.items()
    }
    between = drive_warning(scores, names, next(iter(options.rates.values())), still)
    independent = effective_frames(scores, names, still)
    few = few_frames_warning(len(scores), independent, min(options.rates.values()))
    weights = weigh_frames(names, options.guarantee, options.weigh)
    advised = [margin_advice(scores, weights, rate) for rate in options.rates.values()]
    if 0 < sum(part.needs_drives for part in choice.parts) < len(choice.parts):
        advised.append(drives_advice(split.names(split.fitted), named=options.group_by != "none"))
    return CalibrationResult(
        detector=fitted_on(split.fitted) if split.refitted else fold_detectors[0],
        fold_detector=fold_detectors[0],
        reason=choice.reason,
        split=split,
        scores=scores,
        points=points,
        effective_frames=independent,
        ood_frames=0 if ood is None else next(iter(ood.values())).shape[0],
        warnings=(*warnings, *(text for text in (between, few) if text)),
        advice=tuple(text for text in advised if text),
    )


def _check_finite(features: StoredFeatures) -> None:
    """Refuse NaN and infinity."""
    for key, rows in features.items():
        for start in range(0, rows.shape[0], BLOCK):
            bad = np.flatnonzero(~np.isfinite(rows[start : start + BLOCK]).all(axis=1))
            if len(bad):
                raise CalibrationError(
                    f"expected finite features, frame {start + int(bad[0])} of the calibration frames gave NaN or infinity "
                    f"in {key}: look at it, or drop it"
                )
