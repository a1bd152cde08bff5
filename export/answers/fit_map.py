# SPDX-License-Identifier: Apache-2.0
"""A map that was fitted, and the limits above which its cells are unknown and make up an object.

The score of a frame is the value of its clearest object: the highest value above which a connected region of cells is as
large as an object is at least. The limit is one that few clean frames exceed (:mod:`export.answers.frame_limit`), taken from
frames of drives that fitted nothing, by the very map that ships.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from export.answers.frame_limit import frame_limit
from export.answers.map_judgement import MapJudgement
from export.answers.maps import FittedMap
from export.features.key import FeatureKey
from lsood_runtime.offline import ConfidenceRecord, MapRecord

OBJECT_RATES = (0.01, 0.05)
"""Shares of clean frames that may show an object: the first where there are enough drives for it."""

PIXEL_RATE = 0.01
"""Share of the cells of clean frames above the limit of cells."""

SMALLEST_SHARE = 0.001
"""Of the map's cells that an object has at least."""

_NEIGHBOURS = np.ones((3, 3))


@dataclass(frozen=True, eq=False)
class CalibratedMap:
    """What tells how unknown each cell is, with its limits.

    Attributes:
        fitted: the map.
        record: for the manifest.
        examples: whole rows ``(E, D)`` of a few frames, to compare graph and numpy on.
        frames: clean ones that it was fitted on.
        drives: that they come from.
        pictures: that were measured: clean frames and those with objects.
        confidence: of the segmentation's pixels, for the manifest; None where the frames have no labels.
    """

    fitted: FittedMap
    record: MapRecord
    examples: Mapping[FeatureKey, NDArray[np.float32]]
    frames: int
    drives: int
    pictures: int
    confidence: ConfidenceRecord | None = None


@dataclass(frozen=True, eq=False)
class CleanMaps:
    """What a map tells of N clean frames that fitted nothing.

    Attributes:
        clearest: ``(N,)`` value of the clearest object of each.
        drives: ``(N,)`` of the frames.
        cells: ``(M,)`` values of evenly spaced cells.
    """

    clearest: NDArray[np.float64]
    drives: Sequence[str]
    cells: NDArray[np.float64]


def smallest_object(grid: tuple[int, int]) -> int:
    """Cells that an object has at least, on a map of this many rows and columns."""
    return max(round(SMALLEST_SHARE * grid[0] * grid[1]), 1)


def clearest_object(anomaly_map: NDArray[np.floating], smallest: int) -> float:
    """The highest value so that the cells of at least this value have a region of so many, ``-inf`` where all are too few.

    Cells of a region touch by a side or a corner.

    Args:
        anomaly_map: ``(h, w)``, finite.
        smallest: cells of the region, at least.
    """
    values = np.unique(anomaly_map)
    low, high = -1, len(values) - 1
    while low < high:  # the cells at or above values[low] hold a region, those above values[high] do not
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _has_region(anomaly_map >= values[middle], smallest) else (low, middle - 1)
    return float(values[low]) if low >= 0 else -np.inf


def _has_region(cells: NDArray[np.bool_], smallest: int) -> bool:
    numbers, count = label(cells, _NEIGHBOURS)
    return count > 0 and int(np.bincount(numbers.ravel())[1:].max()) >= smallest


def map_record(
    fitted: FittedMap,
    best_single: str,
    told: MapJudgement,
    clean: CleanMaps,
    road_classes: tuple[int, ...],
    own_objects: int = 0,
) -> MapRecord:
    """Set the limits of a map, and state what was measured of it.

    Args:
        fitted: the map.
        best_single: name of the best single score of the network's output.
        told: how good the choice of the map, and of that score, is on frames that did not choose.
        clean: what it tells of clean frames.
        road_classes: ids of the classes that can be driven on; none where they are not known.
        own_objects: cut-outs of a user's own that were learnt from.
    """
    set_by = frame_limit(clean.clearest, clean.drives, OBJECT_RATES)
    return MapRecord(
        rows=fitted.grid[0],
        columns=fitted.grid[1],
        slopes=dict(fitted.slopes),
        smoothing=fitted.smoothing,
        layers=() if fitted.head is None else tuple(str(key.layer) for key in fitted.head.layers),
        pixel_limit=float(np.quantile(clean.cells, 1 - PIXEL_RATE)),
        pixel_rate=PIXEL_RATE,
        object_limit=set_by.limit,
        smallest_object=smallest_object(fitted.grid),
        false_alarm_rate=set_by.rule.rate,
        guarantee=set_by.rule.guarantee,
        clean_kept=set_by.kept,
        average_precision=told.average_precision,
        fpr95=told.false_positives,
        best_single=best_single,
        best_single_average_precision=told.best_single_average_precision,
        best_single_fpr95=told.best_single_false_positives,
        road_classes=road_classes,
        own_objects=own_objects,
        limit_frames=set_by.frames,
        limit_drives=set_by.drives,
    )
