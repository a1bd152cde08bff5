# SPDX-License-Identifier: Apache-2.0
"""Choose the frames that a report shows: those of the highest and of the lowest scores."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.calibration.conformal import p_values
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.evaluation.scored_sets import FrameSet
from lsood_runtime.offline import printable

SHOWN, SHOWN_OF_A_SET = 6, 2


@dataclass(frozen=True, eq=False)
class ShownFrame:
    """A frame with its score.

    Attributes:
        set_name: of the frame's set.
        frame_name: of its file.
        score: of the bundle.
        p_value: of the score, among those of the calibration.
        image: ``(H, W, 3)`` uint8 RGB.
        classes: ``(h, w)`` uint8; None for a bundle without segmentation.
    """

    set_name: str
    frame_name: str
    score: float
    p_value: float
    image: NDArray[np.uint8]
    classes: NDArray[np.uint8] | None


def shown_frames(
    graphs: EvaluationGraphs, sets: Sequence[FrameSet]
) -> tuple[tuple[ShownFrame, ...], tuple[ShownFrame, ...]]:
    """Read the frames of the highest and of the lowest scores once more, a few of a set at most.

    Returns:
        The highest scores from the highest down, the lowest from the lowest up.
    """
    places = [(frames, i) for frames in sets for i in range(len(frames))]
    scores = np.concatenate([frames.score for frames in sets])
    calibration = np.array(graphs.manifest.calibration.scores)
    order = np.argsort(scores, kind="stable")

    def shown(place: int) -> ShownFrame:
        frames, i = places[place]
        frame = frames.source[i]
        score = float(scores[place])
        return ShownFrame(
            set_name=frames.source.name,
            frame_name=printable(Path(frames.names[i]).name),
            score=score,
            p_value=float(p_values(calibration, np.array([score]))[0]),
            image=frame[..., ::-1] if graphs.manifest.input.channels == "bgr" else frame,
            classes=graphs(frame).segmentation,
        )

    def few_of_each_set(ranked: NDArray[np.int64]) -> tuple[ShownFrame, ...]:
        taken: Counter[str] = Counter()
        chosen: list[ShownFrame] = []
        for place in ranked:
            name = places[place][0].source.name
            taken[name] += 1
            if taken[name] <= SHOWN_OF_A_SET and len(chosen) < SHOWN:
                chosen.append(shown(int(place)))
        return tuple(chosen)

    return few_of_each_set(order[::-1]), few_of_each_set(order)
