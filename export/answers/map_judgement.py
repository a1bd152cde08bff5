# SPDX-License-Identifier: Apache-2.0
"""Judge the choice of an anomaly map on frames that did not choose it: a part of the frames at a time is left out.

Each part is judged by the map, and by the single score, that the other parts choose. So every frame chooses what ships, and
the figures are still of frames that chose nothing: a split of its own for them would take frames from the choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.answers.map_choice import JudgedFrames, MapChoice, choose_map
from export.answers.maps import smoothed
from export.answers.pixel_scores import HEAD
from export.errors import CalibrationError

FOLDS = 3
"""Parts of the frames, at most: each costs one more choice."""


@dataclass(frozen=True)
class MapJudgement:
    """Means over the parts, each of which weighs as many as its frames.

    A part does not count where it, or the rest, has no cells under objects, or no others.

    Attributes:
        average_precision: of the cells under objects.
        false_positives: share of the other cells above the value that 95 % of the objects' cells reach.
        best_single_average_precision: of the network's own score that the other parts find best.
        best_single_false_positives: of the same.
        frames: of the parts that count.
        left_out: frames of the others.
    """

    average_precision: float
    false_positives: float
    best_single_average_precision: float
    best_single_false_positives: float
    frames: int
    left_out: int


def judge_choice(judged: JudgedFrames, fold: NDArray[np.int64]) -> MapJudgement:
    """Choose and judge in turn.

    Args:
        judged: frames that fitted nothing.
        fold: ``(P,)`` part that each is of, two at least.

    Raises:
        CalibrationError: no part has cells under objects and others while the rest has both too.
    """
    figures, weights = [], []
    for number in np.unique(fold):
        own, others = judged.chosen(fold == number), judged.chosen(fold != number)
        if not (own.has_both and others.has_both):
            continue
        choice = choose_map(others)
        whole, single = chosen_maps(choice, own), smoothed_single(choice, own)
        figures.append([f(maps) for maps in (whole, single) for f in (own.average_precision, own.false_positives)])
        weights.append(len(own.unknown))
    if not figures:
        raise CalibrationError(
            "expected cells of the map under pasted objects on frames of two parts of the drives, got them on one alone: "
            "the map is too coarse for objects, or the frames too few; calibrate on more, or leave --answers map out"
        )
    precision, false, single_precision, single_false = np.average(np.array(figures), axis=0, weights=weights).tolist()
    frames = sum(weights)
    return MapJudgement(precision, false, single_precision, single_false, frames, len(fold) - frames)


def chosen_maps(choice: MapChoice, judged: JudgedFrames) -> NDArray[np.float64]:
    """The map of a choice on frames with objects, ``(P, h, w)``."""
    scores: Mapping[str, NDArray[np.float32]] = judged.pasted
    if choice.layers is not None:
        scores = {**scores, HEAD: judged.pasted_heads[choice.layers]}
    total = choice.offset + sum(slope * scores[name].astype(np.float64) for name, slope in choice.slopes.items())
    return smoothed(np.asarray(total), choice.smoothing)


def smoothed_single(choice: MapChoice, judged: JudgedFrames) -> NDArray[np.float64]:
    """The best single score of a choice on frames with objects, ``(P, h, w)``."""
    return smoothed(judged.pasted[choice.best_single].astype(np.float64), choice.best_single_smoothing)
