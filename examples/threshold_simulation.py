# SPDX-License-Identifier: Apache-2.0
"""Do thresholds hold on drives that nobody has seen? Simulated drives, a cross-fit beside the split that it replaced.

    python examples/threshold_simulation.py --repeats 200

The features of a frame are normal; each drive has a mean of its own, drawn at random. A Mahalanobis detector is calibrated
on G drives in two ways: by a cross-fit over five folds, and by a split in which a third of the drives sets the threshold and
fits nothing. Both are judged on 400 new drives, and on the same drives shifted. A row gives the means over the repetitions:
the realised false-alarm rate, the share of repetitions in which it lies in the stated interval for new drives, the share of
shifted frames that is flagged, and the height of the threshold among the scores of new drives, in interquartile ranges.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.calibration.conformal import set_threshold
from export.calibration.cross_fit import cross_fit_scores, deal_folds
from export.detectors.fit import fit_detector
from export.errors import CalibrationError

DIMENSIONS, NEW_DRIVES, FOLDS, RATE, SHIFT = 8, 400, 5, 0.05, 2.0
EFFECTS = {"none": 0.0, "weak": 0.5, "strong": 1.5}
"""Standard deviation of the means of drives, within a drive it is 1."""

Rows = NDArray[np.float64]
Indices = NDArray[np.int64]


def draw_drives(rng: np.random.Generator, count: int, effect: float, uneven: bool) -> tuple[Rows, list[str]]:
    """Frames of new drives, with the names of the drives: 8 each, or from 1 to some hundreds."""
    sizes = np.full(count, 8)
    if uneven:
        sizes = np.maximum(1, np.round(np.exp(rng.normal(1.5, 1.1, count)))).astype(int)
    drive = np.repeat(np.arange(count), sizes)
    means = effect * rng.normal(size=(count, DIMENSIONS))
    return means[drive] + rng.normal(size=(len(drive), DIMENSIONS)), [f"{i:04d}" for i in drive]


def calibrate(rows: Rows, drives: list[str], fold: Indices, refit: bool, guarantee: str, weigh: str) -> tuple:  # type: ignore[type-arg]
    """Detector and operating point; frames of fold -1 fit the detector only."""

    def fit(indices: Indices):  # type: ignore[no-untyped-def]
        detector = fit_detector("mahalanobis", rows[indices])
        return lambda scored: -detector.score_samples(rows[scored])

    scored = np.flatnonzero(fold >= 0)
    names = [drives[int(i)] for i in scored]
    set_threshold(np.zeros(len(names)), names, RATE, guarantee=guarantee, weigh=weigh)
    scores = cross_fit_scores(fold, fit)
    point = set_threshold(scores, names, RATE, guarantee=guarantee, weigh=weigh, folds=FOLDS if refit else 0)
    return fit_detector("mahalanobis", rows if refit else rows[fold < 0]), point


def judge(detector, point, new: Rows, drives: list[str]) -> list[float]:  # type: ignore[no-untyped-def]
    """Realised rate, inside the interval, flagged when shifted, height of the threshold."""
    scores, shifted = -detector.score_samples(new), -detector.score_samples(new + SHIFT)
    flagged = scores > point.value
    realised = float(flagged.mean())
    if point.weigh == "drives":
        _, drive = np.unique(drives, return_inverse=True)
        realised = float((np.bincount(drive, flagged) / np.bincount(drive)).mean())
    low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
    inside = float(point.new_drives_low <= realised <= point.new_drives_high)
    return [realised, inside, float((shifted > point.value).mean()), (point.value - middle) / (high - low)]


def repetitions(
    count: int, effect: float, uneven: bool, guarantee: str, weigh: str, cross: bool, repeats: int, seed: int
) -> Iterator[list[float]]:
    """Figures of each repetition."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        rows, drives = draw_drives(rng, count, effect, uneven)
        new, new_names = draw_drives(rng, NEW_DRIVES, effect, uneven)
        fold = deal_folds(drives, FOLDS if cross else 3, seed=int(rng.integers(2**31)))
        if not cross:
            fold = np.where(fold == 0, 0, -1)
        yield judge(*calibrate(rows, drives, fold, cross, guarantee, weigh), new, new_names)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--drives", type=int, nargs="+", default=[2, 5, 20, 70, 300], help="default: %(default)s")
    parser.add_argument("--effects", choices=list(EFFECTS), nargs="+", default=["weak", "strong"])
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    print(
        "| drives differ | frames a drive | G | guarantee, weighed | how | realised | in the interval | caught | height |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    cells = [
        (effect, uneven, count, guarantee, weigh, cross)
        for effect in options.effects
        for uneven in (False, True)
        for count in options.drives
        for guarantee, weigh in (("frames", "frames"), ("drives", "drives"), ("drives", "frames"))
        for cross in (False, True)
    ]
    for effect, uneven, count, guarantee, weigh, cross in tqdm(cells, unit="cell"):
        how = "cross-fit" if cross else "split"
        where = f"{effect} | {'1 to hundreds' if uneven else '8'} | {count} | {guarantee}, {weigh} | {how}"
        try:
            rows = np.array(
                list(
                    repetitions(count, EFFECTS[effect], uneven, guarantee, weigh, cross, options.repeats, options.seed)
                )
            )
        except CalibrationError as error:
            tqdm.write(f"| {where} | refused: {str(error).split(':')[0]} | | | |")
            continue
        rate, inside, caught, height = rows.mean(axis=0)
        tqdm.write(f"| {where} | {rate:.1%} | {inside:.0%} | {caught:.0%} | {height:.1f} |")


if __name__ == "__main__":
    main()
