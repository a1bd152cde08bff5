# SPDX-License-Identifier: Apache-2.0
"""Intervals of the figures of maps and objects by masks, by leaving out one drive at a time as for every other figure.

A figure of pixels is taken over the pixels of all drives but one, and one of objects over their components; the frames that
hold what it is about, such as an object, are the side of it that few drives limit.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from export.evaluation.component_metrics import Components
from export.evaluation.interval import Interval
from export.evaluation.mask_metrics import PIXEL_FIGURES, PixelCounts
from export.evaluation.set_drives import SetDrives, figure_interval

Scores = NDArray[np.float64]

_OF_COMPONENTS: dict[str, Callable[[Components], float | None]] = {
    "siou": lambda components: components.mean_siou,
    "ppv": lambda components: components.mean_ppv,
    "mean_f1": lambda components: components.mean_f1,
}
COMPONENT_FIGURES = tuple(_OF_COMPONENTS)
"""Names of the figures of objects."""


def component_figure(components: Components, name: str) -> float | None:
    """A figure of :data:`COMPONENT_FIGURES`; None where it is unknown."""
    return _OF_COMPONENTS[name](components)


def mask_intervals(
    components: Sequence[Components], pixels: PixelCounts, parts: Sequence[PixelCounts], drives: SetDrives
) -> dict[str, Interval]:
    """The figures that are known, by name, with their intervals.

    Args:
        components: of each of n frames.
        pixels: of all frames.
        parts: of each drive, by its number.
        drives: ``(n,)`` of the frames.
    """
    found = {}
    holding = np.array([len(frame.siou) > 0 for frame in components])
    telling = np.array([len(frame.ppv) > 0 for frame in components])
    whole = pixels.figures()
    if whole is not None and holding.any():
        without = pixels.figures_without(parts)
        for name in PIXEL_FIGURES:
            values = np.array([np.nan if each is None else getattr(each, name) for each in without])
            found[name] = _interval(drives, holding, float(getattr(whole, name)), values)
    units = np.unique(drives.units)
    rest = [
        Components.of_frames(frame for frame, own in zip(components, drives.units != unit, strict=True) if own)
        for unit in units
    ]
    every = Components.of_frames(components)
    for name, side in (("siou", holding), ("ppv", telling), ("mean_f1", holding | telling)):
        value = component_figure(every, name)
        if value is not None and side.any():
            left = [component_figure(each, name) for each in rest]
            values = np.array([np.nan if each is None else each for each in left])
            found[name] = _interval(drives, side, value, values)
    return found


def _interval(drives: SetDrives, side: NDArray[np.bool_], value: float, values: Scores) -> Interval:
    """An interval of a figure whose ``(R,)`` values without each drive, by ascending number, are known."""
    return figure_interval([drives], [[drives.take(side)], [drives]], lambda _: values, value, np.inf)
