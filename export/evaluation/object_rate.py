# SPDX-License-Identifier: Apache-2.0
"""How many of the frames in distribution show an unknown object, of those that hold none and whose map is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.evaluation.interval import Interval
from export.evaluation.mask_judge import MaskFigures
from export.evaluation.scored_sets import FrameSet
from export.evaluation.set_drives import SetDrives


@dataclass(frozen=True)
class ObjectRate:
    """Frames in distribution that show an unknown object.

    Attributes:
        share: of the frames that count; None where none does.
        frames: how many count.
        holding: others whose mask holds an object.
        unknown: others whose map is unknown.
    """

    share: Interval | None
    frames: int
    holding: int
    unknown: int


def object_rate(ind: FrameSet, drives: SetDrives, masks: Sequence[MaskFigures]) -> ObjectRate | None:
    """Count the in-distribution frames that show an unknown object; None where the bundle tells none.

    Args:
        ind: the frames.
        drives: of them.
        masks: figures of the sets with masks.
    """
    if not ind.answers[0].object_words:
        return None
    own = [frame for figures in masks if figures.set_name == ind.source.name for frame in figures.frames]
    places = {frame.place for frame in own if len(frame.components.siou)}
    holding = np.isin(np.arange(len(ind)), sorted(places))
    unknown = np.array([answers.object_count is None for answers in ind.answers]) & ~holding
    counted = ~holding & ~unknown
    showing = np.array([bool(answers.object_count) for answers in ind.answers])
    share = drives.take(counted).share(showing[counted]) if counted.any() else None
    return ObjectRate(share, int(counted.sum()), int(holding.sum()), int(unknown.sum()))
