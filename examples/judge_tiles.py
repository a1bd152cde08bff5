# SPDX-License-Identifier: Apache-2.0
"""Judge abnormal tiles on drives that no fit has seen, by fits that have seen each kind of fault, and by fits that have not.

    python examples/judge_tiles.py fit BUNDLE --frames MONITOR/ --group-by prefix --out fit.npz
    python examples/judge_tiles.py measure BUNDLE --frames VAL/ --group-by prefix --out judged.npz
    python examples/judge_tiles.py judge fit.npz judged.npz

The bundle is one that was exported with --answers tiles, whatever it was calibrated on. `fit` measures frames clean, with
patches and with local kinds of degradation, as an export does; `measure` measures others clean and with faults: a mud spot,
a band of dead lines and a disc of glare that are drawn here, and the local kinds; frame by frame the severities go round.
`judge` prints a Markdown table: intersection over union of the abnormal tiles with those that the fault covers by --share or
more, with 95 % intervals of drives that are drawn again and again. Left out: by a fit without the kind, of a drawn fault
without the kind that resembles it; alike left out: without the filling of patches that resembles it as well; seen: by the fit
of an export.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.anomalies import SEVERITIES, TILE_KINDS, degrade_with_mask
from export.answers.fit_tiles import CalibratedTiles, calibrate_tiles
from export.answers.rows import PatchedRows
from export.answers.tiles import grid_of
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.patched_rows import cover_of_tiles, measure_patched
from export.features.key import FeatureKey
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.reporter import SILENT
from lsood_runtime.offline import abnormal_tiles

Frame = NDArray[np.uint8]
Mask = NDArray[np.bool_]
DRAWN = ("mud_spot", "dead_band", "glare_disc")
RESEMBLED = {"mud_spot": "mud", "dead_band": "dead_lines", "glare_disc": "glare"}
"""Kind of degradation that each of them resembles."""

ALIKE = {"mud": "texture", "dead_lines": "lines", "glare": "light"}
"""Fillings of patches that resemble a kind, though none is drawn as it is."""

FEATURE = "feature:"
DRAWS = 2000


def drawn_fault(frame: Frame, kind: str, severity: int, seed: int) -> tuple[Frame, Mask]:
    """Draw a fault on a frame.

    Args:
        frame: ``(H, W, 3)`` uint8.
        kind: one of ``DRAWN``: an opaque, rough, brown spot; rows of which about half are stuck at black or white; a
            saturated disc.
        severity: 1 to 5: radii from 12 to 30 % of the width, bands from 12 to 40 % of the height.
        seed: of place and pattern.

    Returns:
        The frame with the fault, and ``(H, W)`` bool: where it is.
    """
    rng, (height, width) = np.random.default_rng(seed), frame.shape[:2]
    values, place = frame.astype(np.float32), severity - 1
    if kind == "dead_band":
        rows = max(4, int((0.12, 0.18, 0.25, 0.32, 0.4)[place] * height))
        top = int(rng.uniform(0, height - rows))
        stuck = np.flatnonzero(rng.random(rows) < 0.5) + top
        values[stuck] = rng.choice([0.0, 255.0], len(stuck))[:, None, None]
        mask = np.zeros((height, width), np.bool_)
        mask[top : top + rows] = True
        return values.astype(np.uint8), mask
    down, across = np.mgrid[:height, :width].astype(np.float32)
    centre = rng.uniform(0.15, 0.85) * height, rng.uniform(0.15, 0.85) * width
    distance = np.hypot(down - centre[0], across - centre[1]) / ((0.12, 0.16, 0.2, 0.25, 0.3)[place] * width)
    if kind == "glare_disc":
        share = np.clip((1.1 - distance) * 5, 0, 1)
        content: NDArray[np.floating] = np.full_like(values, 255)
    else:
        share = 0.95 * np.clip((1 - distance - 0.12 * _noise(rng, height, width, 0.02)) * 4, 0, 1)
        grain = np.clip(4 * _noise(rng, height, width, 0.005), -15, 15)
        content = np.array([78, 60, 42], np.float32) * rng.uniform(0.7, 1.3) + grain[..., None]
    mixed = values * (1 - share[..., None]) + content * share[..., None]
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8), share > 0.5


def _noise(rng: np.random.Generator, height: int, width: int, size: float) -> NDArray[np.floating]:
    """Smooth noise of deviation 1, its patches of so large a share of the width."""
    field = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), size * width)
    return np.asarray(field / field.std())


def measure_faults(
    bundle: Path, frames: Sequence[str], group_by: str, kinds: Sequence[str]
) -> tuple[PatchedRows, NDArray[np.int64]]:
    """Measure frames clean and with each kind of fault; the rows, whose filling is the kind, and ``(N,)`` severities."""
    graphs = EvaluationGraphs(bundle)
    files = FrameFiles(frames, graphs.manifest.input.channels)
    drives = np.array(drive_names(files.paths, group_by))
    values: dict[FeatureKey, list[NDArray[np.float32]]] = {key: [] for key in graphs.tiles}
    cover, filling, severities, places = [], [], [], []
    for index, frame in enumerate(files):
        for turn, kind in enumerate(("", *kinds)):
            severity = 0 if not kind else SEVERITIES[(index + turn) % len(SEVERITIES)]
            shown, mask = np.asarray(frame), np.zeros(files.shape[:2], np.bool_)
            if kind:
                make = drawn_fault if kind in DRAWN else degrade_with_mask
                shown, mask = make(shown, kind, severity, 131 * index + turn)
            for key, row in graphs.of_tiles(shown).items():
                values[key].append(row)
            cover.append(cover_of_tiles(mask, graphs.manifest.input.tile_edges(*grid_of(graphs.tiles))))
            filling.append(kind)
            severities.append(severity)
            places.append(index)
    frame_of_row = np.array(places, np.int64)
    stacked = {key: np.stack(rows) for key, rows in values.items()}
    rows = PatchedRows(stacked, np.stack(cover), np.array(filling), drives[frame_of_row], frame_of_row)
    return rows, np.array(severities)


def write_rows(rows: PatchedRows, severity: NDArray[np.integer], file: Path) -> None:
    """Keep rows in a file."""
    stored: dict[str, Any] = {f"{FEATURE}{key}": numbers for key, numbers in rows.values.items()}
    np.savez(
        file, cover=rows.cover, filling=rows.filling, drive=rows.drive, frame=rows.frame, severity=severity, **stored
    )


def read_rows(file: Path) -> tuple[PatchedRows, NDArray[np.int64]]:
    """Read rows back, with their severities."""
    with np.load(file) as stored:
        held = {name: stored[name] for name in stored.files}
    values = {FeatureKey.parse(name[len(FEATURE) :]): held[name] for name in held if name.startswith(FEATURE)}
    rows = PatchedRows(values, held["cover"], held["filling"], held["drive"], held["frame"])
    return rows, held["severity"]


def overlaps(found: Mask, truth: Mask) -> NDArray[np.float64]:
    """Intersection over union ``(N,)`` of tiles ``(N, R, Q)``; each frame has one of ``truth`` or of ``found``."""
    both, either = (found & truth).sum(axis=(1, 2)), (found | truth).sum(axis=(1, 2))
    return np.asarray(both / either, np.float64)


def over_drives(part: NDArray[np.int64], whole: NDArray[np.int64], drive: NDArray[np.str_]) -> str:
    """Ends of the 95 % interval of ``sum(part) / sum(whole)``, counts of each frame, by a bootstrap over drives."""
    names, place = np.unique(drive, return_inverse=True)
    drawn = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    parts, wholes = (drawn @ np.bincount(place, weights=counts, minlength=len(names)) for counts in (part, whole))
    low, high = np.quantile(parts / np.maximum(wholes, 1), [0.025, 0.975])
    return f"{low:.2f} to {high:.2f}"


def left_out(fault: str) -> tuple[tuple[str, ...], ...]:
    """What the fits leave out that judge a fault: nothing, its kind, and where there is one the filling alike as well."""
    kind = RESEMBLED.get(fault, fault)
    return ((), (kind,), (kind, ALIKE[kind])) if kind in ALIKE else ((), (kind,))


def found_by(calibrated: CalibratedTiles, judged: PatchedRows) -> Mask:
    """Which tiles are abnormal, ``(N, R, Q)`` bool."""
    record, abnormality = calibrated.record, calibrated.fitted.abnormality(judged.values)
    return np.stack([abnormal_tiles(tiles, record.limit, record.neighbor_limit) for tiles in abnormality])


def clean_words(calibrated: CalibratedTiles, found: Mask, judged: PatchedRows) -> str:
    """How many clean frames have no abnormal tile, and what the limit promises."""
    record, clean = calibrated.record, judged.clean
    whole = np.logical_not(found[clean].any(axis=(1, 2)))
    interval = over_drives(whole.astype(np.int64), np.ones(len(whole), np.int64), judged.drive[clean])
    return (
        f"{whole.mean():.3f} of {clean.sum()} ({interval}); the limit is for a rate of {record.false_alarm_rate:g} over "
        f"{record.guarantee}, and keeps {record.clean_kept:.3f} of those of the fit"
    )


def overlap_words(found: Mask, truth: Mask, drive: NDArray[np.str_]) -> str:
    """Intersection over union of all tiles of a fault's frames, its interval, and the mean of the frames."""
    counts = (found & truth).sum(axis=(1, 2)), (found | truth).sum(axis=(1, 2))
    pooled = counts[0].sum() / counts[1].sum()
    return f"{pooled:.2f} ({over_drives(*counts, drive)}), {overlaps(found, truth).mean():.2f}"


