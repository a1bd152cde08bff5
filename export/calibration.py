# SPDX-License-Identifier: Apache-2.0
"""From in-distribution entropies to a density and a threshold that no frame serves twice.

Frames are taken in the order of their recording and cut into contiguous blocks; some blocks are held out. The density is
fitted on the others, the threshold is an order statistic of the held-out scores (split-conformal prediction, Vovk et al.
2005): a new frame, exchangeable with the held-out ones, exceeds it with probability at most the target rate.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline

from export.detectors import ExactKernelDensity
from export.errors import CalibrationError

BLOCKS = 8
HELD_OUT_BLOCKS = (2, 6)


@dataclass(frozen=True)
class Calibration:
    """What calibration hands to the bundle.

    Attributes:
        detector: optional PCA, then the kernel density; ``score_samples`` gives log-densities.
        held_out: indices of the frames that set the threshold, ascending.
        scores: ``(n,)`` float64, ascending: the scores of the held-out frames.
        threshold: score above which a frame is called out of distribution.
        false_alarm_rate: the target that the threshold was chosen for.
    """

    detector: Pipeline
    held_out: NDArray[np.int64]
    scores: NDArray[np.float64]
    threshold: float
    false_alarm_rate: float

    @property
    def density(self) -> ExactKernelDensity:
        """The density at the end of the pipeline."""
        density: ExactKernelDensity = self.detector[-1]
        return density

    @property
    def spread(self) -> float:
        """Interquartile range of the held-out scores, nats: the unit that tolerances are stated in."""
        low, high = np.quantile(self.scores, [0.25, 0.75])
        return float(high - low)


def held_out_frames(count: int) -> NDArray[np.int64]:
    """Indices of the frames that fit nothing: the 3rd and 7th of eight contiguous blocks."""
    blocks = np.array_split(np.arange(count), BLOCKS)
    return np.concatenate([blocks[i] for i in HELD_OUT_BLOCKS])


def conformal_threshold(scores: NDArray[np.float64], false_alarm_rate: float) -> float:
    """The smallest held-out score that at most ``false_alarm_rate`` of exchangeable new frames exceed.

    It is the ``ceil((n + 1) * (1 - rate))``-th smallest of n scores.

    Raises:
        CalibrationError: the rate is not in (0, 1), or too small for n: the message says how many scores it needs.
    """
    if not 0 < false_alarm_rate < 1:
        raise CalibrationError(f"expected a false-alarm rate between 0 and 1, got {false_alarm_rate}")
    count = len(scores)
    # A rate such as 0.05 is not exact in binary: without the rounding 19 scores would be one too few for it.
    rank = math.ceil(round((count + 1) * (1 - false_alarm_rate), 9))
    if rank > count:
        needed = math.ceil(round(1 / false_alarm_rate, 9)) - 1
        raise CalibrationError(
            f"expected at least {needed} held-out frames for a false-alarm rate of {false_alarm_rate:g}, got {count}: "
            f"calibrate with about {needed * BLOCKS // len(HELD_OUT_BLOCKS) + BLOCKS} frames, or ask for a higher rate"
        )
    return float(np.sort(scores)[rank - 1])


def check_frame_count(count: int, false_alarm_rate: float) -> None:
    """Refuse a rate that ``count`` calibration frames cannot carry, before anything costly is done with them.

    Raises:
        CalibrationError: as for :func:`conformal_threshold`.
    """
    conformal_threshold(np.zeros(len(held_out_frames(count))), false_alarm_rate)


def fit_detector(entropies: NDArray[np.float64], pca_components: int | None = None, seed: int = 0) -> Pipeline:
    """Fit the density, after a whitening PCA where one is asked for.

    Args:
        entropies: ``(N, C)`` in the order of recording.
        pca_components: None for the entropies as they are.
        seed: of the PCA's randomised solver.

    Raises:
        CalibrationError: too few or identical frames, or more components than frames or dimensions.
    """
    count, dimensions = entropies.shape
    steps: list[tuple[str, object]] = []
    if pca_components is not None:
        if not 1 <= pca_components <= min(count, dimensions):
            raise CalibrationError(
                f"expected 1 to {min(count, dimensions)} PCA components for {count} frames of {dimensions} dimensions, "
                f"got {pca_components}"
            )
        steps.append(("pca", PCA(pca_components, whiten=True, random_state=seed)))
    steps.append(("density", ExactKernelDensity()))
    try:
        return Pipeline(steps).fit(entropies)
    except ValueError as error:
        raise CalibrationError(f"the calibration frames carry no density: {error}") from error


def calibrate(
    entropies: NDArray[np.float64], false_alarm_rate: float, pca_components: int | None = None, seed: int = 0
) -> Calibration:
    """Fit the density on most blocks of frames and take the threshold from the others.

    Args:
        entropies: ``(N, C)`` in-distribution entropies in the order of recording, nats.
        false_alarm_rate: share of in-distribution frames that may be flagged, in (0, 1).
        pca_components: None, or the number of whitened principal components that the density sees.
        seed: of the PCA.

    Raises:
        CalibrationError: too few frames, frames that do not differ, or non-finite entropies.
    """
    if not np.isfinite(entropies).all():
        bad = int(np.flatnonzero(~np.isfinite(entropies).all(axis=1))[0])
        raise CalibrationError(f"expected finite entropies, frame {bad} of the calibration frames gave NaN or infinity")
    check_frame_count(len(entropies), false_alarm_rate)
    held_out = held_out_frames(len(entropies))
    detector = fit_detector(np.delete(entropies, held_out, axis=0), pca_components, seed)
    scores = np.sort(-detector.score_samples(entropies[held_out]))
    return Calibration(detector, held_out, scores, conformal_threshold(scores, false_alarm_rate), false_alarm_rate)
