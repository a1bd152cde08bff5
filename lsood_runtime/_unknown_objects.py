# SPDX-License-Identifier: Apache-2.0
"""The anomaly map that the graph gives for a frame, and the unknown objects that are found in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._arguments import check_text, shown
from lsood_runtime._bundle.answers_records import UNKNOWN, AnswersRecord, MapRecord
from lsood_runtime._bundle.records import InputContract, SegmentationRecord
from lsood_runtime._exceptions import BundleError
from lsood_runtime._maps.cell_classes import cell_classes
from lsood_runtime._maps.objects import UnknownObject, describe_objects, objects_of
from lsood_runtime._tiles.frame_edges import TileEdges

AnomalyMap = NDArray[np.float32]

WHOLE_FRAME, ROAD = "frame", "road"
REGIONS = (WHOLE_FRAME, ROAD)
"""Where unknown objects are looked for: anywhere, or where a cell of theirs is segmented as road or touches one that is."""


@dataclass(frozen=True, slots=True, eq=False)
class MapAnswer:
    """The anomaly map of a frame, and the objects in it; the attributes are those of :class:`lsood_runtime.Assessment`."""

    anomaly_map: AnomalyMap | None = None
    objects: tuple[UnknownObject, ...] = ()
    object_count: int | None = None
    object_words: str = ""


NO_MAP, UNKNOWN_MAP = MapAnswer(), MapAnswer(object_words=UNKNOWN)
"""Of a bundle that gives none, and of a frame of which it is unknown."""


class MapRule:
    """Finds the objects of an anomaly map.

    Args:
        record: of the map.
        contract: of the input, which says where in the frame a cell lies.
        segmentation: whose classes lie under the objects.
        region: of the frame in which objects are looked for, of :data:`REGIONS`.
    """

    def __init__(
        self,
        record: MapRecord,
        contract: InputContract,
        segmentation: SegmentationRecord,
        region: str = WHOLE_FRAME,
    ) -> None:
        self._record, self._edges = record, map_edges(record, contract, segmentation)
        self._only_road = region == ROAD

    def answer(self, given: AnomalyMap, segmentation: NDArray[np.uint8] | NDArray[np.float32] | None) -> MapAnswer:
        """The map and its objects; both are unknown where a cell of the map is not finite, the objects alone where those on
        the road are looked for and the frame shows none.

        Args:
            given: ``(h, w)``, what the graph gives.
            segmentation: of the frame; None where there is none.
        """
        if not np.isfinite(given).all():
            return UNKNOWN_MAP
        record, anomaly_map = self._record, np.array(given, np.float32)
        anomaly_map.flags.writeable = False
        classes = None if segmentation is None else cell_classes(segmentation, record.rows, record.columns)
        found = objects_of(
            anomaly_map,
            record.object_limit,
            record.smallest_object,
            self._edges,
            classes,
            record.road_classes,
            only_road=self._only_road,
        )
        return MapAnswer(anomaly_map, found.objects, found.count, describe_objects(found))


def check_object_region(region: object, answers: AnswersRecord | None) -> None:
    """Refuse what is no region to look for objects in, and the road of a bundle that does not know it.

    Raises:
        TypeError: no text.
        ValueError: another name.
        BundleError: the bundle gives no anomaly map, or names no class as road.
    """
    expected, remedy = f"an object_region {' or '.join(REGIONS)}", f"leave it out for {WHOLE_FRAME}"
    if check_text(region, expected, remedy) not in REGIONS:
        raise ValueError(f"expected {expected}, got {shown(region)}: {remedy}")
    if region == WHOLE_FRAME:
        return
    told = None if answers is None else answers.map
    if told is None:
        raise BundleError(
            f"expected a bundle that gives an anomaly map with object_region {ROAD}, this one gives none: export it with "
            "--answers map --road-class, or leave it out"
        )
    if not told.road_classes:
        raise BundleError(
            f"expected a bundle that names the classes of the road with object_region {ROAD}, this one names none: export or "
            "calibrate it with --road-class, or leave it out"
        )


def map_edges(record: MapRecord, contract: InputContract, segmentation: SegmentationRecord) -> TileEdges:
    """Where in the frame the cells of a bundle's anomaly map lie; arguments as for :class:`MapRule`."""
    height, width = segmentation.height or record.rows, segmentation.width or record.columns
    return contract.cell_edges(record.rows, record.columns, height, width)
