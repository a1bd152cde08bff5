# SPDX-License-Identifier: Apache-2.0
"""Do the intervals of an evaluation cover the truth? Simulated drives, of which the figures of all drives are known.

    python examples/evaluation_intervals.py --repeats 2000

The settings differ from those in which the form of the interval was chosen: in the lengths of drives, in the distribution of
their levels, in how a level depends on the length, in the correlation of neighbouring frames, in the shift and in who is
shifted. A line says in how many of the sets of drives that got an interval it holds the truth, and how many got one. The
exit code is 1 where an interval covers less than 90 % by more than chance explains.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from promises import Row, series, share_row
from scipy.special import expit
from scipy.stats import norm

from export.evaluation.failure_prediction import failure_prediction, mean_iou_interval
from export.evaluation.interval import Interval
from export.evaluation.ood_metrics import shift_figures
from export.evaluation.set_drives import SetDrives
from export.frames.overlaps import Overlaps

Scores = NDArray[np.float64]
Rng = np.random.Generator

LEAST_COVER = 0.90
FEWEST_PRINTED = 20
"""Sets with an interval, below which nothing is said of a setting."""

THRESHOLD, WORLD = 2.0, 20_000
CLASSES = np.array([1.0, 1.0, 0.8, 0.5, 0.25])
"""Probability that a class occurs in a drive."""

SHOWN = {
    "auroc": "AUROC",
    "ind_flagged@95_ood_caught": "FPR at 95 %",
    "false_alarm_rate": "false alarms",
    "miss_rate": "missed",
    "accuracy": "accuracy",
    "f1": "F1",
    "mcc": "MCC",
    "mean_iou": "mIoU",
    "spearman": "Spearman",
    "aurc": "AURC",
    "augrc": "AUGRC",
}


@dataclass(frozen=True)
class Setting:
    """How drives are drawn.

    Attributes:
        drives: how many in-distribution ones there are.
        lengths: distribution of their numbers of frames.
        levels: distribution of their levels.
        by_length: correlation of a drive's level with the normal number that its length grows with.
        rho: correlation of neighbouring frames.
        shift: of out-of-distribution frames.
        others: out-of-distribution drives; None where the frames are those of the same drives, degraded.
        spread: standard deviation of levels; within a drive scores have 1.
    """

    drives: int
    lengths: str
    levels: str
    by_length: float = 0.0
    rho: float = 0.3
    shift: float = 2.5
    others: int | None = None
    spread: float = 1.0

    def __str__(self) -> str:
        others = "" if self.others is None else f" and {self.others} others"
        level = f", by length {self.by_length:g}" if self.by_length else ""
        spread = "" if self.spread == 1 else f" of {self.spread:g}"
        return (
            f"{self.drives} drives{others}, {self.lengths}; {self.levels} levels{spread}{level}; "
            f"correlation {self.rho:g}, shift {self.shift:g}"
        )


SETTINGS = (
    Setting(10, "4 frames", "long-tailed", rho=0.0),
    Setting(12, "40 frames", "uniform", rho=0.8),
    Setting(16, "5 to 55 frames", "two kinds of", rho=0.3),
    Setting(20, "5 to 55 frames", "uniform", rho=0.9, shift=1.0, spread=0.3),
    Setting(20, "5 to 55 frames", "long-tailed", shift=4.0, spread=2.0),
    Setting(25, "geometric lengths", "skewed", 0.5, 0.6),
    Setting(25, "geometric lengths", "skewed", -0.5, 0.6),
    Setting(30, "6 or 60 frames", "long-tailed", 0.7),
    Setting(50, "heavy-tailed lengths", "two kinds of", 0.4, 0.8),
    Setting(60, "heavy-tailed lengths", "uniform", 0.6),
    Setting(20, "5 to 55 frames", "skewed", shift=1.5, others=14),
    Setting(40, "geometric lengths", "long-tailed", shift=3.5, others=24),
)


def lengths_of(kind: str, place: Scores) -> NDArray[np.int64]:
    """Numbers of frames of drives; ``place`` is their share of drives that are shorter."""
    made = {
        "4 frames": np.full_like(place, 4),
        "40 frames": np.full_like(place, 40),
        "5 to 55 frames": 5 + 50 * place,
        "geometric lengths": np.ceil(np.log1p(-place) / math.log(0.92)),
        "6 or 60 frames": np.where(place < 0.7, 6, 60),
        "heavy-tailed lengths": np.minimum(6 / np.sqrt(1 - place), 400),
    }[kind]
    sizes: NDArray[np.int64] = np.maximum(made, 1).astype(np.int64)
    return sizes


def levels_of(kind: str, count: int, rng: Rng) -> Scores:
    """Levels of drives, of mean 0 and variance 1."""
    made: dict[str, Scores] = {
        "long-tailed": rng.standard_t(4, size=count) / math.sqrt(2),
        "uniform": rng.uniform(-math.sqrt(3), math.sqrt(3), size=count),
        "two kinds of": np.where(rng.random(count) < 0.3, 1.53, -0.655),
        "skewed": rng.exponential(size=count) - 1,
    }
    return made[kind]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Frames of drives: the drive of each, its score, its pixels by class and its mean IoU."""

    units: NDArray[np.int64]
    scores: Scores
    overlaps: list[Overlaps]
    iou: Scores


