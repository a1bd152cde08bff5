# SPDX-License-Identifier: Apache-2.0
"""The floor of the parity gate: how far the PyTorch network in float32 is from itself in float64, on the same frames.

No graph in float32 can be closer to the network than the network's own rounding leaves it. The floor is measured where a
difference is above the usual tolerance; passes in float64 would be wasted on all other networks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.bundle.feature_parity import FeatureReference, feature_difference
from export.bundle.float64_network import in_float64
from export.bundle.parity import Comparison, Difference, difference_of
from export.bundle.reference_monitor import ReferenceMonitor
from export.errors import first_line
from export.features.key import FeatureKey

LARGEST_PIXELS = 2**21
"""Pixels of a frame above which nothing is computed in float64: its convolutions unfold their input, gigabytes at a time."""

FACTOR = 4.0
"""How many times the floor a graph may differ: its rounding and PyTorch's are both of that size, and add up."""

_SURE = 0.99
_LARGEST_MARGIN = 2e-3


class UnknownFloorError(Exception):
    """The floor of a network cannot be measured; its text says why."""


@dataclass(frozen=True, eq=False)
class RoundingFloor:
    """What of a network's outputs is rounding, as differences of float32 from float64: the largest of some frames.

    Attributes:
        frames: on how many it was measured; 0 where it was not.
        latent: of the latent samples, as a share of the largest.
        segmentation: share of the pixels of another class, near ties left out; of logits as a share of the largest.
        score: of the score and of the share of any part.
        margin: two logits that are no further apart are near a tie: rounding may put either one first.
        ties: largest share of the pixels of a frame that are near a tie.
    """

    frames: int = 0
    latent: float = 0.0
    segmentation: float = 0.0
    score: float = 0.0
    margin: float = 0.0
    ties: float = 0.0


def measure_floor(reference: ReferenceMonitor, comparison: Comparison, frames: Sequence[int]) -> RoundingFloor:
    """Compute what forms are compared with once more in float64.

    The margin is that within which rounding moves the distance of the two largest logits at 99 of 100 pixels, times
    ``FACTOR``, and at most two thousandths of the largest logit: twice what the gate lets a logit differ by.

    Args:
        reference: the PyTorch network.
        comparison: in float32.
        frames: indices of those on which to measure.

    Raises:
        UnknownFloorError: it cannot be measured.
    """
    floors: list[Difference] = []
    margin = 0.0
    for i in frames:
        ordinary = comparison.expected[i]
        with _measured_on(comparison.frames[i]):
            exact = reference(comparison.frames[i], comparison.noise[i], double=True)
        floors.append(difference_of(exact.as_outputs(), ordinary))
        if exact.margins is not None and ordinary.margins is not None:
            moved = float(np.quantile(np.abs(ordinary.margins - exact.margins), _SURE))
            margin = max(margin, min(FACTOR * moved, _LARGEST_MARGIN * ordinary.largest_logit))
    return RoundingFloor(
        frames=len(floors),
        latent=max(floor.latent for floor in floors),
        segmentation=max(floor.segmentation(margin) for floor in floors),
        score=max(floor.score for floor in floors),
        margin=margin,
        ties=max(
            (float((one.margins < margin).mean()) for one in comparison.expected if one.margins is not None),
            default=0.0,
        ),
    )


def measure_feature_floor(reference: FeatureReference, frame: NDArray[np.uint8]) -> dict[FeatureKey, float]:
    """Difference between float32 and float64 of each feature of one ``(1, H, W, 3)`` frame, in the feature's own unit.

    Raises:
        UnknownFloorError: it cannot be measured.
    """
    readings, logits = reference.read(frame)
    ordinary = reference.of_readings(readings, logits)
    with _measured_on(frame), in_float64(reference.network):
        exact = reference.values(frame, double=True)
    return {key: feature_difference(key, value, exact[key], readings.largest_logit) for key, value in ordinary.items()}


@contextmanager
def _measured_on(frame: NDArray[np.uint8]) -> Iterator[None]:
    pixels = frame.shape[1] * frame.shape[2]
    if pixels > LARGEST_PIXELS:
        raise UnknownFloorError(
            f"frames of {pixels:,} pixels, more than {LARGEST_PIXELS:,}, are not computed in float64"
        )
    try:
        yield
    except Exception as error:  # a user's network may hold on to float32 in any way
        raise UnknownFloorError(f"the network does not run in float64: {first_line(error)}") from error
