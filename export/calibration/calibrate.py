# SPDX-License-Identifier: Apache-2.0
"""Fit a detector to in-distribution entropies and set thresholds by frames that did not fit it.

Frames come in the order of their recording. Whole drives are held out where there are several, contiguous blocks of the one
where there is not. The detector is fitted on the rest; each threshold is an order statistic of the held-out scores
(split-conformal prediction, Vovk et al. 2005; docs/concepts/thresholds.md).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from export.calibration.autocorrelation import effective_frames
from export.calibration.conformal import drive_warning, set_threshold
from export.calibration.options import AUTO, CalibrationOptions
from export.detectors.fit import choose_detector, fit_detector
from export.detectors.registry import detector_spec, detectors_on_ood_frames
from export.errors import CalibrationError, UsageError
from export.frames.drives import drive_names, hold_out
from lsood_runtime.offline import CalibrationRecord, DetectorRecord, OperatingPoint

SCORE_TOLERANCE = 0.02


@dataclass(frozen=True)
class CalibrationResult:
    """A fitted detector and its operating points, with what the manifest records of the frames behind them.

    Attributes:
        detector: optional scaling and projection, then the estimator; ``score_samples`` is minus the score.
        kind: a name in ``export.detectors.registry.DETECTORS``.
        reason: why this kind, in a sentence.
        held_out: indices of the frames that set the thresholds, ascending.
        scores: ``(n,)`` float64: the scores of the held-out frames, in the order of recording.
        points: operating points by name, the default first.
        effective_frames: effective number of independent frames among the held-out ones.
        drives: held-out frames of each drive.
        fit_drives: frames of each drive that the detector was fitted on.
        ood_frames: out-of-distribution frames that it was fitted on.
        warnings: reasons not to rely on the thresholds.
    """

    detector: Pipeline
    kind: str
    reason: str
    held_out: NDArray[np.int64]
    scores: NDArray[np.float64]
    points: Mapping[str, OperatingPoint]
    effective_frames: float
    drives: Mapping[str, int]
    fit_drives: Mapping[str, int]
    ood_frames: int
    warnings: tuple[str, ...]

    @property
    def spread(self) -> float:
        """Interquartile range of the held-out scores, the unit of all tolerances."""
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
        steps = dict(self.detector.steps)
        return DetectorRecord(
            kind=self.kind,
            reason=self.reason,
            parameters=_scalars(self.detector[-1]),
            standardise="scaler" in steps,
            pca_components=int(steps["pca"].n_components_) if "pca" in steps else None,
            fit_frames=sum(self.fit_drives.values()),
            fit_ood_frames=self.ood_frames,
        )

    @property
    def calibration_record(self) -> CalibrationRecord:
        """The manifest's entry for the held-out frames that set the thresholds."""
        held_out = len(self.scores)
        drives_are_split = not self.fit_drives.keys().isdisjoint(self.drives)
        how = "contiguous blocks of their drive" if drives_are_split else f"whole drives: {', '.join(self.drives)}"
        return CalibrationRecord(
            scores=tuple(np.sort(self.scores).tolist()),
            effective_frames=self.effective_frames,
            drives=dict(self.drives),
            fit_drives=dict(self.fit_drives),
            warnings=self.warnings,
            source=f"{held_out} of {held_out + sum(self.fit_drives.values())} frames, {how}",
        )


def _scalars(estimator: BaseEstimator) -> dict[str, float]:
    """The numbers that an estimator learned, by name without the underscore at its end; arrays are left out."""
    learned = {
        name: value for name, value in vars(estimator).items() if name.endswith("_") and not name.startswith("_")
    }
    numbers = {name: value for name, value in learned.items() if isinstance(value, float | np.floating)}
    return {name.rstrip("_"): float(value) for name, value in numbers.items()}


def split_frames(paths: Sequence[Path], options: CalibrationOptions) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Give the drive of each frame, and the indices of those that set the thresholds; wrong options are refused here.

    Raises:
        UsageError: options that contradict each other, or a rule that cannot name the drives.
        CalibrationError: frames that cannot be split, or too few for a rate.
    """
    drives = drive_names(paths, options.group_by)
    held_out = hold_out(drives, options.threshold_drives)
    names = [drives[i] for i in held_out]
    for rate in options.rates.values():
        set_threshold(np.zeros(len(held_out)), names, rate, guarantee=options.guarantee)
    needs_ood_frames = options.detector != AUTO and detector_spec(options.detector).needs_ood_frames
    if needs_ood_frames != bool(options.ood_frames):
        raise UsageError(
            f"expected --ood-frames with --detector {' or '.join(detectors_on_ood_frames())}, and with no other: add or drop "
            "one of them"
        )
    if options.detector == AUTO and (options.pca is not None or options.standardise):
        raise UsageError(
            "expected no --pca and no --standardise with --detector auto, got one: drop it, or name a detector"
        )
    return drives, held_out


def calibrate(
    entropies: NDArray[np.floating],
    drives: Sequence[str],
    held_out: NDArray[np.int64],
    options: CalibrationOptions,
    ood: NDArray[np.floating] | None = None,
    warnings: Sequence[str] = (),
) -> CalibrationResult:
    """Fit the detector on the frames that are not held out, and set the thresholds by those that are.

    Args:
        entropies: ``(N, C)`` in-distribution entropies in the order of recording, nats.
        drives: ``(N,)`` names, as :func:`split_frames` gives them.
        held_out: indices, as :func:`split_frames` gives them.
        options: of detector and thresholds.
        ood: ``(M, C)`` out-of-distribution entropies for a detector that needs them.
        warnings: further reasons not to rely on the thresholds.

    Raises:
        CalibrationError: entropies that are not finite, too few frames, or ones that the detector cannot be fitted on.
    """
    rows = np.asarray(entropies, np.float64)
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise CalibrationError(
            f"expected finite entropies, frame {bad} of the calibration frames gave NaN or infinity: look at it, or drop it"
        )
    fitted = np.delete(np.arange(len(rows)), held_out)
    fit_names = [drives[int(i)] for i in fitted]
    groups = fit_names if len(set(fit_names)) > 1 else None
    kind, standardise, pca, reason = options.detector, options.standardise, options.pca, "asked for"
    if kind == AUTO:
        choice = choose_detector(rows[fitted], groups, seed=options.seed)
        kind, standardise, pca, reason = choice.kind, choice.standardise, choice.pca_components, choice.reason
    detector = fit_detector(
        kind,
        rows[fitted],
        None if ood is None else np.asarray(ood, np.float64),
        pca_components=pca,
        standardise=standardise,
        groups=groups,
        seed=options.seed,
    )
    scores: NDArray[np.float64] = -detector.score_samples(rows[held_out])
    names = [drives[i] for i in held_out]
    points = {
        name: set_threshold(scores, names, rate, guarantee=options.guarantee) for name, rate in options.rates.items()
    }
    between = drive_warning(scores, names, next(iter(options.rates.values())))
    return CalibrationResult(
        detector=detector,
        kind=kind,
        reason=reason,
        held_out=held_out,
        scores=scores,
        points=points,
        effective_frames=effective_frames(scores, names),
        drives=Counter(names),
        fit_drives=Counter(fit_names),
        ood_frames=0 if ood is None else len(ood),
        warnings=(*warnings, *([between] if between else [])),
    )
