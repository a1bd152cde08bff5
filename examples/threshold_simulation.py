# SPDX-License-Identifier: Apache-2.0
"""Do thresholds hold on drives that nobody has seen? Simulated drives, a cross-fit beside the split that it replaced.

    python examples/threshold_simulation.py --repeats 200

The features of a frame are normal; each drive has a mean of its own, drawn at random. A Mahalanobis detector is calibrated
on G drives in two ways: by a cross-fit over five folds, and by a split in which a third of the drives sets the threshold and
fits nothing. Both are judged on 5,000 new drives, and on the same drives shifted. A row gives the means over the
repetitions, of the split and of the cross-fit: the realised false-alarm rate, the share of repetitions in which it lies in
the stated interval for new drives, the share of shifted frames that is flagged, and how many interquartile ranges the
threshold stands above the median of new frames. Of unequal drives half have one to eleven frames, and one in a hundred has
a hundred and more.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.calibration.conformal import set_threshold
from export.calibration.cross_fit import cross_fit_scores
from export.detectors.cross_fit import fold_numbers
from export.detectors.fit import fit_detector
from export.errors import CalibrationError
from lsood_runtime.offline import OperatingPoint

DIMENSIONS, NEW_DRIVES, FRAMES, FOLDS, RATE, SHIFT = 8, 5000, 16, 5, 0.05, 2.0
EFFECTS = {"none": 0.0, "weak": 0.5, "strong": 1.5}
"""Standard deviation of the means of drives; within a drive it is 1."""

Rows = NDArray[np.float64]
Indices = NDArray[np.int64]
Score = Callable[[Rows], Rows]


@dataclass(frozen=True)
class Cell:
    """One row of the table: how drives differ, how many there are, and how the threshold is set."""

    effect: str
    unequal: bool
    drives: int
    guarantee: str
    weigh: str

    def __str__(self) -> str:
        sizes = "1 to hundreds" if self.unequal else f"{FRAMES}"
        return f"{self.effect} | {sizes} | {self.drives} | {self.guarantee}, {self.weigh}"


def draw_frames(rng: np.random.Generator, drives: int, cell: Cell) -> tuple[Rows, Indices]:
    """Frames of some drives, and the index of the drive of each."""
    sizes = np.full(drives, FRAMES)
    if cell.unequal:
        sizes = np.maximum(1, np.exp(rng.normal(2.4, 1.0, drives))).astype(int)
    drive = np.repeat(np.arange(drives), sizes)
    means = EFFECTS[cell.effect] * rng.normal(size=(drives, DIMENSIONS))
    return means[drive] + rng.normal(size=(len(drive), DIMENSIONS)), drive


def calibrate(rows: Rows, drive: Indices, cell: Cell, cross_fit: bool, seed: int) -> tuple[Score, OperatingPoint]:
    """Detector and operating point, by a cross-fit or by a split of the drives."""
    drives = [f"{i}" for i in drive]
    fold = fold_numbers(drives, FOLDS if cross_fit else 3, seed)
    if not cross_fit:
        fold = np.where(fold == 0, 0, -1)

    def fit(indices: Indices) -> Score:
        detector = fit_detector("mahalanobis", rows[indices])
        return lambda frames: -detector.score_samples(frames)

    def fit_and_score(indices: Indices) -> Callable[[Indices], Rows]:
        score = fit(indices)
        return lambda scored: score(rows[scored])

    names = [drives[i] for i in np.flatnonzero(fold >= 0)]
    point = set_threshold(
        cross_fit_scores(fold, fit_and_score),
        names,
        RATE,
        guarantee=cell.guarantee,
        weigh=cell.weigh,
        folds=FOLDS if cross_fit else 0,
    )
    return fit(np.arange(len(rows)) if cross_fit else np.flatnonzero(fold < 0)), point


def repetitions(cell: Cell, cross_fit: bool, repeats: int, seed: int) -> Iterator[list[float]]:
    """Of each repetition: realised rate, inside the interval, share of shifted frames flagged, height of the threshold."""
    rng = np.random.default_rng(seed)
    new, new_drive = draw_frames(rng, NEW_DRIVES, cell)
    weight = 1 / np.bincount(new_drive)[new_drive] if cell.weigh == "drives" else np.ones(len(new))
    for _ in range(repeats):
        score, point = calibrate(*draw_frames(rng, cell.drives, cell), cell, cross_fit, int(rng.integers(2**31)))
        scores = score(new)
        realised = float(np.average(scores > point.value, weights=weight))
        low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
        inside = (point.new_drives_low or 0.0) <= realised <= (point.new_drives_high or 1.0)
        caught = float(np.average(score(new + SHIFT) > point.value, weights=weight))
        yield [realised, inside, caught, (point.value - middle) / (high - low)]


def figures(cell: Cell, cross_fit: bool, repeats: int, seed: int) -> str:
    """The means over the repetitions, as four cells of a row."""
    try:
        rows = np.array(list(repetitions(cell, cross_fit, repeats, seed)))
    except CalibrationError:
        return "too few | | |"
    rate, inside, caught, height = rows.mean(axis=0)
    return f"{rate:.1%} | {inside:.0%} | {caught:.0%} | {height:.1f}"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--drives", type=int, nargs="+", default=[2, 5, 20, 70, 300], help="default: %(default)s")
    parser.add_argument("--effects", choices=list(EFFECTS), nargs="+", default=["weak", "strong"])
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    columns = " | ".join(
        f"{how}: {figure}"
        for how in ("split", "cross-fit")
        for figure in ("realised", "in the interval", "caught", "height")
    )
    print(f"| drives differ | frames a drive | G | guarantee, weigh | {columns} |")
    print("|---" * 12 + "|")
    cells = [
        Cell(effect, unequal, drives, guarantee, weigh)
        for effect in options.effects
        for unequal in (False, True)
        for drives in options.drives
        for guarantee, weigh in (("frames", "frames"), ("drives", "drives"), ("drives", "frames"))
    ]
    for cell in tqdm(cells, unit="cell"):
        split, crossed = (figures(cell, cross_fit, options.repeats, options.seed) for cross_fit in (False, True))
        tqdm.write(f"| {cell} | {split} | {crossed} |")


if __name__ == "__main__":
    main()
