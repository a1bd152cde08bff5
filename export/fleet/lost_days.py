# SPDX-License-Identifier: Apache-2.0
"""Single days on which a camera lost most of its frames: by a plain rule, beside what is compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from export.fleet.vehicle_days import UNAVAILABLE, Population

MOST_FRAMES = 0.5
"""Share of unavailable frames from which a day is a lost one."""


@dataclass(frozen=True)
class LostDay:
    """A day on which at least half of the frames of a vehicle's camera tell nothing, whatever is usual in the fleet.

    Attributes:
        bundle: digest of the bundle's manifest.
        threshold: of the score.
        camera: its name.
        vehicle: its name.
        day: of the vehicle.
        share: of frames that are invalid or were dropped.
    """

    bundle: str
    threshold: float
    camera: str
    vehicle: str
    day: date
    share: float


def lost_days(population: Population) -> Iterator[LostDay]:
    """Every day of a population that lost :data:`MOST_FRAMES` or more, by vehicle and day."""
    shares = population.shares(UNAVAILABLE)
    for row, column in np.argwhere(shares >= MOST_FRAMES):
        yield LostDay(
            population.bundle,
            population.threshold,
            population.camera,
            population.vehicles[row],
            population.days[column],
            float(shares[row, column]),
        )
