# SPDX-License-Identifier: Apache-2.0
"""Judge an anomaly map on drives, and on objects, that no fit has seen.

    python examples/judge_map.py BUNDLE --frames VAL/ --group-by prefix --road-class 0
    python examples/judge_map.py BUNDLE --frames VAL/ --group-by prefix --road-class 0 --objects CUTOUTS/

The bundle is one that was exported with --answers map. Each frame is judged clean and with objects: of the family that fits
no map, or one from a folder of PNG files with alpha, cut from whatever photographs. It prints a Markdown table of the map of
the bundle and of the scores of the network's own output, raw and smoothed, the map's lead with 95 % intervals by drives, and
how many clean frames show an object. The standardised maximum logit is standardised by the frames that are judged, which
favours it.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from export.anomalies.cutouts import PastedObjects, paste_objects
from export.anomalies.jpeg_coding import coded_as_jpeg
from export.answers.fit_map import clearest_object
from export.answers.map_choice import KEPT, SMOOTHINGS
from export.answers.maps import as_maps, grid_of_map, pixel_scores, smoothed
from export.answers.pixel_scores import OUTPUT_PIXEL_SCORES
from export.calibration.cutout_frames import FREE, UNDER, logits_key, road_places
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.patched_rows import cover_of_tiles
from export.frames.drives import drive_names
from export.frames.files import FrameFiles

Frame = NDArray[np.uint8]
Maps = NDArray[np.float32]
MAP = "the map"
SIZES, BRIGHTNESS, QUALITIES = (0.1, 0.35), (0.7, 1.1), (80, 96)
"""Of objects from a folder: side as a share of that of a square as large as the frame, light, and JPEG quality."""


@dataclass(frozen=True, eq=False)
class JudgedObjects:
    """Frames with objects, and their clean ones.

    Attributes:
        scores: ``(N, h, w)`` of each score, with objects.
        clean: ``(N, h, w)`` the map of the clean frames.
        unknown: ``(N, h, w)``: under an object.
        known: ``(N, h, w)``: free of objects.
        drives: ``(N,)``.
    """

    scores: dict[str, Maps]
    clean: Maps
    unknown: NDArray[np.bool_]
    known: NDArray[np.bool_]
    drives: NDArray[np.str_]


def paste_cutout(frame: Frame, cutout: Frame, places: NDArray[np.floating], rng: np.random.Generator) -> PastedObjects:
    """Paste a cut-out ``(h, w, 4)`` RGBA so that it stands on one of the places ``(P, 2)``, wholly within the frame."""
    height, width = frame.shape[:2]
    share = math.exp(rng.uniform(math.log(SIZES[0]), math.log(SIZES[1])))
    side = share * math.sqrt(height * width)
    scale = min(side / math.sqrt(cutout.shape[0] * cutout.shape[1]), 0.6 * height / cutout.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shown = np.asarray(cv2.resize(cutout, None, fx=scale, fy=scale, interpolation=how), np.float32)
    shown = shown[:, :: int(rng.choice([-1, 1]))]
    alpha = cv2.GaussianBlur(np.pad(shown[..., 3] / 255, 3), (0, 0), 0.7)
    colours = np.pad(shown[..., :3], ((3, 3), (3, 3), (0, 0)), "edge") * np.float32(rng.uniform(*BRIGHTNESS))
    down, across = places[int(rng.integers(len(places)))] if len(places) else rng.random(2) * (height, width)
    top = int(np.clip(down - alpha.shape[0], 0, height - alpha.shape[0]))
    left = int(np.clip(across - alpha.shape[1] / 2, 0, width - alpha.shape[1]))
    where = slice(top, top + alpha.shape[0]), slice(left, left + alpha.shape[1])
    mixed, cover = frame.astype(np.float32), np.zeros((height, width), np.float32)
    mixed[where] += alpha[..., None] * (colours - mixed[where])
    cover[where] = alpha
    pixels = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    return PastedObjects(coded_as_jpeg(pixels, int(rng.integers(*QUALITIES))), cover)


def read_cutouts(folder: Path) -> list[Frame]:
    """The PNG files of a folder, as RGBA."""
    return [np.asarray(Image.open(file).convert("RGBA")) for file in sorted(folder.glob("*.png"))]


def measure(options: argparse.Namespace) -> JudgedObjects:
    """Run all frames, clean and with objects."""
    graphs = EvaluationGraphs(options.bundle)
    contract = graphs.manifest.input
    files = FrameFiles(options.frames, contract.channels)
    turned = slice(None, None, -1 if contract.channels == "bgr" else 1)
    cutouts = [] if options.objects is None else read_cutouts(options.objects)
    logits, unknown, known = [], [], []
    maps: dict[str, list[Maps]] = defaultdict(list)
    for index, frame in enumerate(files):
        rng = np.random.default_rng((options.seed, index))
        rows, classes = graphs.of_maps(frame)
        if classes is None:
            raise SystemExit("expected a bundle that segments, got one that does not: export it with its segmentation")
        edges = contract.cell_edges(*grid_of_map(logits_key(rows)), *classes.shape)
        places = road_places(rows[logits_key(rows)], logits_key(rows), edges, tuple(options.road_class))
        shown = frame[..., turned]
        if cutouts:
            pasted = paste_cutout(shown, cutouts[int(rng.integers(len(cutouts)))], places, rng)
        else:
            pasted = paste_objects(shown, files[int(rng.integers(len(files)))][..., turned], "judge", places, rng)
        with_objects = np.ascontiguousarray(pasted.frame[..., turned])
        for name, one in (("clean", frame), (MAP, with_objects)):
            answers = graphs(one).answers
            if answers.anomaly_map is None:
                raise SystemExit(
                    f"expected a bundle with a map, got none in {options.bundle}: export with --answers map"
                )
            maps[name].append(answers.anomaly_map)
        logits.append(as_maps(graphs.of_maps(with_objects)[0][logits_key(rows)][None], logits_key(rows))[0])
        cover = cover_of_tiles(pasted.cover > 0.5, edges)
        unknown.append(cover >= UNDER)
        known.append(cover <= FREE)
    stacked = np.stack(logits)
    own = pixel_scores(stacked, *_by_class(stacked), OUTPUT_PIXEL_SCORES)
    scores = {name: found.astype(np.float32) for name, found in own.items()} | {MAP: np.stack(maps[MAP])}
    drives = np.array(drive_names(files.paths, options.group_by))
    return JudgedObjects(scores, np.stack(maps["clean"]), np.stack(unknown), np.stack(known), drives)


def _by_class(logits: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of the largest of ``(N, K, h, w)`` logits over the pixels of each class."""
    largest, classes = logits.max(axis=1), logits.argmax(axis=1)
    parts = [largest[classes == number] for number in range(logits.shape[1])]
    parts = [part if len(part) > 1 else largest for part in parts]
    return np.array([part.mean() for part in parts]), np.array([max(part.std(), 1e-6) for part in parts])


