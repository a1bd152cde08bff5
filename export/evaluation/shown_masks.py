# SPDX-License-Identifier: Apache-2.0
"""Choose and draw the frames with masks that a report shows: of the best and the worst map, and with most false objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.calibration.evaluation_graphs import EvaluationGraphs
from export.evaluation.mask_judge import MaskedFrame, MaskFigures, MaskJudge, best_maps, most_false
from export.evaluation.scored_sets import FrameSet, rgb
from lsood_runtime.offline import MapPictures, printable

SHOWN = 3
"""Frames of each group."""

GROUPS = ("the best maps", "the worst maps", "the most false objects")

_UNKNOWN, _VOID = (0, 170, 60), (128, 128, 128)


@dataclass(frozen=True, eq=False)
class ShownMask:
    """A frame with its mask and its map.

    Attributes:
        group: one of :data:`GROUPS`.
        set_name: of the frame's set.
        frame_name: of its file.
        average_precision: of its pixels; None without unknown ones.
        caught: unknown objects of which a part was found.
        objects: unknown ones.
        false_objects: found ones that no unknown pixel is part of.
        image: ``(H, W, 3)`` uint8 RGB, unknown pixels outlined in green and void ones grey.
        mapped: ``(H, W, 3)`` uint8 RGB, the map over the frame.
    """

    group: str
    set_name: str
    frame_name: str
    average_precision: float | None
    caught: int
    objects: int
    false_objects: int
    image: NDArray[np.uint8]
    mapped: NDArray[np.uint8]


def shown_masks(
    graphs: EvaluationGraphs, sets: Sequence[FrameSet], figures: Sequence[MaskFigures], judge: MaskJudge
) -> tuple[ShownMask, ...]:
    """Read a few frames of each group once more, and draw them; none of the best maps is one of the worst as well."""
    by_name = {frames.source.name: frames for frames in sets}
    every = [frame for of_set in figures for frame in of_set.frames]
    ranked = best_maps(every)
    best = ranked[:SHOWN]
    groups = best, ranked[len(best) :][::-1][:SHOWN], most_false(every)[:SHOWN]
    return tuple(
        _drawn(group, frame, by_name[frame.set_name], graphs, judge)
        for group, of_group in zip(GROUPS, groups, strict=True)
        for frame in of_group
    )


def _drawn(group: str, frame: MaskedFrame, frames: FrameSet, graphs: EvaluationGraphs, judge: MaskJudge) -> ShownMask:
    raw = frames.source[frame.place]
    image = rgb(raw, graphs.manifest.input.channels)
    answers = graphs(raw).answers
    mapped = image
    if answers.anomaly_map is not None:
        mapped = MapPictures(judge.edges, judge.limit).draw(image, answers.anomaly_map, answers.objects)
    path = Path(frame.name)
    return ShownMask(
        group=group,
        set_name=frame.set_name,
        frame_name=printable(path.name),
        average_precision=frame.average_precision,
        caught=frame.caught,
        objects=len(frame.components.siou),
        false_objects=frame.false_objects,
        image=_outlined(image, judge, path),
        mapped=mapped,
    )


def _outlined(image: NDArray[np.uint8], judge: MaskJudge, path: Path) -> NDArray[np.uint8]:
    """The frame with its unknown pixels outlined and its void ones grey."""
    mask = judge.values.read(judge.files[path.stem], judge.edges.height, judge.edges.width)
    line = max(3, 2 * round(image.shape[0] / 240) + 1)
    outer = cv2.dilate(mask.unknown.astype(np.uint8), np.ones((line, line), np.uint8)).astype(bool)
    drawn = image.copy()
    drawn[mask.void] = drawn[mask.void] // 2 + np.array(_VOID, np.uint8) // 2
    drawn[outer & ~mask.unknown] = _UNKNOWN
    return drawn
