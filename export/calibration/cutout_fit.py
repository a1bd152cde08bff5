# SPDX-License-Identifier: Apache-2.0
"""Fit an anomaly map to calibration frames and to objects that are pasted on them, and set its limits.

The drives are dealt to two groups. Frames of the first, clean and with objects of the family ``learn``, fit the head. Frames
of the second, with objects of the family ``judge``, choose what ships, and clean ones set the limits of the very map that
ships: nothing is fitted anew afterwards. What is told of the choice and of the limits is of drives that were left out of them
in turn, so that no frames are set aside for it. Of the first a sample of the cells is kept, of the second a bounded number of
maps of scores, so that memory does not grow with the frames.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.anomalies.cutouts import JUDGE, LEARN
from export.answers.fit_map import CalibratedMap, CleanMaps, clearest_object, map_record, smallest_object
from export.answers.map_choice import JudgedFrames, choose_map
from export.answers.map_head import CellSample, Layers, cells_of, fit_head, layer_choices
from export.answers.map_judgement import FOLDS, judge_choice
from export.answers.maps import FittedMap, MapHead, as_maps, grid_of_map, head_map, pixel_scores
from export.answers.pixel_scores import OUTPUT_PIXEL_SCORES, Maps
from export.calibration.cutout_frames import CutoutMeasuring, MapRows, MeasuredCells, logits_key
from export.calibration.degraded_rows import CLEAN, Labels
from export.calibration.labelled_cells import LabelledCells
from export.calibration.measuring import Measure, Spread, one_process
from export.detectors.cross_fit import fold_numbers
from export.errors import CalibrationError
from export.features.key import FeatureKey
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.reporter import Reporter
from lsood_runtime.offline import InputContract, counted

LEARNED = 2
"""Frames with objects that are made of each clean frame of the first group; of the second one each."""

FEWEST_FRAMES, FEWEST_EACH = 8, 4
"""Of all clean frames, and of those of each group."""

MOST_CELLS = 60_000
"""That fit the head, about."""

MOST_EACH = 100
"""Cells of a frame that fit the head, at most: so many under objects, and so many others."""

MOST_NUMBERS = 20_000_000
"""Of all maps of scores that are kept to choose by, at most."""

FEWEST_JUDGED = 4
"""Frames that are kept to choose by, however large their maps are."""

CLEAN_CELLS = 2000
"""Of each clean frame by which the limit of cells is set."""

_EXAMPLES = 3
_FOLDS = 5
"""Every second of which, from the first on, is of the first group."""

JUDGING_SHARE = 2 / _FOLDS
"""Of the drives, in the second group, where there are several folds' worth of them."""

_LEAST_DEVIATION = 1e-6


def cutout_passes(frames: int) -> int:
    """Passes of the network for so many calibration frames, at most."""
    return min(frames, CLEAN) * (1 + LEARNED)


