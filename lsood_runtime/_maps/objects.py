# SPDX-License-Identifier: Apache-2.0
"""Find the unknown objects of a frame: the connected regions of its anomaly map above a limit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._maps.regions import CellMask, Regions, find_regions
from lsood_runtime._maps.road_distance import meets_road, road_distances
from lsood_runtime._text.json_values import JsonValue, finite_or_none
from lsood_runtime._tiles.frame_edges import Edges, TileEdges
from lsood_runtime._tiles.grid import TileGrid
from lsood_runtime._tiles.region_words import name_region

MOST_OBJECTS = 32
"""Objects of a frame that are described; the others are counted."""

ON_ROAD = "on or beside the road"
"""Where objects of which a cell is road, or touches it, are."""

_PLACES = TileGrid(4, 8)


@dataclass(frozen=True, slots=True)
class UnknownObject:
    """A connected region of a frame that its network does not know.

    The box is that of the cells of the anomaly map, in pixels of the frame from its upper left corner.

    Attributes:
        x: left side of the box.
        y: upper side of the box.
        width: of the box.
        height: of the box.
        area: share of the frame that the region fills, in (0, 1].
        peak: largest value of the anomaly map in the region; 0 is usual for a clean pixel, 1 its standard deviation.
        class_id: class that most cells of the region are segmented as, the lower number of two equally frequent ones; None
            where the bundle gives no classes.
        road_distance: pixels of the frame from the region to the nearest cell that is segmented as road, between the centres
            of both; 0 where it is road itself, ``inf`` where the frame shows no road, None where the bundle names no class as
            road.
        where: in the frame the box is, in words: ``part of the lower left quarter``.
    """

    x: float
    y: float
    width: float
    height: float
    area: float
    peak: float
    class_id: int | None
    road_distance: float | None
    where: str

    def asdict(self) -> dict[str, JsonValue]:
        """JSON-ready values; a distance to a road that there is none of becomes None."""
        return asdict(self) | {"road_distance": finite_or_none(self.road_distance)}


@dataclass(frozen=True, slots=True)
class FoundObjects:
    """The unknown objects of a frame.

    Attributes:
        objects: the :data:`MOST_OBJECTS` with the highest peaks at most, the highest first.
        count: of all of them; None where it is unknown, as those on the road were asked for and there is none in sight.
        place: where they were looked for, in words; empty for the whole frame.
    """

    objects: tuple[UnknownObject, ...] = ()
    count: int | None = 0
    place: str = ""


def objects_of(
    anomaly_map: NDArray[np.float32],
    limit: float,
    smallest: int,
    edges: TileEdges,
    classes: NDArray[np.integer] | None = None,
    road_classes: Sequence[int] = (),
    *,
    only_road: bool = False,
) -> FoundObjects:
    """Find the objects: regions of cells above the limit, each with its eight neighbours, of so many cells at least.

    Cells that show nothing of the frame, as they lie in its padding, belong to no object.

    Args:
        anomaly_map: ``(h, w)`` float32, finite.
        limit: value that the cells of an object are above.
        smallest: number of cells of an object.
        edges: where in the frame the cells lie.
        classes: ``(h, w)``, class of each cell; None where there are none.
        road_classes: that an object's distance is measured to; none where it is not measured.
        only_road: whether objects of which no cell is road or touches it are left out.
    """
    road = None if classes is None or not len(road_classes) else np.isin(classes, road_classes) & _shown(edges)
    place = ON_ROAD if only_road else ""
    if only_road and (road is None or not road.any()):
        return FoundObjects((), None, place)
    regions = object_regions(anomaly_map, limit, smallest, edges)
    if only_road and road is not None:
        regions = regions.kept(np.flatnonzero(meets_road(regions, road)))
    if not regions.count:
        return FoundObjects(place=place)
    peaks = _peaks(regions, anomaly_map)
    strongest = np.argsort(-peaks, kind="stable")[:MOST_OBJECTS]
    chosen = regions.kept(strongest)
    boxes, areas = _boxes(chosen, edges), _areas(chosen, edges)
    named = [None] * chosen.count if classes is None else _classes(chosen, classes)
    distances: list[float | None] = [None] * chosen.count
    if road is not None:
        distances = [*road_distances(chosen, road, edges).tolist()]
    found = [
        UnknownObject(left, top, right - left, bottom - top, area, float(peaks[i]), class_id, distance, where)
        for (left, top, right, bottom), area, i, class_id, distance, where in zip(
            boxes.tolist(), areas.tolist(), strongest, named, distances, _places(boxes, edges), strict=True
        )
    ]
    return FoundObjects(tuple(found), regions.count, place)


def object_regions(anomaly_map: NDArray[np.float32], limit: float, smallest: int, edges: TileEdges) -> Regions:
    """The regions of a map that are objects; arguments as for :func:`objects_of`."""
    regions = find_regions((anomaly_map > limit) & _shown(edges))
    return regions.kept(np.flatnonzero(regions.sizes() >= smallest))


def describe_objects(found: FoundObjects) -> str:
    """Say in words how many objects there are, and where the clearest one is; ``none`` for none, ``unknown`` where it is.

    Example:
        >>> describe_objects(FoundObjects())
        'none'
        >>> each = UnknownObject(0, 0, 9, 9, 0.01, 7.25, None, None, "lower left corner")
        >>> describe_objects(FoundObjects((each,), 3))
        '3, the clearest (7.2) in the lower left corner'
        >>> describe_objects(FoundObjects((), None, ON_ROAD))
        'unknown, no road in sight'
    """
    if found.count is None:
        return "unknown, no road in sight"
    place = f" {found.place}" if found.place else ""
    if not found.objects:
        return f"none{place}"
    first = found.objects[0]
    named, peak = first.where, f"{first.peak:.1f}"
    where = named if named.startswith(("all ", "most ", "part ", "row", "column")) else f"the {named}"
    if found.count == 1:
        return f"1{place}, with a peak of {peak}, in {where}"
    return f"{found.count}{place}, the clearest ({peak}) in {where}"


def object_label(each: UnknownObject) -> str:
    """What stands at the box of an object in a viewer: its peak, and the class under it where there are classes.

    Example:
        >>> object_label(UnknownObject(0, 0, 9, 9, 0.01, 7.25, 3, None, "centre"))
        'unknown 7.2, class 3'
    """
    under = "" if each.class_id is None else f", class {each.class_id}"
    return f"unknown {each.peak:.1f}{under}"


def _shown(edges: TileEdges) -> CellMask:
    """Which cells show something of the frame."""
    return np.logical_and.outer(np.diff(edges.down) > 0, np.diff(edges.across) > 0)


def _peaks(regions: Regions, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest value in each region."""
    peaks = np.full(regions.count, -np.inf, np.float32)
    first = regions.rows * (values.shape[1] + 1)
    closed = np.pad(values, ((0, 0), (0, 1)), constant_values=-np.inf).ravel()
    bounds = np.stack([first + regions.starts, first + regions.stops], axis=1).ravel()
    np.maximum.at(peaks, regions.numbers, np.maximum.reduceat(closed, bounds)[::2])
    return peaks


