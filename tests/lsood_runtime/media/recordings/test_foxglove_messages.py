# SPDX-License-Identifier: Apache-2.0
"""Foxglove's images in Protobuf and in ROS: pixels, pictures and video come back with their stamps."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from foxglove_schemas_protobuf.RawImage_pb2 import RawImage
from mcap.writer import Writer as McapWriter
from mcap_protobuf.writer import Writer
from PIL import Image
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from tests.lsood_runtime.media.recordings.drives import Replay, Shot, assert_frames_are, drive, replay

TIME = "{time} timestamp\nstring frame_id\n"
DEFINITIONS = {
    "CompressedImage": TIME + "uint8[] data\nstring format",
    "RawImage": TIME + "uint32 width\nuint32 height\nstring encoding\nuint32 step\nuint8[] data",
}


def png(shot: Shot) -> bytes:
    file = io.BytesIO()
    Image.fromarray(shot.pixels).save(file, "PNG")
    return file.getvalue()


def padded(shot: Shot, padding: int) -> bytes:
    """BGR rows with bytes behind each."""
    rows = shot.pixels[..., ::-1].reshape(len(shot.pixels), -1)
    return np.pad(rows, ((0, 0), (0, padding)), constant_values=7).tobytes()


def fields_of(shot: Shot, kind: str) -> dict[str, Any]:
    if kind == "CompressedImage":
        return {"format": "png", "data": png(shot)}
    height, width, _ = shot.pixels.shape
    return {"width": width, "height": height, "encoding": "bgr8", "step": 3 * width + 5, "data": padded(shot, 5)}


def write_protobuf(path: Path, messages: Sequence[tuple[Shot, Any]]) -> Path:
    with path.open("wb") as file, Writer(file) as writer:
        for shot, message in messages:
            message.timestamp.seconds, message.timestamp.nanos = divmod(shot.stamp_ns, 10**9)
            writer.write_message(shot.camera, message, shot.recorded_ns, shot.recorded_ns)
    return path


@pytest.mark.parametrize("kind", [CompressedImage, RawImage])
def test_foxglove_image_in_protobuf_is_read(tmp_path: Path, kind: Any) -> None:
    shots = drive(1, 8)
    messages = [(shot, kind(**fields_of(shot, kind.__name__))) for shot in shots]
    got = replay(write_protobuf(tmp_path / "drive.mcap", messages))
    assert_frames_are(got.frames, shots)
    assert (got.told, got.error) == ([], "")


@pytest.mark.parametrize("ros1", [False, True])
@pytest.mark.parametrize("kind", DEFINITIONS)
def test_foxglove_image_in_ros_is_read(tmp_path: Path, kind: str, ros1: bool) -> None:
    store: Any = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_HUMBLE)
    name = f"foxglove_msgs/msg/{kind}"
    definition = DEFINITIONS[kind].format(time="time" if ros1 else "builtin_interfaces/Time")
    store.register(get_types_from_msg(definition, name))
    shots = drive(2, 8)
    with (tmp_path / "drive.mcap").open("wb") as file:
        writer = McapWriter(file)
        writer.start()
        schema = writer.register_schema(f"foxglove_msgs/{kind}", f"ros{2 - ros1}msg", definition.encode())
        channels = {camera: writer.register_channel(camera, "ros1" if ros1 else "cdr", schema) for camera in CAMERAS}
        for shot in shots:
            stamp = store.types["builtin_interfaces/msg/Time"](shot.stamp_ns // 10**9, shot.stamp_ns % 10**9)
            values = fields_of(shot, kind)
            values["data"] = np.frombuffer(values["data"], np.uint8)
            message = store.types[name](timestamp=stamp, frame_id="", **values)
            data = store.serialize_ros1(message, name) if ros1 else store.serialize_cdr(message, name)
            writer.add_message(channels[shot.camera], shot.recorded_ns, bytes(data), shot.recorded_ns)
        writer.finish()  # type: ignore[no-untyped-call]
    got = replay(tmp_path / "drive.mcap")
    assert_frames_are(got.frames, shots)
    assert (got.told, got.error) == ([], "")


CAMERAS = ("/camera0/image_raw", "/camera1/image_raw")


def replay_one(tmp_path: Path, message: Any) -> Replay:
    """Replay a message between two good ones."""
    shots = drive(3, 3, cameras=1)
    messages = [(shot, CompressedImage(**fields_of(shot, "CompressedImage"))) for shot in shots]
    messages[1] = (shots[1], message)
    return replay(write_protobuf(tmp_path / "drive.mcap", messages))


def test_foxglove_message_without_data_is_a_fault_and_the_others_are_read(tmp_path: Path) -> None:
    got = replay_one(tmp_path, CompressedImage(format="png"))
    assert [bool(frame.fault) for frame in got.frames] == [False, True, False]
    assert got.error == ""


def video_messages(shots: Sequence[Shot], codec: str, packets: Sequence[bytes]) -> list[tuple[Shot, Any]]:
    return [(shot, CompressedVideo(format=codec, data=data)) for shot, data in zip(shots, packets, strict=True)]
