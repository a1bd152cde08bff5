# SPDX-License-Identifier: Apache-2.0
"""Judge the anomaly maps and objects of frames by masks of what is unknown in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from export.evaluation.component_metrics import Components
from export.evaluation.mask_metrics import PixelCounts, PixelFigures
from export.frames.masks import MaskValues, UnknownMask
from lsood_runtime.offline import TileEdges, cells_of_pixels, object_regions


@dataclass(frozen=True, eq=False)
class MaskedFrame:
    """A frame that was judged by a mask.

    Attributes:
        name: its path.
        set_name: of its set.
        place: in that set.
        average_precision: of its pixels; None without unknown or without known ones.
        components: its objects, and what was found.
    """

    name: str
    set_name: str
    place: int
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
    """

    set_name: str
    frames: tuple[MaskedFrame, ...]
    pixels: PixelFigures | None

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
        components, pixels = self.components, self.pixels
        return {
            "set": self.set_name,
            "frames": len(self.frames),
            "unknown_share": None if pixels is None else pixels.unknown_share,
            "average_precision": None if pixels is None else pixels.average_precision,
            "auroc": None if pixels is None else pixels.auroc,
            "fpr95": None if pixels is None else pixels.fpr95,
            "siou": components.mean_siou,
            "ppv": components.mean_ppv,
            "mean_f1": components.mean_f1,
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
    _judged: dict[str, tuple[PixelCounts, list[MaskedFrame]]] = field(default_factory=dict)

    def judge(self, set_name: str, place: int, path: Path, anomaly_map: NDArray[np.float32]) -> None:
        """Compare the map of a frame with its mask, where it has one.

        Pixels of the frame that the network does not see count as void.

        Args:
            set_name: of its set.
            place: in it.
            path: of the frame.
            anomaly_map: ``(h, w)`` float32, finite.

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
        counts, frames = self._judged.setdefault(set_name, (PixelCounts(), []))
        counts.add(values, unknown, known)
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
        frames.append(MaskedFrame(str(path), set_name, place, precision, components))

    def figures(self) -> tuple[MaskFigures, ...]:
        """The figures of each set with masks; none where no frame has one."""
        return tuple(
            MaskFigures(name, tuple(frames), counts.figures()) for name, (counts, frames) in self._judged.items()
        )


def _pixels_of_cells(
    shape: tuple[int, ...], rows: NDArray[np.int64], columns: NDArray[np.int64], mask: UnknownMask
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many unknown and how many known pixels lie in each cell, row by row."""
    cells = (rows[:, None] * shape[1] + columns).ravel()
    size = shape[0] * shape[1]
    kinds = (mask.unknown, ~mask.unknown & ~mask.void)
    unknown, known = (np.bincount(cells[kind.ravel()], minlength=size) for kind in kinds)
    return unknown, known