def _boxes(regions: Regions, edges: TileEdges) -> Edges:
    """Left, upper, right and lower side of the box of each region, in pixels of the frame: ``(count, 4)``."""
    least, most = np.full((2, regions.count), np.iinfo(np.int64).max), np.zeros((2, regions.count), np.int64)
    for of_all, first, behind in ((0, regions.starts, regions.stops), (1, regions.rows, regions.rows + 1)):
        np.minimum.at(least[of_all], regions.numbers, first)
        np.maximum.at(most[of_all], regions.numbers, behind)
    return np.stack([edges.across[least[0]], edges.down[least[1]], edges.across[most[0]], edges.down[most[1]]], axis=1)


def _areas(regions: Regions, edges: TileEdges) -> Edges:
    """The share of the frame that each region fills."""
    heights = np.diff(edges.down)[regions.rows]
    pixels = heights * (edges.across[regions.stops] - edges.across[regions.starts])
    return np.bincount(regions.numbers, pixels, regions.count) / (edges.height * edges.width)


def _classes(regions: Regions, classes: NDArray[np.integer]) -> list[int]:
    """The most frequent class of the cells of each region."""
    labels = regions.labels((classes.shape[0], classes.shape[1]))
    inside = labels >= 0
    known, of_cells = np.unique(classes[inside], return_inverse=True)
    counts = np.bincount(labels[inside] * len(known) + of_cells, minlength=regions.count * len(known))
    most: list[int] = known[counts.reshape(regions.count, len(known)).argmax(axis=1)].tolist()
    return most


def _places(boxes: Edges, edges: TileEdges) -> list[str]:
    """Where each box is, by the tiles of the frame that it has a part in."""
    down, across = (np.arange(count + 1) / count for count in (_PLACES.rows, _PLACES.columns))
    found = []
    for left, top, right, bottom in boxes.tolist():
        rows = (down[:-1] * edges.height < bottom) & (down[1:] * edges.height > top)
        columns = (across[:-1] * edges.width < right) & (across[1:] * edges.width > left)
        found.append(name_region(np.logical_and.outer(rows, columns)))
    return found
