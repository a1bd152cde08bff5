# SPDX-License-Identifier: Apache-2.0
"""Judge the anomaly maps and objects of frames by masks of what is unknown in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from export.evaluation.component_metrics import Components
from export.evaluation.interval import Interval, without_interval
from export.evaluation.mask_intervals import COMPONENT_FIGURES, component_figure, mask_intervals
from export.evaluation.mask_metrics import PIXEL_FIGURES, PixelCounts, PixelFigures
from export.evaluation.set_drives import SetDrives
from export.frames.masks import MaskValues, UnknownMask
from lsood_runtime.offline import TileEdges, cells_of_pixels, object_regions

FIGURES = (*PIXEL_FIGURES, *COMPONENT_FIGURES)
"""All that have an interval."""


@dataclass(frozen=True, eq=False)
class MaskedFrame:
    """A frame that was judged by a mask.

    Attributes:
        name: its path.
        set_name: of its set.
        place: in that set.
        drive: its name.
        average_precision: of its pixels; None without unknown or without known ones.
        components: its objects, and what was found.
    """

    name: str
    set_name: str
    place: int
    drive: str
    average_precision: float | None
    components: Components

    @property
    def caught(self) -> int:
        """Number of objects of which a part was found."""
        return int((self.components.siou > 0).sum())

    @property
    def false_objects(self) -> int:
        """Number of found objects that no unknown pixel is part of."""
        return int((self.components.ppv == 0).sum())


def best_maps(frames: Iterable[MaskedFrame]) -> list[MaskedFrame]:
    """Frames with an average precision, the highest first."""
    known = [frame for frame in frames if frame.average_precision is not None]
    return sorted(known, key=lambda frame: -(frame.average_precision or 0.0))


def most_false(frames: Iterable[MaskedFrame]) -> list[MaskedFrame]:
    """Frames with false objects, those with most first."""
    return sorted((frame for frame in frames if frame.false_objects), key=lambda frame: -frame.false_objects)


@dataclass(frozen=True, eq=False)
class MaskFigures:
    """Figures of a map over frames with masks.

    Attributes:
        set_name: of the set of frames.
        frames: that have one, in the order in which they were judged.
        pixels: metrics of their pixels; None without both kinds.
        intervals: of the figures that have one, by name.
    """

    set_name: str
    frames: tuple[MaskedFrame, ...]
    pixels: PixelFigures | None
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def figure(self, name: str) -> Interval | None:
        """A figure of :data:`FIGURES` with its interval, where there are enough drives for one; None where it is unknown."""
        if name in PIXEL_FIGURES:
            value = None if self.pixels is None else getattr(self.pixels, name)
        else:
            value = component_figure(self.components, name)
        return None if value is None else self.intervals.get(name, without_interval(value))

    @property
    def components(self) -> Components:
        """Objects and found objects of all frames."""
        return Components.of_frames(frame.components for frame in self.frames)

    @property
    def objects(self) -> int:
        """Number of unknown objects."""
        return sum(len(frame.components.siou) for frame in self.frames)

    @property
    def caught(self) -> int:
        """Number of unknown objects of which a part was found."""
        return sum(frame.caught for frame in self.frames)

    @property
    def false_objects(self) -> int:
        """Number of found objects that no unknown pixel is part of."""
        return sum(frame.false_objects for frame in self.frames)

    def asdict(self) -> dict[str, object]:
        """JSON-ready figures."""
        figures = {name: self.figure(name) for name in FIGURES}
        return {
            "set": self.set_name,
            "frames": len(self.frames),
            "unknown_share": None if self.pixels is None else self.pixels.unknown_share,
            **{name: None if figure is None else figure.value for name, figure in figures.items()},
            **{
                f"{name}_interval": [figure.low, figure.high] if figure is not None and figure.known else None
                for name, figure in figures.items()
            },
            "objects": self.objects,
            "caught": self.caught,
            "false_objects": self.false_objects,
        }


@dataclass(eq=False)
class MaskJudge:
    """Compares maps with masks, frame by frame.

    Attributes:
        files: masks by the stem of their frames' names.
        values: of the masks.
        edges: where in the frame the cells of a map lie.
        limit: of the map, above which a cell is part of an object.
        smallest: cells of an object.
    """

    files: Mapping[str, Path]
    values: MaskValues
    edges: TileEdges
    limit: float
    smallest: int
    _judged: dict[str, tuple[dict[str, PixelCounts], list[MaskedFrame]]] = field(default_factory=dict)

    def judge(self, set_name: str, place: int, path: Path, anomaly_map: NDArray[np.float32], drive: str = "") -> None:
        """Compare the map of a frame with its mask, where it has one.

        Pixels of the frame that the network does not see count as void.

        Args:
            set_name: of its set.
            place: in it.
            path: of the frame.
            anomaly_map: ``(h, w)`` float32, finite.
            drive: of the frame.

        Raises:
            UsageError: the mask cannot be used.
        """
        file = self.files.get(path.stem)
        if file is None:
            return
        mask = self.values.read(file, self.edges.height, self.edges.width)
        rows, columns, seen = cells_of_pixels(self.edges, self.edges.height, self.edges.width)
        void = mask.void | ~seen
        unknown, known = _pixels_of_cells(anomaly_map.shape, rows, columns, UnknownMask(mask.unknown & ~void, void))
        values = anomaly_map.ravel()
        counts, frames = self._judged.setdefault(set_name, ({}, []))
        counts.setdefault(drive, PixelCounts()).add(values, unknown, known)
        labels = object_regions(anomaly_map, self.limit, self.smallest, self.edges).labels(anomaly_map.shape)
        found = (labels >= 0)[np.ix_(rows, columns)] & seen
        precision = None
        if unknown.any() and known.any():
            kinds, both = np.repeat([True, False], len(values)), np.tile(values, 2)
            weights = np.append(unknown, known)
            precision = float(average_precision_score(kinds, both, sample_weight=weights))
        shown = np.count_nonzero(np.diff(self.edges.down) > 0) * np.count_nonzero(np.diff(self.edges.across) > 0)
        pixels_of_cell = np.count_nonzero(seen) / shown
        components = Components.of_frame(mask.unknown, found, void, self.smallest * pixels_of_cell)
        frames.append(MaskedFrame(str(path), set_name, place, drive, precision, components))

    def figures(self, drives: Mapping[str, SetDrives] | None = None) -> tuple[MaskFigures, ...]:
        """The figures of each set with masks; none where no frame has one.

        Args:
            drives: of each set, by its name; None for no intervals.
        """
        found = []
        for name, (counts, frames) in self._judged.items():
            of_set = None if drives is None else drives[name].take([frame.place for frame in frames])
            found.append(_figures(name, tuple(frames), counts, of_set))
        return tuple(found)


def _figures(
    name: str, frames: tuple[MaskedFrame, ...], counts: Mapping[str, PixelCounts], drives: SetDrives | None
) -> MaskFigures:
    """The figures of a set, with intervals by its drives; ``counts`` are by their names."""
    whole = PixelCounts()
    for part in counts.values():
        whole.join(part)
    if drives is None:
        return MaskFigures(name, frames, whole.figures())
    of_unit: dict[int, PixelCounts] = {}  # of drives that were joined to groups as well
    for drive, unit in dict(zip((frame.drive for frame in frames), drives.units.tolist(), strict=True)).items():
        of_unit.setdefault(unit, PixelCounts()).join(counts[drive])
    parts = [of_unit[unit] for unit in sorted(of_unit)]
    intervals = mask_intervals([frame.components for frame in frames], whole, parts, drives)
    return MaskFigures(name, frames, whole.figures(), intervals)


def _pixels_of_cells(
    shape: tuple[int, ...], rows: NDArray[np.int64], columns: NDArray[np.int64], mask: UnknownMask
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many unknown and how many known pixels lie in each cell, row by row."""
    cells = (rows[:, None] * shape[1] + columns).ravel()
    size = shape[0] * shape[1]
    kinds = (mask.unknown, ~mask.unknown & ~mask.void)
    unknown, known = (np.bincount(cells[kind.ravel()], minlength=size) for kind in kinds)
    return unknown, known
