# SPDX-License-Identifier: Apache-2.0
"""Does every stated probability, rate and interval hold? Simulated calibrations and drives; stated beside realised.

    python examples/promises.py demo/monitor --repeats 2000

Normal scores of a drive follow a first-order autoregression; drives have levels of their own, which depend on their length
or do not, so that the true rate of a threshold is known. Calibrations are drawn, not frames: a row says in how many of them
what was stated of this one calibration holds. Of the bundle nothing but the layout of its manifest is used. The exit code is
1 where a promise is broken by more than chance explains.
"""

import argparse
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import binom, norm
from simulated_alarms import FRAMES_PER_SECOND, cusum_alarms, hysteresis_alarms, manifest_of, onsets

from export.calibration.autocorrelation import effective_frames
from export.calibration.conformal import conformal_threshold, drive_threshold, new_drive_rate, p_values
from export.calibration.drive_warning import drive_warning
from export.calibration.few_frames import mean_rate
from export.calibration.proven_bounds import proven_bound
from export.calibration.rate_intervals import known_drives_interval, new_drives_interval
from export.detectors.weighted_quantile import weigh_frames
from lsood_runtime import (
    Hysteresis,
    Manifest,
    ScoreHistogram,
    choose_alarm,
    expected_false_alarms,
    parse_policy,
    read_manifest,
)

Scores = NDArray[np.float64]
Rng = np.random.Generator

CHANCE = 1e-4
"""Probability of calling a promise broken that just holds."""

