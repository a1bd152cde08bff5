# SPDX-License-Identifier: Apache-2.0
"""Do alarm rules that hold given the calibration at hand take much longer than those before them?

    python examples/alarm_delays.py demo/monitor --repeats 1000

The rules before stated what an exact calibration would give: the CUSUM divided by the mean of ``p**-0.5`` alone, and the
window of ``1/h`` was chosen with threshold and frames equally correlated, by 1.5 standard deviations of that correlation.
For many simulated calibrations the delay of either is compared: frames until the alarm once all of them score above the
calibration. Of the bundle nothing but the layout of its manifest is used. The exit code is 1 where a delay is more than 1.5
times the earlier one.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from promises import ALARM_SETTINGS, FEWEST_EFFECTIVE_FRAMES, Rng, series
from scipy.stats import chi2
from simulated_alarms import FRAMES_PER_SECOND, manifest_of, onsets

from export.calibration.autocorrelation import effective_frames
from lsood_runtime import KOfN, Manifest, choose_alarm, parse_policy, read_manifest

MOST = 1.5
"""Times the earlier delay, at most."""

HOURS_BETWEEN, SHARE, SHORTEST, LONGEST = 0.5, 0.6, 5, 200
RATE, CALIBRATIONS, UNLUCKY, CHAIN, SPREAD = 0.05, 200, 10, 8000, 1.5


@dataclass(frozen=True)
class DelayRow:
    """Delays of a rule over calibrations of one kind.

    Attributes:
        rule: as users write it.
        setting: of the simulation.
        earlier: ``(C,)`` delays of the rule before, in frames.
        now: ``(C,)`` delays.
        stated: ``(C,)`` whether the calibration is worth enough frames to state a rate.
    """

    rule: str
    setting: str
    earlier: NDArray[np.float64]
    now: NDArray[np.float64]
    stated: NDArray[np.bool_]

    @property
    def broken(self) -> bool:
        """Whether any calibration has more than 1.5 times the earlier delay."""
        return bool((self.now > MOST * self.earlier).any())

    def __str__(self) -> str:
        """A line of the table."""
        ratio = self.now / self.earlier
        return (
            f"| `{self.rule}` | {self.setting} | {self.stated.mean():.0%} | {np.median(self.earlier):g} | "
            f"{np.median(self.now):g} | {np.median(ratio):.2f} | {ratio.max():.2f} | {'**broken**' if self.broken else ''} |"
        )


def earlier_cusum_delay(frames: int, worth: float) -> float:
    """Frames until the earlier CUSUM alarms, each of which has the smallest p-value."""
    together = max(1, math.ceil(frames / max(worth, 1.0) - 1e-9))
    height = math.log(3600 * HOURS_BETWEEN * FRAMES_PER_SECOND / together)
    mean = float(np.mean((np.arange(1, frames + 2) / (frames + 1)) ** -0.5))
    return math.ceil(together * height / (0.5 * math.log(frames + 1) - math.log(mean)) - 1e-9)


def earlier_window(frames: int, worth: float, rng: Rng) -> KOfN:
    """The window that ``1/h`` stood for: the shortest that keeps the rate by the unlucky one of twenty calibrations."""
    worth = max(worth, 1.0)
    lengths = {max(1, math.ceil(frames / worth * factor - 1e-9)) for factor in (1.0, 1 + SPREAD / math.sqrt(worth))}
    flags = []
    for together in lengths:
        rho = (together - 1) / (together + 1)
        known = np.sort(series(frames, rho, CALIBRATIONS, rng), axis=1)
        above = frames - min(frames, math.ceil((1 - RATE) * (frames + 1)))
        threshold = np.sort(known[:, frames - 1 - above])[UNLUCKY]
        flags.append(series(CHAIN, rho, round(30 * 3600 * FRAMES_PER_SECOND / CHAIN), rng) > threshold)
    hours = flags[0].size / FRAMES_PER_SECOND / 3600

    def keeps(n: int) -> bool:
        most = max(onsets(each, KOfN(math.ceil(SHARE * n), n)) for each in flags)
        return bool(chi2.ppf(0.975, 2 * (most + 1)) <= 2 * hours)

    low, high = SHORTEST - 1, LONGEST
    while high - low > 1 and (high < LONGEST or keeps(high)):
        middle = min((low + high) // 2, max(SHORTEST, 2 * low))
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return KOfN(math.ceil(SHARE * high), high)


def of_delays(
    layout: Manifest, repeats: int, rng: Rng, settings: Sequence[tuple[int, float]] = ALARM_SETTINGS
) -> Iterator[DelayRow]:
    """Delays of the CUSUM for each of many calibrations; settings are frames and their correlation."""
    rule = parse_policy(text := f"cusum:{HOURS_BETWEEN:g}h@{FRAMES_PER_SECOND:g}")
    for frames, rho in settings:
        drawn = series(frames, rho, repeats, rng)
        worth = np.array([effective_frames(row, ["a"] * frames) for row in drawn])
        now = [
            rule.delay_frames(manifest_of(layout, row, each).calibration, FRAMES_PER_SECOND)
            for row, each in zip(drawn, worth, strict=True)
        ]
        earlier = [earlier_cusum_delay(frames, each) for each in worth]
        setting = f"{frames} frames, correlation {rho:g}"
        yield DelayRow(text, setting, np.array(earlier), np.array(now), worth >= FEWEST_EFFECTIVE_FRAMES)


def of_chosen_windows(
    layout: Manifest, repeats: int, rng: Rng, settings: Sequence[tuple[int, float]] = ALARM_SETTINGS
) -> Iterator[DelayRow]:
    """Delays of ``1/h`` for calibrations worth what they were measured to be, in steps of a quarter."""

    @cache
    def chosen(frames: int, worth: float) -> tuple[int, int]:
        typical = manifest_of(layout, np.arange(float(frames)), worth)
        now = choose_alarm(typical, frames_per_second=FRAMES_PER_SECOND, per_hour=1.0)
        return earlier_window(frames, worth, rng).k, now.policy.k

    for frames, rho in settings:
        drawn = series(frames, rho, repeats, rng)
        worth = np.array([effective_frames(row, ["a"] * frames) for row in drawn])
        steps = np.minimum(np.exp(np.round(np.log(worth) * 4) / 4), frames)
        delays = np.array([chosen(frames, float(f"{each:.4g}")) for each in steps], np.float64)
        setting = f"{frames} frames, correlation {rho:g}"
        yield DelayRow("1/h", setting, delays[:, 0], delays[:, 1], worth >= FEWEST_EFFECTIVE_FRAMES)


def main() -> int:
    """Print a table; 1 where a delay is more than 1.5 times the earlier one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="for the layout of its manifest")
    parser.add_argument("--repeats", type=int, default=200, help="calibrations of a row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    layout, broken = read_manifest(options.bundle), 0
    print(
        "| rule | calibrations | rate stated of | earlier delay | now | median ratio | largest | |\n|---"
        + "|---" * 7
        + "|"
    )
    for part in (of_delays, of_chosen_windows):
        for row in part(layout, options.repeats, np.random.default_rng(options.seed)):
            print(row, flush=True)
            broken += row.broken
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