def judge(options: argparse.Namespace) -> None:
    """Fit on one file of rows, with all and with what is left out for each fault, and judge on the other."""
    (fit, _), (judged, severity) = read_rows(options.fit), read_rows(options.judged)
    faults = options.kinds or list(dict.fromkeys(judged.filling[~judged.clean].tolist()))
    found: dict[tuple[str, ...], Mask] = {}
    for names in dict.fromkeys(names for fault in ["", *faults] for names in (left_out(fault) if fault else ((),))):
        calibrated = calibrate_tiles(fit.chosen(~np.isin(fit.filling, names)), 0)
        found[names] = found_by(calibrated, judged)
        print(f"- clean frames without an abnormal tile, left out {' and '.join(names) or 'nothing'}: ", end="")
        print(clean_words(calibrated, found[names], judged))
    print("\nIoU of all tiles (95 % interval), mean IoU of the frames:\n")
    print("| fault | frames | left out | alike left out | seen | seen, severity 1 to 5 | any of its tiles found |")
    print("|---|---|---|---|---|---|---|")
    truth = judged.cover >= options.share
    for fault in faults:
        own = (judged.filling == fault) & truth.any(axis=(1, 2))
        seen, *others = (found[names][own] for names in left_out(fault))
        words = [overlap_words(each, truth[own], judged.drive[own]) for each in (*others, seen)]
        each = overlaps(seen, truth[own])
        levels = [each[severity[own] == level] for level in SEVERITIES]
        by_level = ", ".join(f"{part.mean():.2f}" if len(part) else "none" for part in levels)
        hits = ", ".join(f"{(part & truth[own]).any(axis=(1, 2)).mean():.2f}" for part in (others[0], seen))
        columns = [fault, str(own.sum()), *words[:-1], *[""] * (3 - len(words)), words[-1], by_level, hits]
        print(f"| {' | '.join(columns)} |")


