# SPDX-License-Identifier: Apache-2.0
"""Write verdicts as an MCAP file, with layers that a viewer shows: frames under their anomaly maps, boxes of objects."""

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._assessment import Assessment
from lsood_runtime._cli.camera_paths import CameraPaths
from lsood_runtime._cli.verdict_row import Row
from lsood_runtime._exceptions import missing_extra
from lsood_runtime._maps.map_picture import BOX, MapPictures
from lsood_runtime._maps.objects import UnknownObject, object_label
from lsood_runtime._partial_file import PartialFile
from lsood_runtime._text.json_values import JsonValue

_CHUNK = 1 << 18  # bytes that a kill can lose, before compression
_LAST_STAMP_NS = 2**64 - 1  # MCAP has no negative times, and none later
_JPEG_QUALITY = 85
_MAP, _OBJECTS = "/anomaly_map", "/unknown_objects"
_LINE_LOOP = 2  # of foxglove.PointsAnnotation: lines from each point to the next, and back to the first
_ROWS_OF_A_LINE, _ROWS_OF_A_LETTER = 240, 30


@dataclass(frozen=True, slots=True, eq=False)
class MapLayer:
    """What an MCAP file shows of a frame beside its verdict.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB, the frame.
        verdict: on it, with an anomaly map.
        pictures: draws the map.
    """

    image: NDArray[np.uint8]
    verdict: Assessment
    pictures: MapPictures


class McapVerdicts:
    """Messages in JSON on a topic for each camera, with the frame's stamp as the time of log and of publication.

    Beside ``/lsood/CAMERA`` with a verdict, ``/lsood/CAMERA/anomaly_map`` has the frame under its map as a
    ``foxglove.CompressedImage``, and ``/lsood/CAMERA/unknown_objects`` a box for each object, in pixels of the frame, as
    ``foxglove.ImageAnnotations``; none where the objects are unknown. Cameras whose topics would be the same get others, see
    :class:`CameraPaths`.
    """

    def __init__(self, partial: PartialFile, _: Path) -> None:
        try:
            from mcap.writer import Writer
        except ImportError as error:
            raise missing_extra("writing MCAP", "replay") from error
        self._file = BufferedWriter(partial.file)
        self._writer = Writer(self._file, chunk_size=_CHUNK)
        self._writer.start(profile="", library="lsood_runtime")
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._paths = CameraPaths(("", _MAP, _OBJECTS))

    def write(self, row: Row) -> None:
        """Add a verdict."""
        self._add(row, "", "lsood.Verdict", _row_schema(row), row)

    def write_layer(self, row: Row, layer: MapLayer) -> None:
        """Add the layers of the frame whose verdict a row has."""
        verdict = layer.verdict
        if verdict.anomaly_map is None:
            return
        stamp = dict(zip(("sec", "nsec"), divmod(_stamp_of(row), 10**9), strict=True))
        drawn = layer.pictures.draw(layer.image, verdict.anomaly_map, verdict.objects)
        picture: dict[str, object] = {
            "timestamp": stamp,
            "frame_id": str(row["camera"]),
            "data": base64.b64encode(_jpeg(drawn)).decode("ascii"),
            "format": "jpeg",
        }
        self._add(row, _MAP, "foxglove.CompressedImage", _PICTURE_SCHEMA, picture)
        if verdict.object_count is not None:
            boxes = _annotations(verdict.objects, stamp, layer.image.shape[0])
            self._add(row, _OBJECTS, "foxglove.ImageAnnotations", _ANNOTATIONS_SCHEMA, boxes)

    def close(self) -> None:
        """Write the index."""
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._file.flush()

    def _add(
        self, row: Row, ending: str, kind: str, schema: Mapping[str, object], contents: Mapping[str, object]
    ) -> None:
        if kind not in self._schemas:
            described = json.dumps({"type": "object", "title": kind, **schema}).encode()
            self._schemas[kind] = self._writer.register_schema(kind, "jsonschema", described)
        topic = f"/lsood/{self._paths.of(str(row['camera']))}{ending}"
        if topic not in self._channels:
            self._channels[topic] = self._writer.register_channel(topic, "json", self._schemas[kind])
        stamp_ns, data = _stamp_of(row), json.dumps(contents, allow_nan=False).encode()
        self._writer.add_message(self._channels[topic], stamp_ns, data, stamp_ns)