def calibrate_map(
    files: FrameFiles,
    fitted: NDArray[np.int64],
    drives: Callable[[NDArray[np.int64]], Sequence[str]],
    measure: Measure,
    contract: InputContract,
    seed: int,
    reporter: Reporter,
    road_classes: tuple[int, ...] = (),
    own: Sequence[NDArray[np.uint8]] = (),
    labels: Labels | None = None,
    spread: Spread = one_process,
) -> CalibratedMap:
    """Fit an anomaly map on evenly spaced frames.

    Args:
        files: the calibration frames.
        fitted: indices of those that detectors are fitted on.
        drives: names of the drives of frames, by their indices.
        measure: gives the map of logits, those of layers that a head may read, and the class map.
        contract: of the input, which says where in the frame a cell lies.
        seed: of the groups and of the objects.
        reporter: told how far this has come.
        road_classes: ids of the classes that can be driven on, where most objects are put; none where they are not known.
        own: cut-outs of a user's own to learn from, ``(h, w, 4)`` uint8 RGBA each; none of them judges.
        labels: of the frames, by which the confidence of their pixels is calibrated; none where there are none.
        spread: measures in this process, or in several.

    Raises:
        UsageError: a label that cannot be used.
        CalibrationError: too few frames or labels with pixels that count, a feature that is not finite, or a map too coarse
            for the objects.
    """
    chosen = evenly_spaced(fitted, CLEAN)
    if len(chosen) < FEWEST_FRAMES:
        raise CalibrationError(
            f"expected {FEWEST_FRAMES} or more clean frames to tell unknown objects, got {len(chosen)}: calibrate on more, "
            "or leave --answers map out"
        )
    learning, judging = ([int(index) for index in chosen[group]] for group in map_groups(drives(chosen), seed))
    if min(len(learning), len(judging)) < FEWEST_EACH:
        raise CalibrationError(
            f"expected {FEWEST_EACH} or more clean frames in each of two groups of drives to tell unknown objects, got "
            f"{len(learning)} that objects are learnt on and {len(judging)} that judge: calibrate on more, or leave "
            "--answers map out"
        )
    reporter.stage(f"{cutout_passes(len(chosen)):,} passes of the network, or fewer, for the anomaly map")
    labelled = LabelledCells(files, labels, len(chosen)) if labels is not None and labels.files else None
    with spread(CutoutMeasuring(files, chosen, contract, seed, road_classes, tuple(own)), measure) as run:

        def measured(indices: Sequence[int], family: str, times: int, what: str) -> Iterator[list[MeasuredCells]]:
            items = [(index, family, times) for index in indices]
            yield from reporter.progress(run(items, 1 + times), what, len(items))

        learned = _learn(learning, measured(learning, LEARN, LEARNED, "learning objects"), seed, labelled)
        count = learned.frames_to_judge(len(judging))
        some = [judging[place] for place in evenly_spaced(np.arange(len(judging)), count)]
        judged = _judge(learned, measured(some, JUDGE, 1, "judging scores"))
        choice = choose_map(judged)
        told = judge_choice(judged, fold_numbers(drives(np.array(some, np.int64)), FOLDS, seed))
        if told.left_out:
            reporter.stage(
                f"the map is judged on {told.frames} of {counted(told.frames + told.left_out, 'frame')}: without cells under "
                "objects, or without others, a part of the drives tells nothing"
            )
        whole = FittedMap(
            learned.key,
            choice.slopes,
            choice.offset,
            choice.smoothing,
            learned.class_centre,
            learned.class_scale,
            None if choice.layers is None else learned.heads[choice.layers],
        )
        names = drives(np.array(judging, np.int64))
        clean, examples = _clean(judging, whole, measured(judging, JUDGE, 0, "clean maps"), names, labelled)
    return CalibratedMap(
        whole,
        map_record(whole, choice.best_single, told, clean, road_classes, len(own)),
        examples,
        frames=len(chosen),
        drives=len(set(drives(chosen))),
        pictures=len(chosen) + LEARNED * len(learning) + len(some),
        confidence=None if labelled is None else labelled.calibrated(drives, seed),
    )


