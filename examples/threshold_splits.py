# SPDX-License-Identifier: Apache-2.0
"""Do the thresholds hold what they promise? Many splits of the same day frames, and the usual rule beside them.

    python -m export calibrate runs/monitor --frames DAY/ --save-features day.npz --out /tmp/unused
    python examples/threshold_splits.py --features day.npz --group-by prefix

Each split fits the kernel density on two fifths of the frames, sets the thresholds by three tenths and counts false alarms
on the rest. Frames are dealt out one by one (then the promise holds exactly), or in contiguous blocks of their video. The
realised rate of a finite rest has chance of its own: beside the share of splits inside the stated interval stands
the share inside the interval that also allows for that chance. The usual rule is the mean of the scores and 1.645 standard
deviations, which is 5 % for scores that are normal.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom
from tqdm import tqdm

from export.calibration.autocorrelation import effective_frames
from export.calibration.conformal import conformal_threshold, set_threshold
from export.detectors.kernel_density import ExactKernelDensity
from export.features.frames import Features
from export.features.key import FeatureKey
from export.frames.drives import drive_names

Indices = NDArray[np.int64]

ENTROPY = FeatureKey.entropy()
RATES = (0.1, 0.05)
USUAL = 1.645
BLOCK = 15


def load(path: Path) -> Features:
    """Names and entropies of one file, whichever network they are of."""
    with np.load(path, allow_pickle=False) as arrays:
        return Features(arrays["names"], arrays["score"], {ENTROPY: arrays[str(ENTROPY)]})


def deal(how: str, count: int, rng: np.random.Generator) -> tuple[Indices, Indices, Indices]:
    """Indices to fit on, to set thresholds by, and to count on."""
    units = np.arange(count) // (BLOCK if how == "blocks" else 1)
    order = rng.permutation(np.unique(units))
    parts = np.split(order, [2 * len(order) // 5, 7 * len(order) // 10])
    fit, held_out, rest = (np.flatnonzero(np.isin(units, part)) for part in parts)
    return fit, held_out, rest


def splits(how: str, features: Features, drives: tuple[str, ...], count: int, seed: int) -> Iterator[list[float]]:
    """Of each split and rate: realised rate, inside the interval, inside with chance, realised by the usual rule."""
    rng = np.random.default_rng(seed)
    entropies = features.rows(ENTROPY).astype(np.float64)
    for _ in tqdm(range(count), desc=how, unit="split"):
        fit, held_out, rest = deal(how, len(drives), rng)
        density = ExactKernelDensity().fit(entropies[fit])
        scores, new = -density.score_samples(entropies[held_out]), -density.score_samples(entropies[rest])
        names = [drives[int(i)] for i in held_out]
        row: list[float] = []
        for rate in RATES:
            point = set_threshold(scores, names, rate)
            assert point.value == conformal_threshold(scores, rate)
            realised = float((new > point.value).mean())
            worth = effective_frames(scores, names) / len(scores)
            above, below = (
                (len(scores) + 1 - (scores <= point.value).sum()) * worth,
                (scores <= point.value).sum() * worth,
            )
            many = max(1, round(effective_frames(new, [drives[int(i)] for i in rest])))
            low, high = betabinom.ppf([0.025, 0.975], many, above, below) / many
            usual = float((new > scores.mean() + USUAL * scores.std()).mean())
            row += [realised, point.rate_low <= realised <= point.rate_high, low <= realised <= high, usual]
        yield row


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, required=True, help="what `calibrate --save-features` wrote")
    parser.add_argument(
        "--group-by", default="prefix", help="how frames are told apart by drive (default: %(default)s)"
    )
    parser.add_argument("--splits", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    features = load(options.features)
    drives = drive_names([Path(name) for name in features.names], options.group_by)
    print("| dealt out by | target | mean rate | in the interval | with chance allowed for | mean + 1.645 sigma |")
    print("|---|---|---|---|---|---|")
    for how in ("frames", "blocks"):
        rows = np.array(list(splits(how, features, drives, options.splits, options.seed)))
        for i, rate in enumerate(RATES):
            realised, inside, allowed, usual = rows[:, 4 * i : 4 * i + 4].T
            usual_text = f"{usual.mean():.3f} ({usual.min():.2f} to {usual.max():.2f})" if rate == 0.05 else ""
            print(
                f"| {how} | {rate:.0%} | {realised.mean():.3f} ({realised.min():.2f} to {realised.max():.2f}) "
                f"| {inside.mean():.0%} | {allowed.mean():.0%} | {usual_text} |"
            )


if __name__ == "__main__":
    main()