def _stamp_of(row: Row) -> int:
    return min(max(cast(int, row["stamp_ns"]), 0), _LAST_STAMP_NS)


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_extra("drawing anomaly maps", "media") from error
    Image.fromarray(picture).save(file := io.BytesIO(), "jpeg", quality=_JPEG_QUALITY)
    return file.getvalue()


def _annotations(objects: tuple[UnknownObject, ...], stamp: Mapping[str, int], rows: int) -> dict[str, object]:
    """The boxes, each with its peak and the class under it in words."""
    line, letters = max(1.0, rows / _ROWS_OF_A_LINE), max(8.0, rows / _ROWS_OF_A_LETTER)
    colour = dict(zip("rgba", (*(value / 255 for value in BOX), 1.0), strict=True))
    clear, dark = dict.fromkeys("rgba", 0.0), dict.fromkeys("rgb", 0.0) | {"a": 0.6}
    boxes: list[dict[str, object]] = []
    texts: list[dict[str, object]] = []
    for each in objects:
        left, top, right, bottom = each.x, each.y, each.x + each.width, each.y + each.height
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        boxes.append(
            {
                "timestamp": stamp,
                "type": _LINE_LOOP,
                "points": [{"x": x, "y": y} for x, y in corners],
                "outline_color": colour,
                "outline_colors": [],
                "fill_color": clear,
                "thickness": line,
            }
        )
        texts.append(
            {
                "timestamp": stamp,
                "position": {"x": left, "y": top},
                "text": object_label(each),
                "font_size": letters,
                "text_color": colour,
                "background_color": dark,
            }
        )
    return {"circles": [], "points": boxes, "texts": texts}


def _row_schema(row: Row) -> dict[str, object]:
    words = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "number"}

    def named(value: JsonValue) -> str:
        return "object" if isinstance(value, Mapping) else words[type(value)]

    return {"properties": {name: {"type": [named(value), "null"]} for name, value in row.items()}}


def _object(**fields: object) -> dict[str, object]:
    return {"type": "object", "properties": fields}


def _list(of: object) -> dict[str, object]:
    return {"type": "array", "items": of}


_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
_TIME = _object(sec={"type": "integer", "minimum": 0}, nsec={"type": "integer", "minimum": 0, "maximum": 999_999_999})
_POINT, _COLOUR = _object(x=_NUMBER, y=_NUMBER), _object(r=_NUMBER, g=_NUMBER, b=_NUMBER, a=_NUMBER)
_PICTURE_SCHEMA = _object(
    timestamp=_TIME, frame_id=_TEXT, data={"type": "string", "contentEncoding": "base64"}, format=_TEXT
)
_ANNOTATIONS_SCHEMA = _object(
    circles=_list(
        _object(
            timestamp=_TIME,
            position=_POINT,
            diameter=_NUMBER,
            thickness=_NUMBER,
            fill_color=_COLOUR,
            outline_color=_COLOUR,
        )
    ),
    points=_list(
        _object(
            timestamp=_TIME,
            type={"type": "integer"},
            points=_list(_POINT),
            outline_color=_COLOUR,
            outline_colors=_list(_COLOUR),
            fill_color=_COLOUR,
            thickness=_NUMBER,
        )
    ),
    texts=_list(
        _object(
            timestamp=_TIME,
            position=_POINT,
            text=_TEXT,
            font_size=_NUMBER,
            text_color=_COLOUR,
            background_color=_COLOUR,
        )
    ),
)
"""Messages that Foxglove's viewer and others show, in the form that its documentation of JSON gives."""