def draw(setting: Setting, count: int, rho: float, rng: Rng) -> Drawn:
    """Draw drives; the higher a score, the worse the segmentation tends to be."""
    normal = rng.normal(size=count)
    sizes = lengths_of(setting.lengths, norm.cdf(normal))
    levels = math.sqrt(1 - setting.by_length**2) * levels_of(setting.levels, count, rng) + setting.by_length * normal
    units = np.repeat(np.arange(count), sizes)
    within = series(int(sizes.max()), rho, count, rng) if rho else None
    noise = (
        rng.normal(size=len(units))
        if within is None
        else np.concatenate([row[:size] for row, size in zip(within, sizes, strict=True)])
    )
    scores = setting.spread * levels[units] + noise
    occurs = rng.random((count, len(CLASSES))) < CLASSES
    union = occurs[units] * rng.gamma(0.5, 2000, size=(len(units), len(CLASSES)))
    right = expit(1.5 - 0.5 * scores[:, None] + rng.normal(size=(len(units), len(CLASSES))))
    union, inside = np.ceil(union).astype(np.int64), np.floor(union * right).astype(np.int64)
    seen = union > 0
    iou = (inside / np.where(seen, union, 1)).sum(axis=1) / seen.sum(axis=1)
    return Drawn(units, scores, [Overlaps(a, b) for a, b in zip(inside, union, strict=True)], iou)


def figures(
    setting: Setting, own: Drawn, other: Drawn, drives: tuple[SetDrives, SetDrives] | None, rng: Rng
) -> Mapping[str, Interval]:
    """Every figure, with its interval where ``drives`` are given."""
    ood = other.scores + setting.shift
    if setting.others is None:
        ood = ood + 0.5 * rng.normal(size=len(ood))
    known = drives or (SetDrives(np.zeros(len(own.units), np.int64)), SetDrives(np.zeros(len(ood), np.int64)))
    failure = failure_prediction("score", own.scores, own.iou, [] if drives is None else drives[:1])
    return {
        **shift_figures(own.scores, ood, THRESHOLD, drives=drives),
        "mean_iou": mean_iou_interval(own.overlaps, known[0]),
        "spearman": failure.spearman,
        "aurc": failure.aurc,
        "augrc": failure.augrc,
    }


def of_evaluations(repeats: int, rng: Rng, settings: Sequence[Setting] = SETTINGS, many: int = WORLD) -> Iterator[Row]:
    """Intervals of an evaluation over drives; the truth is that of ``many`` drives, and of others in the same proportion."""
    for setting in settings:
        world = draw(setting, many, 0.0, rng)
        others = world if setting.others is None else draw(setting, many * setting.others // setting.drives, 0.0, rng)
        truth = figures(setting, world, others, None, rng)
        held: dict[str, list[bool]] = {name: [] for name in SHOWN}
        for _ in range(repeats):
            own = draw(setting, setting.drives, setting.rho, rng)
            other = own if setting.others is None else draw(setting, setting.others, setting.rho, rng)
            drives = SetDrives(own.units), SetDrives(other.units, int(setting.others is not None))
            found = figures(setting, own, other, drives, rng)
            for name in SHOWN:
                if found[name].known:
                    held[name].append(found[name].low <= truth[name].value <= found[name].high)
        for name, title in SHOWN.items():
            if len(held[name]) >= FEWEST_PRINTED:
                note = f"printed of {len(held[name]) / repeats:.0%}"
                yield share_row(f"interval of {title}", str(setting), LEAST_COVER, "95 %", np.array(held[name]), note)


def main() -> int:
    """Print a table; 1 where an interval covers too little."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="sets of drives a setting (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    begun, broken = time.perf_counter(), 0
    print("| promise | setting | stated | realised | holds | |\n|---|---|---|---|---|---|")
    for row in of_evaluations(options.repeats, np.random.default_rng(options.seed)):
        print(row, flush=True)
        broken += row.broken
    print(f"{time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
