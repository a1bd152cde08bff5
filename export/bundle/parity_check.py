# SPDX-License-Identifier: Apache-2.0
"""Tolerances of the parity gate, raised to the measured floor of the network's own rounding and never above a bound."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from export.bundle.parity import Comparison, Difference
from export.bundle.rounding_floor import FACTOR, RoundingFloor, UnknownFloorError
from export.errors import ParityError
from lsood_runtime.offline import FloorRecord, ParityRecord

LATENT_TOLERANCE = 1e-4
SEGMENTATION_TOLERANCE = 1e-3

MOST = 10.0
"""No tolerance is raised by more than this factor, whatever the floor is."""

MOST_TIES = 0.1
"""Share of near ties above which no pixel is left out: little of such a map would be compared."""

FLOOR_FRAMES = 2
"""On how many frames the floor is measured: those that differ most."""


@dataclass(frozen=True)
class Tolerances:
    """Largest allowed differences, in the units of :class:`export.bundle.parity.Difference`.

    Attributes:
        score: see :attr:`export.calibration.calibrate.CalibrationResult.tolerance`.
        latent: of the latent samples.
        segmentation: of class maps, or of logits.
    """

    score: float
    latent: float = LATENT_TOLERANCE
    segmentation: float = SEGMENTATION_TOLERANCE

    def above(self, floor: RoundingFloor) -> Self:
        """The same, or ``FACTOR`` times the floor where that is more, up to ``MOST`` times the same."""
        return type(self)(
            score=raised(self.score, floor.score),
            latent=raised(self.latent, floor.latent),
            segmentation=raised(self.segmentation, floor.segmentation),
        )

    def excess(self, difference: Difference, margin: float = 0.0) -> float:
        """Largest difference as a multiple of its tolerance, pixels left out that are nearer to a tie than ``margin``."""
        shares = (
            difference.latent / self.latent,
            difference.segmentation(margin) / self.segmentation,
            difference.score / self.score,
        )
        return max(share if share == share else float("inf") for share in shares)  # NaN is no small difference


def raised(usual: float, rounding: float) -> float:
    """A tolerance above a floor: a small multiple of it where that is more, within a bound."""
    return max(usual, min(FACTOR * rounding, MOST * usual))


def check_parity(
    comparison: Comparison,
    usual: Tolerances,
    measure: Callable[[Sequence[int]], RoundingFloor],
    causes: Callable[[], Sequence[str]],
) -> ParityRecord:
    """Refuse a monitor whose differences are above their tolerances.

    Where one is above its usual tolerance, the network's own rounding is measured, and the tolerance is what that leaves.

    Args:
        comparison: the measured differences.
        usual: tolerances of a network whose rounding has not been measured.
        measure: the floor on some frames, by their indices; raises :class:`UnknownFloorError`.
        causes: what in the network may be the reason, asked where the monitor is refused.

    Raises:
        ParityError: a difference is above its tolerance, or is not a number.
    """
    worst: dict[int, float] = {}
    for difference in comparison.differences:
        worst[difference.frame] = max(worst.get(difference.frame, 0.0), usual.excess(difference))
    floor, unknown = RoundingFloor(), ""
    if max(worst.values()) > 1:
        try:
            floor = measure(sorted(worst, key=lambda frame: -worst[frame])[:FLOOR_FRAMES])
        except UnknownFloorError as error:
            unknown = f"; the network's own rounding is not known: {error}"
    margin = floor.margin if floor.ties <= MOST_TIES else 0.0
    tolerances = usual.above(floor)
    refused = [difference for difference in comparison.differences if tolerances.excess(difference, margin) > 1]
    if refused:
        raise _refusal(comparison, refused, tolerances, margin, floor, unknown, causes())
    record = _record(comparison)
    if not floor.frames:
        return record
    firm = max(difference.segmentation(margin) for difference in comparison.differences)
    return replace(
        record,
        floor=FloorRecord(floor.frames, floor.latent, floor.segmentation, floor.score, floor.ties, firm),
    )


def _record(comparison: Comparison) -> ParityRecord:
    differences = comparison.differences
    return ParityRecord(
        frames=len(comparison.frames),
        latent_max_abs=float(np.max([difference.latent for difference in differences])),
        segmentation_disagreement=float(np.max([difference.segmentation() for difference in differences])),
        score_max_abs=float(np.max([difference.score for difference in differences])),
    )


def _refusal(
    comparison: Comparison,
    refused: Sequence[Difference],
    tolerances: Tolerances,
    margin: float,
    floor: RoundingFloor,
    unknown: str,
    causes: Sequence[str],
) -> ParityError:
    """The error that names the difference that is furthest above its tolerance, and what may be its cause."""
    worst = max(refused, key=lambda difference: tolerances.excess(difference, margin))
    measured = (
        ("latent samples (share of the largest)", worst.latent, tolerances.latent, floor.latent),
        (
            f"segmentation {comparison.kind} (share)",
            worst.segmentation(margin),
            tolerances.segmentation,
            floor.segmentation,
        ),
        ("score", worst.score, tolerances.score, floor.score),
    )
    name, value, tolerance, rounding = max(
        measured, key=lambda one: math.inf if math.isnan(one[1]) else one[1] / one[2]
    )
    reasons = list(causes)
    if all(difference.paired for difference in refused):
        reasons.insert(0, "frames of a batch are mixed: alone, each gives what it must")
    if FACTOR * rounding > tolerance:
        reasons.insert(0, f"rounding: the network itself differs by {rounding:.3g} between float32 and float64")
    if floor.ties > MOST_TIES:
        reasons.insert(
            0, f"{floor.ties:.0%} of the pixels are near a tie of two classes, as of a network without training"
        )
    known = f"; its own rounding, float32 against float64, is {rounding:.3g}" if floor.frames else unknown
    check = (
        "may be: " + "; ".join(reasons)
        if reasons
        else "check that the network is free of randomness in evaluation mode and treats every frame of a batch alike"
    )
    return ParityError(
        f"expected differences of at most {tolerance:.3g}, the exported graph disagrees with the PyTorch network over "
        f"{len(comparison.frames)} frames: {name} differ by {value:.3g}{known}; no bundle was written: {check}"
    )