def map_groups(drives: Sequence[str], seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which frames, ``(N,)`` each, a map learns from, and which choose it and set its limits: two of five drives.

    Args:
        drives: ``(N,)`` of the frames.
        seed: of the deal of the drives.
    """
    first = fold_numbers(drives, _FOLDS, seed) % 2 == 0
    return first, ~first


@dataclass(frozen=True, eq=False)
class _Learned:
    """What the first group of frames has fitted.

    Attributes:
        key: of the map of logits.
        class_centre: ``(K,)`` mean of the largest logit over the clean pixels of each class.
        class_scale: ``(K,)`` its deviation.
        heads: with each choice of layers.
    """

    key: FeatureKey
    class_centre: Maps
    class_scale: Maps
    heads: Mapping[Layers, MapHead]

    def scores(self, rows: MapRows) -> tuple[dict[str, Maps], dict[Layers, Maps]]:
        """Scores of the network's output ``(h, w)``, and what each head gives."""
        values = {key: np.asarray(row)[None] for key, row in rows.items()}
        logits = as_maps(values[self.key], self.key)
        scores = pixel_scores(logits, self.class_centre, self.class_scale, OUTPUT_PIXEL_SCORES)
        heads = {layers: head_map(head, logits, values)[0] for layers, head in self.heads.items()}
        return {name: maps[0] for name, maps in scores.items()}, heads

    def frames_to_judge(self, frames: int) -> int:
        """How many of so many frames are kept to choose by."""
        rows, columns = grid_of_map(self.key)
        each = 2 * rows * columns * (len(OUTPUT_PIXEL_SCORES) + len(self.heads))
        return min(frames, max(MOST_NUMBERS // each, FEWEST_JUDGED))


def _learn(
    indices: Sequence[int],
    measured: Iterable[Sequence[MeasuredCells]],
    seed: int,
    labelled: LabelledCells | None = None,
) -> _Learned:
    """Fit the heads to a sample of the cells, and the largest logits of each class to all cells of clean frames."""
    each = max(min(MOST_CELLS // ((1 + 2 * LEARNED) * len(indices)), MOST_EACH), 1)
    numbers: dict[FeatureKey, list[NDArray[np.float32]]] = defaultdict(list)
    unknown: list[NDArray[np.bool_]] = []
    channels: dict[FeatureKey, int] = {}
    logits = _ClassLogits()
    for index, (clean, *pasted) in zip(indices, measured, strict=True):
        rng = np.random.default_rng((seed, index))
        if labelled is not None:
            labelled.add(index, clean.rows, clean.segmentation)
        logits.add(as_maps(np.asarray(clean.rows[logits_key(clean.rows)])[None], logits_key(clean.rows))[0])
        channels = {key: row.size // int(np.prod(grid_of_map(key))) for key, row in clean.rows.items()}
        for shown in (clean, *pasted):
            for cells, under in ((shown.unknown, True), (shown.known, False)):
                chosen = rng.permutation(np.flatnonzero(cells))[:each]
                for key, found in cells_of(shown.rows, cells.shape, chosen).items():
                    numbers[key].append(found)
                unknown.append(np.full(len(chosen), under))
    sample = CellSample({key: np.concatenate(parts) for key, parts in numbers.items()}, np.concatenate(unknown))
    _check_both(sample.unknown)
    key = logits_key(channels)
    heads = {layers: fit_head(sample, key, layers, channels) for layers in layer_choices(tuple(channels))}
    return _Learned(key, *logits.centre_and_scale(), heads)


def _judge(learned: _Learned, measured: Iterable[Sequence[MeasuredCells]]) -> JudgedFrames:
    """Scores of frames, clean and with objects."""
    clean: dict[str | Layers, list[NDArray[np.float32]]] = defaultdict(list)
    pasted: dict[str | Layers, list[NDArray[np.float32]]] = defaultdict(list)
    unknown, known = [], []
    for as_it_is, with_objects in measured:
        for kept, shown in ((clean, as_it_is), (pasted, with_objects)):
            for scores in learned.scores(shown.rows):
                for name, found in scores.items():
                    kept[name].append(found.astype(np.float32))
        unknown.append(with_objects.unknown)
        known.append(with_objects.known)
    _check_both(np.array(unknown))
    maps = [{name: np.stack(found) for name, found in kept.items()} for kept in (clean, pasted)]
    own = [{name: part[name] for name in OUTPUT_PIXEL_SCORES} for part in maps]
    heads = [{layers: part[layers] for layers in learned.heads} for part in maps]
    return JudgedFrames(own[0], own[1], heads[0], heads[1], np.array(unknown), np.array(known))


def _clean(
    indices: Sequence[int],
    whole: FittedMap,
    measured: Iterable[Sequence[MeasuredCells]],
    drives: Sequence[str],
    labelled: LabelledCells | None,
) -> tuple[CleanMaps, dict[FeatureKey, NDArray[np.float32]]]:
    """What the map tells of clean frames, and the rows of a few of them."""
    smallest, clearest, cells = smallest_object(whole.grid), [], []
    examples: dict[FeatureKey, list[NDArray[np.floating]]] = defaultdict(list)
    for index, (shown,) in zip(indices, measured, strict=True):
        rows = shown.rows
        if labelled is not None:
            labelled.add(index, rows, shown.segmentation)
        found = whole.anomaly_map({key: np.asarray(rows[key])[None] for key in whole.keys})[0]
        clearest.append(clearest_object(found, smallest))
        cells.append(found.ravel()[evenly_spaced(np.arange(found.size), CLEAN_CELLS)])
        for key in whole.keys if len(clearest) <= _EXAMPLES else ():
            examples[key].append(rows[key])
    kept = {key: np.stack(parts).astype(np.float32) for key, parts in examples.items()}
    return CleanMaps(np.array(clearest), drives, np.concatenate(cells).astype(np.float64)), kept


class _ClassLogits:
    """Mean and deviation of the largest logit over the pixels of each class, in a stream of maps."""

    def __init__(self) -> None:
        self._sums: NDArray[np.float64] = np.zeros((0, 3))

    def add(self, logits: Maps) -> None:
        """Count the pixels of ``(K, h, w)``."""
        largest, classes = logits.max(axis=0).ravel(), logits.argmax(axis=0).ravel()
        sums = [np.bincount(classes, weights, len(logits)) for weights in (np.ones_like(largest), largest, largest**2)]
        self._sums = np.column_stack(sums) + (self._sums if len(self._sums) else np.zeros((1, 3)))

    def centre_and_scale(self) -> tuple[Maps, Maps]:
        """``(K,)`` each; of a class without a pixel those of all pixels."""
        none = self._sums[:, 0] == 0
        sums = np.where(none[:, None], self._sums.sum(axis=0), self._sums)
        centre = sums[:, 1] / sums[:, 0]
        variance = sums[:, 2] / sums[:, 0] - centre**2
        return centre, np.sqrt(np.maximum(variance, _LEAST_DEVIATION**2))


def _check_both(unknown: NDArray[np.bool_]) -> None:
    if unknown.all() or not unknown.any():
        raise CalibrationError(
            "expected cells of the map under pasted objects and beside them, got one of both alone: the map is too coarse "
            "for objects, leave --answers map out"
        )