def fit(options: argparse.Namespace) -> None:
    """Measure frames clean, with patches and with local kinds, as an export does, and keep the rows."""
    graphs = EvaluationGraphs(options.bundle)
    files = FrameFiles(options.frames, graphs.manifest.input.channels)
    drives = np.array(drive_names(files.paths, options.group_by))
    everything = np.arange(len(files.paths))
    rows = measure_patched(
        files,
        everything,
        lambda places: drives[places].tolist(),
        lambda frame: (graphs.of_tiles(frame), None),
        graphs.manifest.input,
        options.seed,
        SILENT,
    )
    write_rows(rows, np.zeros(len(rows), np.int64), options.out)


def measure(options: argparse.Namespace) -> None:
    """Measure frames clean and with faults, and keep the rows."""
    write_rows(*measure_faults(options.bundle, options.frames, options.group_by, options.kinds), options.out)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure frames, or judge tiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run in (("fit", fit), ("measure", measure)):
        one = commands.add_parser(name, help="frames to rows")
        one.add_argument("bundle", type=Path)
        one.add_argument("--frames", nargs="+", required=True)
        one.add_argument("--group-by", default="none")
        one.add_argument("--out", type=Path, required=True)
        if name == "fit":
            one.add_argument("--seed", type=int, default=0)
        else:
            one.add_argument("--kinds", nargs="+", default=[*DRAWN, *TILE_KINDS])
        one.set_defaults(run=run)
    other = commands.add_parser("judge", help="rows to a table")
    other.add_argument("fit", type=Path)
    other.add_argument("judged", type=Path)
    other.add_argument("--share", type=float, default=0.3, help="share of a tile that a fault covers")
    other.add_argument("--kinds", nargs="+", help="faults to judge; all that were measured, unless named")
    other.set_defaults(run=judge)
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
