# SPDX-License-Identifier: Apache-2.0
"""Measure calibration frames clean and with objects pasted on them, with what is true of each cell of their maps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.anomalies.cutouts import FAMILIES, LEARN, paste_objects
from export.answers.maps import as_maps, grid_of_map
from export.calibration.measuring import Measure
from export.calibration.patched_rows import cover_of_tiles
from export.errors import CalibrationError
from export.features.key import FeatureKey, FeatureKind
from export.frames.files import FrameFiles
from lsood_runtime.offline import InputContract, TileEdges

UNDER, FREE = 0.5, 0.05
"""Share of a cell that objects cover, from which on it lies under one, and up to which it is free of them."""

MapRows = Mapping[FeatureKey, NDArray[np.floating]]
"""``(D,)`` of each map of a frame."""


@dataclass(frozen=True, eq=False)
class MeasuredCells:
    """A measured frame.

    Attributes:
        rows: ``(D,)`` of each map.
        unknown: ``(h, w)``: under an object.
        known: ``(h, w)``: free of objects; cells at the edge of one are neither.
        segmentation: rows and columns of the class map.
    """

    rows: MapRows
    unknown: NDArray[np.bool_]
    known: NDArray[np.bool_]
    segmentation: tuple[int, int]


class CutoutFrames:
    """Calibration frames, clean or with objects.

    Args:
        files: the frames.
        sources: indices of those that fillings are taken from.
        measure: gives the maps of a frame, and its class map.
        contract: of the input, which says where in the frame a cell lies.
        seed: of the objects.
        road_classes: ids of the classes that can be driven on; where none are known, each frame's commonest class in the
            middle of its lower third is.
        own: cut-outs of a user's own, ``(h, w, 4)`` uint8 RGBA each, for the family ``learn``.
    """

    def __init__(
        self,
        files: FrameFiles,
        sources: NDArray[np.int64],
        measure: Measure,
        contract: InputContract,
        seed: int,
        road_classes: tuple[int, ...],
        own: Sequence[NDArray[np.uint8]] = (),
    ) -> None:
        self._files, self._sources, self._measure = files, sources, measure
        self._contract, self._seed, self._road, self._own = contract, seed, road_classes, own
        self._places: dict[int, NDArray[np.float64]] = {}

    def clean(self, index: int) -> MeasuredCells:
        """A frame as it is."""
        rows, edges, segmentation = self._measured(index, self._files[index], "")
        key = logits_key(rows)
        self._places = {index: road_places(rows[key], key, edges, self._road)}
        nothing = np.zeros(grid_of_map(key), np.bool_)
        return MeasuredCells(rows, nothing, ~nothing, segmentation)

    def pasted(self, index: int, family: str, turn: int) -> MeasuredCells:
        """A frame with objects of a family, others at each turn; most stand on the road of the clean frame measured last."""
        rng = np.random.default_rng((self._seed, index, FAMILIES.index(family), turn))
        turned = slice(None, None, -1 if self._files.channels == "bgr" else 1)
        frame, other = (self._files[one][..., turned] for one in (index, int(rng.choice(self._sources))))
        places, own = self._places.get(index, np.zeros((0, 2))), self._own if family == LEARN else ()
        pasted = paste_objects(frame, other, family, places, rng, own)
        shown = np.ascontiguousarray(pasted.frame[..., turned])
        rows, edges, segmentation = self._measured(index, shown, " with objects")
        cover = cover_of_tiles(pasted.cover > _HALF, edges)
        return MeasuredCells(rows, cover >= UNDER, cover <= FREE, segmentation)

    def _measured(self, index: int, frame: NDArray[np.uint8], how: str) -> tuple[MapRows, TileEdges, tuple[int, int]]:
        rows, classes = self._measure(frame)
        for key, numbers in rows.items():
            if not np.isfinite(numbers).all():
                raise CalibrationError(
                    f"expected finite features, {self._files.paths[index]}{how} gives NaN or infinity in {key}: look at it, "
                    "or leave --answers map out"
                )
        assert classes is not None  # a map of logits is there where there is a segmentation
        height, width = classes.shape
        return rows, self._contract.cell_edges(*grid_of_map(logits_key(rows)), height, width), (height, width)


@dataclass(frozen=True, eq=False)
class CutoutMeasuring:
    """Makes a frame, clean and with objects, and measures it; its attributes are arguments of :class:`CutoutFrames`."""

    files: FrameFiles
    sources: NDArray[np.int64]
    contract: InputContract
    seed: int
    road_classes: tuple[int, ...]
    own: Sequence[NDArray[np.uint8]] = ()

    def __call__(self, measure: Measure, each: tuple[int, str, int]) -> list[MeasuredCells]:
        """Measure a frame as it is, then with objects of a family so many times, by its index."""
        index, family, times = each
        frames = CutoutFrames(self.files, self.sources, measure, self.contract, self.seed, self.road_classes, self.own)
        return [frames.clean(index), *(frames.pasted(index, family, turn) for turn in range(times))]


_HALF = 0.5
_MIDDLE = (1 / 3, 2 / 3)


def logits_key(keys: Iterable[FeatureKey]) -> FeatureKey:
    """Key of the map of logits."""
    return next(key for key in keys if key.kind is FeatureKind.LOGIT_MAP)


def road_places(
    logits: NDArray[np.floating], key: FeatureKey, edges: TileEdges, road_classes: tuple[int, ...]
) -> NDArray[np.float64]:
    """Row and column, ``(P, 2)`` in the frame, of the centres of the cells of the road.

    Args:
        logits: ``(D,)`` the map of logits.
        key: of this map.
        edges: where in the frame its cells lie.
        road_classes: ids of the classes that can be driven on; where none are known, the commonest class in the middle of the
            lower third is.
    """
    classes = as_maps(logits[None], key)[0].argmax(axis=0)
    rows, columns = np.nonzero(np.isin(classes, road_classes or (_ahead(classes),)))
    down, across = ((side[1:] + side[:-1]) / 2 for side in (edges.down, edges.across))
    return np.column_stack([down[rows], across[columns]])


def _ahead(classes: NDArray[np.int64]) -> int:
    """The commonest class in the middle of the lower third of a class map."""
    height, width = classes.shape
    left, right = (int(width * part) for part in _MIDDLE)
    return int(np.bincount(classes[int(height * _MIDDLE[1]) :, left : max(right, left + 1)].ravel()).argmax())
