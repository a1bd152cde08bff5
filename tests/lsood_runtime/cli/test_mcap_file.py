# SPDX-License-Identifier: Apache-2.0
"""Layers of an MCAP file: frames under their maps, and boxes of objects, as messages that viewers know."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.ImageAnnotations_pb2 import ImageAnnotations
from foxglove_schemas_protobuf.PointsAnnotation_pb2 import PointsAnnotation
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader
from PIL import Image

from lsood_runtime import OoDMonitor
from lsood_runtime._cli.camera_paths import CameraPaths
from lsood_runtime._cli.main import run
from lsood_runtime._cli.verdict_files import VerdictFile
from lsood_runtime._maps.map_picture import BOX, MapPictures
from lsood_runtime._unknown_objects import map_edges
from tests.lsood_runtime.answers_bundle import OBJECT_LIMIT, frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import HEIGHT, WIDTH

LEVELS = (0.45, 0.95, 0.55, 0.3)
"""The second shows an object; the last is far from everything seen, so that it is unknown whether it does."""


def messages(path: Path) -> dict[tuple[str, int], tuple[str, dict[str, Any]]]:
    """Schema and contents of each message by topic and stamp."""
    with path.open("rb") as file:
        found = {}
        for schema, channel, message in make_reader(file).iter_messages():
            assert schema is not None
            assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
            described, contents = json.loads(schema.data), json.loads(message.data)
            assert described["title"] == schema.name
            assert contents.keys() == described["properties"].keys()
            assert message.log_time == message.publish_time
            found[channel.topic, message.log_time] = schema.name, contents
        return found


def without_times(value: Any) -> Any:
    """Contents without the times, which Protobuf's own JSON writes as text."""
    if isinstance(value, dict):
        return {name: without_times(inner) for name, inner in value.items() if name != "timestamp"}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    (folder := tmp_path / "drive").mkdir()
    for place, level in enumerate(LEVELS):
        Image.fromarray(frame_of_level(level, seed=place)).save(folder / f"{place}.png")
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(folder / "4_black.png")
    return folder


@pytest.mark.parametrize("command", ["score", "watch"])
def test_mcap_of_a_bundle_with_a_map_has_the_picture_and_the_boxes_of_each_frame(
    command: str, drive: Path, tmp_path: Path
) -> None:
    (bundle := tmp_path / "mapped").mkdir()
    write_answers_bundle(bundle, with_map=True)
    out = tmp_path / "scored.mcap"
    run([command, str(bundle), str(drive), "--out", str(out), *["--alarm", "3of5"] * (command == "watch")])
    found = messages(out)
    (top,) = {topic for (topic, _), (name, _) in found.items() if name == "lsood.Verdict"}
    assert {topic: name for (topic, _), (name, _) in found.items()} == {
        top: "lsood.Verdict",
        f"{top}/anomaly_map": "foxglove.CompressedImage",
        f"{top}/unknown_objects": "foxglove.ImageAnnotations",
    }
    stamps = sorted(stamp for topic, stamp in found if topic == top)
    assert len(stamps) == len(LEVELS) + 1
    with OoDMonitor(bundle) as monitor:
        verdicts = [monitor.assess(frame_of_level(level, seed=place)) for place, level in enumerate(LEVELS)]
        assert monitor.manifest.answers is not None
        record = monitor.manifest.answers.map
        assert record is not None
        pictures = MapPictures(map_edges(record, monitor.manifest.input, monitor.manifest.segmentation), OBJECT_LIMIT)
    for place, (stamp, verdict) in enumerate(zip(stamps, verdicts, strict=False)):
        assert found[top, stamp][1]["object_count"] == verdict.object_count
        shown = found[f"{top}/anomaly_map", stamp][1]
        assert shown["timestamp"]["sec"] * 10**9 + shown["timestamp"]["nsec"] == stamp
        image = ParseDict(without_times(shown), CompressedImage())
        assert (image.format, image.data) == ("jpeg", base64.b64decode(shown["data"]))
        assert verdict.anomaly_map is not None
        expected = pictures.draw(frame_of_level(LEVELS[place], seed=place), verdict.anomaly_map, verdict.objects)
        Image.fromarray(expected).save(code := io.BytesIO(), "jpeg", quality=85)
        assert image.data == code.getvalue()
        if verdict.object_count is None:
            assert (f"{top}/unknown_objects", stamp) not in found
            continue
        told = ParseDict(without_times(found[f"{top}/unknown_objects", stamp][1]), ImageAnnotations())
        assert len(told.points) == len(told.texts) == len(verdict.objects)
        for box, text, each in zip(told.points, told.texts, verdict.objects, strict=True):
            assert box.type == PointsAnnotation.Type.LINE_LOOP
            sides = np.array([(point.x, point.y) for point in box.points])
            assert sides.min(axis=0).tolist() == [each.x, each.y]
            np.testing.assert_allclose(sides.max(axis=0), [each.x + each.width, each.y + each.height])
            assert len({tuple(corner) for corner in sides.tolist()}) == 4
            assert (np.diff(sides, axis=0) == 0).any(axis=1).all(), "from corner to corner along the sides"
            colour = box.outline_color
            np.testing.assert_allclose(np.array([colour.r, colour.g, colour.b]) * 255, BOX)
            assert (text.position.x, text.position.y) == (each.x, each.y)
            assert text.text == f"unknown {each.peak:.1f}, class {each.class_id}"
    assert [verdict.object_count for verdict in verdicts] == [0, 1, 0, None]
    assert (f"{top}/anomaly_map", stamps[-1]) not in found, "the map of a black frame is unknown"
    assert (f"{top}/unknown_objects", stamps[-1]) not in found