FEWEST_EFFECTIVE_FRAMES = 20
RHO = (0.0, 0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Row:
    """A promise in one setting: what is stated and what came true.

    Attributes:
        promise: what is stated, in words.
        setting: of the simulation.
        stated: the figure.
        realised: the figure that came true.
        broken: whether chance does not explain the difference.
        note: what else there is to say, such as how often nothing was stated.
    """

    promise: str
    setting: str
    stated: str
    realised: str
    broken: bool
    note: str = ""

    def __str__(self) -> str:
        verdict = "**broken**" if self.broken else "yes"
        return f"| {self.promise} | {self.setting} | {self.stated} | {self.realised} | {verdict} | {self.note} |"


def share_row(promise: str, setting: str, least: float, said: str, held: NDArray[np.bool_], note: str = "") -> Row:
    """A row of what has to hold in at least a share of the calibrations."""
    broken = bool(held.sum() < binom.ppf(CHANCE, len(held), least))
    return Row(promise, setting, said, f"{held.mean():.1%} of {len(held)}", broken, note)


def mean_row(promise: str, setting: str, most: float, values: Scores) -> Row:
    """A row of a mean that has to be at most a figure."""
    spread = float(values.std() / math.sqrt(len(values)))
    broken = bool(values.mean() > most - norm.ppf(CHANCE) * spread + 1e-9)
    return Row(promise, setting, f"at most {most:.2%}", f"{values.mean():.2%}", broken)


def series(count: int, rho: float, chains: int, rng: Rng) -> Scores:
    """``(chains, count)`` normal scores, each chain a stationary first-order autoregression."""
    steps = rng.normal(size=(chains, count + 300))
    drawn: Scores = lfilter([math.sqrt(1 - rho**2)], [1, -rho], steps, axis=1)[:, 300:]
    return drawn


@dataclass(frozen=True, eq=False)
class Drives:
    """Scores of drives, whose levels are normal; within a drive scores differ as much.

    Attributes:
        names: ``(n,)`` of the drives.
        scores: ``(n,)``.
        levels: ``(G,)``.
        sizes: ``(G,)`` frames.
    """

    names: list[str]
    scores: Scores
    levels: Scores
    sizes: NDArray[np.int64]

    def rates(self, weigh: str) -> Callable[[float], float]:
        """The true rate of a threshold on frames of these drives, which are many, from a table of thresholds."""
        weights = self.sizes if weigh == "frames" else np.ones(len(self.sizes))
        table = np.linspace(-6, 12, 601)
        known = np.array([np.average(norm.sf(threshold - self.levels), weights=weights) for threshold in table])
        return lambda threshold: float(np.interp(threshold, table, known))


LENGTHS = {
    "equal": "15 frames each",
    "unequal": "1 to a hundred frames",
    "long ones differ": "1 to a hundred frames, level by length",
}


def draw_drives(count: int, lengths: str, rho: float, rng: Rng) -> Drives:
    """Draw drives of equal or unequal lengths, on which half of the variance of their levels depends or none."""
    spread = rng.normal(size=count)
    sizes = np.full(count, 15) if lengths == "equal" else np.maximum(1, np.exp(2.3 + 0.9 * spread)).astype(int)
    levels = rng.normal(size=count)
    if lengths == "long ones differ":
        levels = math.sqrt(0.5) * (levels + spread)
    frames = series(int(sizes.max()), rho, count, rng)
    scores = np.concatenate([level + row[:size] for level, row, size in zip(levels, frames, sizes, strict=True)])
    return Drives([f"d{i}" for i in np.repeat(np.arange(count), sizes)], scores, levels, sizes)


def of_one_drive(repeats: int, rng: Rng) -> Iterator[Row]:
    """Thresholds by frames of one drive, on further frames of it."""
    for rho in RHO:
        for frames in (20, 60, 100, 400, 1000):
            rate = 0.05
            drawn = series(frames, rho, repeats, rng)
            weight, names = np.full(frames, 1 / frames), ["a"] * frames
            thresholds = np.array([conformal_threshold(row, rate) for row in drawn])
            true = norm.sf(thresholds)
            setting = f"{frames} frames, correlation {rho:g}"
            worth = frames * (1 - rho) / (1 + rho)
            yield mean_row("mean rate of thresholds for 5 %", setting, mean_rate(rate, worth) if rho else rate, true)
            ends = np.array(
                [known_drives_interval(row, names, weight, t, 0.95) for row, t in zip(drawn, thresholds, strict=True)]
            )
            inside = (ends[:, 0] <= true) & (true <= ends[:, 1])
            yield share_row("interval of the rate on known drives", setting, 0.9, "95 %", inside)
            if rho == 0:
                new = rng.normal(size=(repeats, 50))
                low = np.array([(p_values(row, own) <= 0.1).mean() for row, own in zip(drawn, new, strict=True)])
                yield mean_row("p-value of a new frame is at most 10 %", setting, 0.1, low)


def of_new_drives(repeats: int, rng: Rng) -> Iterator[Row]:
    """Thresholds by frames of several drives, on frames of others."""
    for lengths, words in LENGTHS.items():
        world = draw_drives(20_000, lengths, 0.0, rng)
        of_frames, of_drives = world.rates("frames"), world.rates("drives")
        for rho in (0.0, 0.95):
            for count in (2, 4, 8, 20, 40):
                setting = f"{count} drives of {words}, correlation {rho:g}"
                inside, bounds, by_drives = [], [], []
                for _ in range(repeats):
                    own = draw_drives(count, lengths, rho, rng)
                    weights = weigh_frames(own.names, "frames", "frames")
                    threshold = float(np.quantile(own.scores, 0.9, method="inverted_cdf"))
                    found = new_drives_interval(own.scores, weights.drive, weights.frame, threshold, 0.95)
                    inside.append(found.low <= of_frames(threshold) <= found.high)
                    bound = new_drive_rate(own.scores, own.names, threshold)
                    bounds.append(of_drives(threshold) - (1.0 if bound is None else bound))
                    if count >= 4:
                        by_drives.append(of_drives(drive_threshold(own.scores, own.names, 0.2)))
                yield share_row("interval of the rate on new drives", setting, 0.9, "95 %", np.array(inside))
                gap = mean_row("", "", 0.0, np.array(bounds))
                yield dataclasses.replace(
                    gap,
                    promise="bound of the rate on new drives",
                    setting=setting,
                    stated="mean rate less bound at most 0",
                )
                if by_drives:
                    yield mean_row("mean rate of `--guarantee drives` for 20 %", setting, 0.2, np.array(by_drives))


def of_proven_bounds(repeats: int, rng: Rng) -> Iterator[Row]:
    """Proven rates of the detectors of the folds, which differ from each other in level and in what they see in a frame."""
    for unit, rate, frames_of, counts in (("frames", 0.1, 1, (20, 60, 200)), ("drives", 0.2, 15, (10, 20, 40))):
        for folds in (2, 5, 10):
            for count in counts:
                realised = []
                for _ in range(repeats):
                    levels = rng.normal(size=count + 20) * (unit == "drives")
                    seen = levels.repeat(frames_of) + rng.normal(size=(count + 20) * frames_of)
                    scores = seen + rng.normal(size=(folds, 1)) + 0.5 * rng.normal(size=(folds, len(seen)))
                    fold = np.arange(count) % folds
                    realised.append(_flagged_by_folds(scores, fold.repeat(frames_of), count, rate))
                bound = proven_bound(count, 1 / count, rate, folds, unit)
                yield mean_row(
                    f"proven rate of {folds} folds for {rate:.0%}", f"{count} {unit}", bound, np.array(realised)
                )


def _flagged_by_folds(scores: Scores, fold: NDArray[np.int64], units: int, rate: float) -> float:
    """Share of new frames that the detectors of the folds flag together, each frame compared with the scores of each fold.

    Args:
        scores: ``(K, n + new)`` by the detector of each fold; the first n are of the calibration.
        fold: ``(n,)``.
        units: m, exchangeable with a new one, of equal weight.
        rate: target.
    """
    above = np.zeros(scores.shape[1] - len(fold))
    for number, row in enumerate(scores):
        known, new = np.sort(row[: len(fold)][fold == number]), row[len(fold) :]
        above += (len(known) - np.searchsorted(known, new, side="left")) / len(fold)
    return float(((1 + units * above) / (units + 1) <= rate + 1e-9).mean())


def of_drive_warnings(repeats: int, rng: Rng) -> Iterator[Row]:
    """Warnings where all drives are alike."""
    for rho in (0.0, 0.8):
        warned = np.array(
            [
                drive_warning(series(60, rho, 6, rng).ravel(), [f"d{i // 60}" for i in range(360)], 0.05) is not None
                for _ in range(repeats)
            ]
        )
        setting = f"6 drives of 60 frames that are alike, correlation {rho:g}"
        broken = bool(warned.sum() > binom.ppf(1 - CHANCE, repeats, 0.01))
        yield Row("chance of a warning that drives differ", setting, "at most 1 %", f"{warned.mean():.2%}", broken)


ALARM_SETTINGS = tuple((frames, rho) for frames in (60, 400) for rho in (0.0, 0.5, 0.9, 0.95))
RULES = ("3of5", "hysteresis:0.02:0.2", "duration:0.45", "1/h", "cusum:0.5h@10")


def of_alarms(
    layout: Manifest, repeats: int, hours: float, rng: Rng, settings: Sequence[tuple[int, float]] = ALARM_SETTINGS
) -> Iterator[Row]:
    """False alarms an hour of every rule, given the calibration at hand; settings are frames and their correlation."""

    @cache
    def stated(rule: str, frames: int, worth: float) -> tuple[object, float, bool]:
        """The rule, its limit, and whether it is stated."""
        typical = manifest_of(layout, np.arange(float(frames)), worth)
        if rule.endswith("/h"):
            chosen = choose_alarm(typical, frames_per_second=FRAMES_PER_SECOND, per_hour=float(rule[:-2]))
            return chosen.policy, float(rule[:-2]), chosen.kept
        policy = parse_policy(rule)
        found = expected_false_alarms(policy, typical, frames_per_second=FRAMES_PER_SECOND, frames=100_000)
        return policy, found.high, found.stated

    for frames, rho in settings:
        known = np.sort(drawn := series(frames, rho, repeats, rng), axis=1)
        worth = np.array([effective_frames(row, ["a"] * frames) for row in drawn])
        steps = np.minimum(np.exp(np.round(np.log(worth) * 10) / 10), frames)
        thresholds = np.array([conformal_threshold(row, 0.05) for row in known])
        drive = series(round(3600 * hours * FRAMES_PER_SECOND / 10), rho, 10, rng)
        for rule in RULES:
            said = [stated(rule, frames, float(f"{e:.4g}")) for e in steps]
            limits, known_limit = np.array([s[1] for s in said]), np.array([s[2] for s in said])
            if rule.startswith("cusum"):
                alarms = cusum_alarms(layout, rule, known, worth, drive[:2].ravel()) * 5
            elif rule.startswith("hysteresis"):
                hysteresis = parse_policy(rule)
                assert isinstance(hysteresis, Hysteresis)
                alarms = hysteresis_alarms(hysteresis, known, drive)
            else:
                alarms = np.empty(repeats)
                for policy in {s[0] for s in said}:
                    own = np.array([s[0] == policy for s in said])
                    grid = np.quantile(thresholds[own], np.linspace(0, 1, 25))
                    counts = [onsets(drive > t, policy) for t in grid]  # type: ignore[arg-type]
                    alarms[own] = np.interp(thresholds[own], grid, counts)
            rates, setting = alarms / hours, f"{frames} frames, correlation {rho:g}"
            typical = f"at most {np.median(limits[known_limit]):.3g}" if known_limit.any() else "not stated"
            title = f"`{rule}`: false alarms an hour, at 90 %"
            yield share_row(title, setting, 0.9, typical, *_kept(known_limit, rates <= limits))
            if rule.startswith("cusum"):
                kept = _kept(worth >= FEWEST_EFFECTIVE_FRAMES, rates <= 2.0)
                yield share_row(f"`{rule}`: 2 an hour, by itself", setting, 0.9, "at most 2", *kept)


def _kept(stated: NDArray[np.bool_], holds: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], str]:
    """Where nothing false is stated; and in words how often something is, and how often that holds."""
    of_these = f", {holds[stated].mean():.0%} of these hold" if stated.any() else ""
    return ~stated | holds, f"stated by {stated.mean():.0%}{of_these}"


