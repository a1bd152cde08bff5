# SPDX-License-Identifier: Apache-2.0
"""What does Monte-Carlo sampling of a layer detect that the plain moments of the same layer do not?

    python examples/sampling_study.py --ckpt runs/best.ckpt --fit unseen/drives --judge other/drives --group-by prefix \
        --taps drop backbone.layer4 --masks own 0.5:2 0.3:6 --samples 2 4 16 64 --figure sampling.png

Detectors are fitted on the frames of `--fit` and judged on those of `--judge`, clean and degraded; drives of the two sets
must differ. Every detector is the same: a Gaussian with a shrunk covariance over standardised columns. They read of one pass:

- moments: mean of each channel over its map and the logarithm of its standard deviation, no sampling; and each half alone;
- log deviations of b x b means: of the map after a mean over every b x b cells, no sampling either;
- log deviations of samples, entropies: of the S Monte-Carlo samples of the layer;
- entropies beside the means, and beside the moments.

With `--outputs` scores of the network's output are judged as well, each a mean over the pixels: energy and predictive
entropy of one pass, entropy of the mean of S sampled outputs, and its part that is due to the masks, the mutual information.

A frame hurts where its class map agrees with the clean frame's on less than 85 % of the pixels. Of each score a table gives
the AUROC over all cells and over the frames that hurt, the share of these caught at 5 % of false alarms, the rank
correlation with the agreement over all degraded frames, and how far its AUROC on hurting frames is above the first row's,
with the 2.5 and 97.5 % quantiles over resamples of the judged drives. Many rows are compared, so that one that barely
leaves 0 proves nothing.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported

import numpy as np
import torch
from numpy.typing import NDArray
from sampling_features import LayerReader, Masks, Reading
from scipy.stats import spearmanr
from tqdm import tqdm

from export.anomalies import ANOMALIES, COMMON_KINDS
from export.anomalies.frame_set import FrameSource
from export.checkpoint.load import load_checkpoint
from export.detectors.auroc import auroc
from export.detectors.fit import fit_detector
from export.errors import ExportError, UsageError
from export.evaluation.hurting import AGREEMENT
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.options import ExportOptions

Floats = NDArray[np.floating]
Scores = NDArray[np.float64]
RESAMPLES, RATE = 1000, 0.05
_PANELS_ACROSS = 3
HEAD = (
    "| read | S | AUROC, all cells | AUROC, hurting frames | caught at 5 % | with agreement | against the first row |"
)

PLAIN = {
    "moments": ("mean", "deviation"),
    "means alone": ("mean",),
    "log deviations alone": ("deviation",),
    "log deviations of b x b means": ("block deviation",),
}
SAMPLED = {
    "log deviations of samples": ("sample deviation",),
    "entropies": ("entropy",),
    "means and entropies": ("mean", "entropy"),
    "moments and entropies": ("mean", "deviation", "entropy"),
}
OUTPUTS = ("energy", "predictive entropy")
SAMPLED_OUTPUTS = ("entropy of the mean", "mutual information")


@dataclass(frozen=True, eq=False)
class FrameSet:
    """Readings of N frames: ``(N, D)`` under each, and ``(N, h, w)`` class maps."""

    values: dict[Reading, Floats]
    classes: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Judged:
    """Frames that a detector is judged on.

    Attributes:
        fit: readings of the frames that fit it.
        clean: of clean frames of other drives.
        shifted: of degraded ones.
        cell: ``(M,)`` number of the cell, a kind at a severity, of each degraded frame.
        agreement: ``(M,)`` share of its pixels of the clean frame's class.
        drawn: ``(R, n)`` how often each clean frame is drawn, in resamples of whole drives; and each degraded one.
    """

    fit: dict[Reading, Floats]
    clean: dict[Reading, Floats]
    shifted: dict[Reading, Floats]
    cell: NDArray[np.int64]
    agreement: Scores
    drawn: tuple[Scores, Scores]

    @property
    def hurting(self) -> NDArray[np.bool_]:
        """Which degraded frames hurt."""
        return self.agreement < AGREEMENT


@dataclass(frozen=True)
class Row:
    """Figures of one detector.

    Attributes:
        name: of what it reads.
        samples: S; None for none.
        all_cells: mean AUROC over the cells.
        hurting: AUROC of the hurting frames.
        caught: share of them above the score that 5 % of the clean frames exceed.
        spearman: rank correlation of the score with the agreement, over all degraded frames.
        gain: AUROC of the hurting frames minus that of the table's first row, and its 95 % interval; None in that row.
    """

    name: str
    samples: int | None
    all_cells: float
    hurting: float
    caught: float
    spearman: float
    gain: tuple[float, float, float] | None

    def __str__(self) -> str:
        """A line of the table."""
        figures = " | ".join(f"{value:.3f}" for value in (self.all_cells, self.hurting, self.caught))
        gain = "" if self.gain is None else f"{self.gain[0]:+.3f} ({self.gain[1]:+.3f} to {self.gain[2]:+.3f})"
        return f"| {self.name} | {self.samples or '-'} | {figures} | {self.spearman:.2f} | {gain or '-'} |"


def areas(ind: Scores, ood: Scores, ind_counts: Scores, ood_counts: Scores) -> Scores:
    """AUROC of each resample, ``(R,)``: ``(n,)`` and ``(m,)`` scores, ``(R, n)`` and ``(R, m)`` how often each is drawn."""
    order = np.argsort(ind)
    below = np.pad(np.cumsum(ind_counts[:, order], axis=1), ((0, 0), (1, 0)))
    left, right = (below[:, np.searchsorted(ind[order], ood, side)] for side in ("left", "right"))
    pairs = ind_counts.sum(axis=1) * ood_counts.sum(axis=1)
    result: Scores = ((left + right) / 2 * ood_counts).sum(axis=1) / np.where(pairs > 0, pairs, np.nan)
    return result


def score(judged: Judged, readings: Sequence[Reading]) -> tuple[Scores, Scores]:
    """Scores of the clean and of the degraded frames; of scores of the output, which need no fit, as they are."""
    if readings[0].tap == "output":
        (reading,) = readings
        return judged.clean[reading][:, 0].astype(np.float64), judged.shifted[reading][:, 0].astype(np.float64)
    fit, clean, shifted = (
        np.concatenate([of[reading] for reading in readings], axis=1).astype(np.float64)
        for of in (judged.fit, judged.clean, judged.shifted)
    )
    varying = np.ptp(fit, axis=0) > 0  # a layer of one cell has no deviation
    detector = fit_detector("mahalanobis", fit[:, varying], standardise=True)
    return -detector.score_samples(clean[:, varying]), -detector.score_samples(shifted[:, varying])


def table(judged: Judged, tap: str, masks: Masks, samples: Sequence[int]) -> Iterator[Row]:
    """Judge everything that is read of a tap under some masks; the moments come first, of outputs the energy."""
    hurting = judged.hurting
    clean_counts, counts = judged.drawn[0], judged.drawn[1][:, hurting]
    first: Scores | None = None
    for name, count, readings in rows(tap, masks, samples):
        if not all(reading in judged.fit for reading in readings):
            continue  # no b x b means under the network's own masks, or of a smaller map
        if not any(np.ptp(judged.fit[reading], axis=0).any() for reading in readings):
            continue  # no deviations of a layer of one cell
        ind, ood = score(judged, readings)
        resampled = areas(ind, ood[hurting], clean_counts, counts)
        value = auroc(ind, ood[hurting])
        if first is None:
            first, reference = resampled, value
        low, high = np.nanquantile(resampled - first, [0.025, 0.975])
        yield Row(
            name,
            count,
            float(np.mean([auroc(ind, ood[judged.cell == cell]) for cell in np.unique(judged.cell)])),
            value,
            float((ood[hurting] > np.quantile(ind, 1 - RATE)).mean()),
            float(spearmanr(ood, judged.agreement).statistic),
            None if resampled is first else (value - reference, float(low), float(high)),
        )


def rows(tap: str, masks: Masks, samples: Sequence[int]) -> Iterator[tuple[str, int | None, list[Reading]]]:
    """Name, S and readings of each row of a table."""
    if tap == "output":
        for name in OUTPUTS:
            yield name, None, [Reading(tap, name)]
        for count in samples:
            for name in SAMPLED_OUTPUTS:
                yield name, count, [Reading(tap, name, Masks(), count)]
        return
    for name, parts in PLAIN.items():
        yield name, None, [Reading(tap, part, masks if part == "block deviation" else None) for part in parts]
    for count in samples:
        for name, parts in SAMPLED.items():
            plain = PLAIN["moments"]
            yield name, count, [Reading(tap, p) if p in plain else Reading(tap, p, masks, count) for p in parts]


def read_frames(reader: LayerReader, frames: FrameSource) -> FrameSet:
    """Run frames through the network."""
    read = [reader(frames[i]) for i in tqdm(range(len(frames)), desc=frames.name, unit="frame")]
    values = {key: np.stack([found[key] for _, found in read]) for key in read[0][1]}
    return FrameSet(values, np.stack([classes for classes, _ in read]))


def draw_drives(drives: Sequence[str], resamples: int, rng: np.random.Generator) -> Scores:
    """Draw as many drives as there are, with replacement: ``(R, n)``, how often each frame is drawn."""
    names, units = np.unique(np.asarray(drives), return_inverse=True)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    counts: Scores = drawn[:, units].astype(np.float64)
    return counts


def judge(options: argparse.Namespace, reader: LayerReader, fit: FrameFiles, clean: FrameFiles) -> Judged:
    """Read all frames, and say on the way how many hurt."""
    drives = drive_names(clean.paths, options.group_by)
    both = set(drives) & set(drive_names(fit.paths, options.group_by))
    if both:
        raise UsageError(f"expected other drives to judge than to fit, both hold {min(both)}: drop it from one")
    fitted = read_frames(reader, FrameSource("fit", fit, tuple(range(len(fit)))))
    whole = read_frames(reader, FrameSource("judge, clean", clean, tuple(range(len(clean)))))
    some = tuple(range(0, len(clean), options.every))
    cells = [
        read_frames(reader, FrameSource(f"{kind} {severity}", clean, some, kind, severity, options.seed))
        for kind in options.shifts
        for severity in options.severities
    ]
    agreement = [(one.classes == whole.classes[list(some)]).mean(axis=(1, 2)) for one in cells]
    drawn = draw_drives(drives, RESAMPLES, np.random.default_rng(options.seed))
    judged = Judged(
        fitted.values,
        whole.values,
        {key: np.concatenate([one.values[key] for one in cells]) for key in whole.values},
        np.repeat(np.arange(len(cells)), len(some)),
        np.concatenate(agreement),
        (drawn, drawn[:, list(some) * len(cells)]),
    )
    if not judged.hurting.any():
        raise UsageError("expected degraded frames that hurt, none does: raise --severities")
    print(
        f"{len(fit)} frames fit; {len(clean)} of {len(set(drives))} other drives are judged, and {len(judged.cell)} "
        f"degraded ones in {len(cells)} cells, of which {judged.hurting.sum()} hurt.\n"
    )
    return judged


def draw_figure(path: Path, curves: dict[str, list[Row]]) -> None:
    """Draw AUROC on hurting frames over S, one panel a table."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    across = min(len(curves), _PANELS_ACROSS)
    down = -(-len(curves) // across)
    size = (4.2 * across, 3 * down + 1)
    figure, grid = plt.subplots(down, across, figsize=size, sharey=True, squeeze=False)
    axes = grid.ravel()
    for axis in axes[len(curves) :]:
        axis.set_axis_off()
    colours = {name: f"C{i}" for i, name in enumerate([*SAMPLED, *SAMPLED_OUTPUTS])}
    styles = dict(zip([*PLAIN, *OUTPUTS], ("-", ":", "--", "-.", "-", ":"), strict=True))
    for axis, (title, found) in zip(axes, curves.items(), strict=False):
        for name in dict.fromkeys(row.name for row in found if row.samples):
            points = [(row.samples, row.hurting) for row in found if row.name == name]
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, color=colours[name], label=name)
        for row in found:
            if not row.samples:
                axis.axhline(row.hurting, color="0.3", linestyle=styles[row.name], linewidth=1, label=row.name)
        axis.set_title(title, fontsize="small")
        axis.set(xlabel="Monte-Carlo samples S", xscale="log")
        axis.set_xticks(ticks := sorted({row.samples for row in found if row.samples}), labels=ticks)
        axis.minorticks_off()
    for axis in grid[:, 0]:
        axis.set_ylabel("AUROC, hurting frames")
    drawn = {label: line for axis in axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    figure.set_layout_engine("constrained")
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint of the network")
    parser.add_argument("--model", help="its class as module:Class, as for an export")
    parser.add_argument("--mean", type=float, nargs=3, help="of the frames, in [0, 1] (default: the checkpoint's)")
    parser.add_argument("--std", type=float, nargs=3, help="of the frames, in [0, 1] (default: the checkpoint's)")
    parser.add_argument("--input-size", type=int, nargs=2, metavar=("H", "W"), help="(default: the checkpoint's)")
    parser.add_argument("--fit", type=Path, nargs="+", required=True, help="frames that fit the detectors")
    parser.add_argument("--judge", type=Path, nargs="+", required=True, help="clean frames of other drives")
    parser.add_argument("--group-by", default="prefix", help="tell drives apart, as for an export (default: prefix)")
    parser.add_argument(
        "--taps", nargs="+", required=True, help="layers; A+B samples A and counts the moments of B among its moments"
    )
    parser.add_argument(
        "--masks",
        nargs="+",
        default=["own"],
        metavar="P:B",
        help="own: the network's dropout; P:B: DropBlock of that drop probability and block size at the tap (default: own)",
    )
    parser.add_argument("--samples", type=int, nargs="+", default=[2, 4, 8, 16, 32, 64], help="numbers of samples")
    parser.add_argument("--outputs", action="store_true", help="judge scores of sampled outputs too, S whole passes")
    parser.add_argument("--shifts", nargs="+", choices=list(ANOMALIES), default=list(COMMON_KINDS), metavar="KIND")
    parser.add_argument("--severities", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--every", type=int, default=4, help="degrade every N-th frame to judge (default: 4)")
    parser.add_argument("--seed", type=int, default=0, help="of masks, degradations and resamples")
    parser.add_argument("--figure", type=Path, help="picture of AUROC over S, under the first of the masks")
    options = parser.parse_args(arguments)
    try:
        masks = [Masks.parse(text) for text in options.masks]
        fit, clean = FrameFiles(options.fit), FrameFiles(options.judge)
        checkpoint = load_checkpoint(options.ckpt, options.model)
        mean, std, size = (tuple(given) if given else None for given in (options.mean, options.std, options.input_size))
        given = ExportOptions(options.ckpt, tuple(options.fit), Path("monitor"), mean=mean, std=std, input_size=size)
        preprocessing = resolve_preprocessing(given, checkpoint, fit)
        example = preprocessing(torch.from_numpy(np.array(fit[0]))[None])
        reader = LayerReader(
            checkpoint.network,
            preprocessing,
            example,
            options.taps,
            masks,
            options.samples,
            outputs=options.outputs,
            seed=options.seed,
        )
        judged = judge(options, reader, fit, clean)
    except (ExportError, ValueError) as error:
        parser.error(str(error))
    curves: dict[str, list[Row]] = {}
    tables = [(tap, one) for tap in options.taps for one in masks]
    for tap, one in [*tables, *([("output", Masks())] if options.outputs else [])]:
        title = f"{tap}, masks {one}" if tap != "output" else tap
        found = list(table(judged, tap, one, sorted(options.samples)))
        if one == masks[0] or tap == "output":
            curves[title] = found
        print(f"### {title}\n\n{HEAD}\n|---|---|---|---|---|---|---|", *found, "", sep="\n", flush=True)
    if options.figure:
        draw_figure(options.figure, curves)


if __name__ == "__main__":
    main()
