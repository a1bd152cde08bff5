# SPDX-License-Identifier: Apache-2.0
"""The mean rate of thresholds of correlated frames, against simulated calibrations."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm

from export.calibration.few_frames import few_frames_warning, mean_rate


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("frames", [30, 100, 400])
def test_mean_rate_of_simulated_calibrations_is_at_most_the_stated_one(rate: float, rho: float, frames: int) -> None:
    """Normal scores of a first-order autoregression: the rate of a threshold is known."""
    rng = np.random.default_rng([frames, round(100 * rho)])
    scores = lfilter([math.sqrt(1 - rho**2)], [1, -rho], rng.normal(size=(800, frames + 200)), axis=1)[:, 200:]
    thresholds = np.sort(scores, axis=1)[:, math.ceil((1 - rate) * (frames + 1) - 1e-9) - 1]
    rates = norm.sf(thresholds)
    stated = mean_rate(rate, frames * (1 - rho) / (1 + rho))
    assert rates.mean() <= stated + 3 * rates.std() / math.sqrt(800)
    assert rho < 0.8 or rates.mean() > rate, "frames that repeat each other raise it"


def test_few_frames_warning_of_frames_that_are_worth_enough_is_none() -> None:
    assert few_frames_warning(100, 19.0, 0.05) is None
    warning = few_frames_warning(100, 8.2, 0.05)
    assert warning is not None
    assert warning.startswith(
        "100 frames are worth 8 independent ones, and 19 are the fewest that hold 0.05 on average"
    )
    assert "up to 8.0% false alarms" in warning