def test_mcap_of_the_road_alone_has_no_boxes_where_no_road_is_in_sight(drive: Path, tmp_path: Path) -> None:
    (bundle := tmp_path / "mapped").mkdir()
    write_answers_bundle(bundle, with_map=True)
    frame = np.minimum(frame_of_level(0.5), 250)
    frame[..., 1] = frame.max(axis=-1) + 1  # of class 1 throughout; the road is class 0
    Image.fromarray(frame).save(drive / "5.png")
    run(["score", str(bundle), str(drive / "5.png"), "--object-region", "road", "--out", str(tmp_path / "scored.mcap")])
    found = messages(tmp_path / "scored.mcap")
    assert {name for name, _ in found.values()} == {"lsood.Verdict", "foxglove.CompressedImage"}


def test_mcap_of_a_bundle_without_a_map_has_verdicts_alone(toy_bundle: Path, drive: Path, tmp_path: Path) -> None:
    run(["score", str(toy_bundle), str(drive), "--out", str(tmp_path / "scored.mcap")])
    assert {name for name, _ in messages(tmp_path / "scored.mcap").values()} == {"lsood.Verdict"}


@given(st.lists(st.text("ab/_2", max_size=4).map(lambda name: name.replace("b", "/anomaly_map")), max_size=8))
def test_no_two_cameras_share_a_topic(cameras: list[str]) -> None:
    paths, endings = CameraPaths(("", "/anomaly_map")), ("", "/anomaly_map")
    topics = {camera: {paths.of(camera) + ending for ending in endings} for camera in cameras}
    assert {camera: {paths.of(camera) + ending for ending in endings} for camera in cameras} == topics
    assert len(set().union(*topics.values())) == 2 * len(topics)
    if cameras:
        assert paths.of(cameras[0]) == cameras[0].strip("/")


def test_mcap_of_cameras_whose_topics_would_be_the_same_keeps_them_apart(tmp_path: Path) -> None:
    out = tmp_path / "scored.mcap"
    with VerdictFile(out) as file:
        for stamp, camera in enumerate(["/front", "front", "front/", "front/anomaly_map"]):
            file.write({"frame": camera, "camera": camera, "stamp_ns": stamp})
    found = messages(out)
    assert {(topic, contents["camera"]) for (topic, _), (_, contents) in found.items()} == {
        ("/lsood/front", "/front"),
        ("/lsood/front_2", "front"),
        ("/lsood/front_3", "front/"),
        ("/lsood/front/anomaly_map_2", "front/anomaly_map"),
    }