def figures(maps: NDArray[np.floating], unknown: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average precision, false positives where 95 % are found, and AUROC, in per cent."""
    counted = unknown | known
    truth, values = unknown[counted], maps[counted]
    false, true, _ = roc_curve(truth, values, drop_intermediate=False)
    return 100 * np.array(
        [average_precision_score(truth, values), false[true >= KEPT].min(), roc_auc_score(truth, values)]
    )


def interval(
    drives: NDArray[np.str_], of: Callable[[NDArray[np.int64]], NDArray[np.float64]], resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the 95 % intervals of figures of some frames, by resampled drives."""
    rng, frames = np.random.default_rng(0), [np.flatnonzero(drives == name) for name in np.unique(drives)]
    drawn = [
        of(np.concatenate([frames[i] for i in rng.integers(len(frames), size=len(frames))])) for _ in range(resamples)
    ]
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    return low, high


def table(judged: JudgedObjects, resamples: int) -> None:
    """Print the figures of each score, the network's own raw and smoothed, and the map's lead with intervals by drives."""
    share = judged.unknown.sum() / (judged.unknown | judged.known).sum()
    print(
        f"- {len(judged.drives)} frames of {len(set(judged.drives))} drives; objects cover {share:.1%} of the cells\n"
    )
    print("| score | smoothed over | AP | FPR at 95 % | AUROC |")
    print("|---|---|---|---|---|")
    whole = figures(judged.scores[MAP], judged.unknown, judged.known)
    best, best_precision = judged.scores[MAP].astype(np.float64), -math.inf
    for name in OUTPUT_PIXEL_SCORES:
        for side in SMOOTHINGS:
            shown = smoothed(judged.scores[name].astype(np.float64), side)
            precision, false, auroc = figures(shown, judged.unknown, judged.known)
            print(f"| {name.replace('_', ' ')} | {side} | {precision:.1f} | {false:.1f} | {auroc:.1f} |")
            if precision > best_precision:
                best, best_precision = shown, precision
    print(f"| {MAP} | | {whole[0]:.1f} | {whole[1]:.1f} | {whole[2]:.1f} |\n")

    def of_frames(some: NDArray[np.int64]) -> NDArray[np.float64]:
        own, other = (
            figures(maps[some], judged.unknown[some], judged.known[some])[:2] for maps in (judged.scores[MAP], best)
        )
        return np.concatenate([own, own - other])

    ends = list(zip(*interval(judged.drives, of_frames, resamples), strict=True))
    words = "AP of the map", "FPR", "AP above that of the best other score", "FPR above it"
    told = (f"{word} {low:.1f} to {high:.1f}" for word, (low, high) in zip(words, ends, strict=True))
    print(f"- 95 % intervals by drives: {', '.join(told)}")


def false_objects(judged: JudgedObjects, bundle: Path, resamples: int) -> None:
    """Print how many clean frames show an object."""
    answers = EvaluationGraphs(bundle).manifest.answers
    record = None if answers is None else answers.map
    if record is None:
        raise SystemExit(f"expected a bundle with a map, got none in {bundle}: export with --answers map")
    above = np.array([clearest_object(one, record.smallest_object) > record.object_limit for one in judged.clean])
    low, high = interval(judged.drives, lambda some: np.array([above[some].mean()]), 10 * resamples)
    print(
        f"\n- {above.sum()} of {len(above)} clean frames show an object: {above.mean():.3f} ({low[0]:.3f} to {high[0]:.3f}); "
        f"the limit is for {record.false_alarm_rate:g} over {record.guarantee}"
    )
    parts = " + ".join(name.replace("_", " ") for name in record.slopes)
    print(f"- the map: {parts}, smoothed over {record.smoothing}, layers: {', '.join(record.layers) or 'none'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--frames", nargs="+", required=True)
    parser.add_argument("--group-by", default="none")
    parser.add_argument("--road-class", nargs="+", type=int, default=[], help="ids of classes that can be driven on")
    parser.add_argument("--objects", type=Path, help="folder of PNG files with alpha")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resamples", type=int, default=100, help="of the drives")
    options = parser.parse_args(arguments)
    judged = measure(options)
    table(judged, options.resamples)
    false_objects(judged, options.bundle, options.resamples)


if __name__ == "__main__":
    main()