def of_drift(layout: Manifest, repeats: int, rng: Rng) -> Iterator[Row]:
    """The index that drives without drift stay below."""
    for frames, rho, count in ((60, 0.0, 100), (400, 0.0, 1000), (400, 0.8, 1000)):
        below = []
        for _ in range(min(repeats, 400)):
            known, new = series(frames, rho, 1, rng)[0], series(count, rho, 1, rng)[0]
            histogram = ScoreHistogram(manifest_of(layout, known, effective_frames(known, ["a"] * frames)).calibration)
            for score in new.tolist():
                histogram.add(score)
            below.append(histogram.population_stability_index <= histogram.index_by_chance())
        setting = f"{count} scores, {frames} frames, correlation {rho:g}"
        yield share_row("drift index of a drive without drift", setting, 0.9, "95 % below", np.array(below))


PARTS = ("one-drive", "new-drives", "warnings", "drift", "alarms", "proven")


def main() -> int:
    """Print a table; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="for the layout of its manifest")
    parser.add_argument("--repeats", type=int, default=200, help="calibrations of a row (default: %(default)s)")
    parser.add_argument("--hours", type=float, default=5.0, help="of driving for each (default: %(default)s)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="of the table (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    layout = read_manifest((options := parser.parse_args()).bundle)
    repeats = options.repeats
    parts: dict[str, Callable[[Rng], Iterator[Row]]] = {
        "one-drive": lambda rng: of_one_drive(repeats, rng),
        "new-drives": lambda rng: of_new_drives(repeats, rng),
        "proven": lambda rng: of_proven_bounds(repeats, rng),
        "warnings": lambda rng: of_drive_warnings(repeats, rng),
        "drift": lambda rng: of_drift(layout, repeats, rng),
        "alarms": lambda rng: of_alarms(layout, repeats, options.hours, rng),
    }
    broken = 0
    print("| promise | setting | stated | realised | holds | |\n|---|---|---|---|---|---|")
    for number, name in enumerate(PARTS):
        if name not in options.parts:
            continue
        begun = time.perf_counter()
        for row in parts[name](np.random.default_rng([options.seed, number])):
            print(row, flush=True)
            broken += row.broken
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
