# SPDX-License-Identifier: Apache-2.0
"""Topics are chosen by name, by pattern and by type; other channels of a recording do not disturb."""

from collections.abc import Callable
from pathlib import Path

import pytest
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.Log_pb2 import Log
from mcap.writer import Writer
from mcap_protobuf.schema import build_file_descriptor_set

from lsood_runtime._media.pixel_rules import PixelRules
from lsood_runtime._media.recordings.image_message import plain_type
from tests.lsood_runtime.media.recordings.drives import (
    IMAGE_DEFINITION,
    Shot,
    assert_frames_are,
    drive,
    mcap_bytes,
    replay,
    ros_image,
)

Beside = Callable[[Writer], Callable[[int], None]]


def channel(topic: str, kind: str, schema_encoding: str, schema: bytes, encoding: str, data: bytes) -> Beside:
    """A channel whose messages all have these bytes; without a schema where its encoding is empty."""

    def begin(writer: Writer) -> Callable[[int], None]:
        schema_id = writer.register_schema(kind, schema_encoding, schema) if schema_encoding else 0
        number = writer.register_channel(topic, encoding, schema_id)
        return lambda time_ns: writer.add_message(number, time_ns, data, time_ns)

    return begin


def together(*channels: Beside) -> Beside:
    def begin(writer: Writer) -> Callable[[int], None]:
        writes = [each(writer) for each in channels]
        return lambda time_ns: [write(time_ns) for write in writes].clear()

    return begin


def depth_channel(encoding: str) -> Beside:
    data = ros_image(drive(0, 1)[0], encoding=encoding)
    return channel("/depth/image_rect", "sensor_msgs/msg/Image", "ros2msg", IMAGE_DEFINITION, "cdr", data)


VERDICTS = channel("/lsood/camera0", "lsood.Verdict", "jsonschema", b'{"type": "object"}', "json", b'{"score": 1.0}')
LOG = channel(
    "/log",
    "foxglove.Log",
    "protobuf",
    build_file_descriptor_set(Log).SerializeToString(),
    "protobuf",
    Log(message="steady").SerializeToString(),
)
OTHERS = {
    "the verdicts of a scored MCAP": VERDICTS,
    "protobuf of another type": LOG,
    "a channel without a schema": channel("/raw", "", "", b"", "cbor", b"\xa0"),
    "a service's introspection": channel(
        "/change/_service_event",
        "lifecycle_msgs/srv/ChangeState_Event",
        "ros2msg",
        b"int64 x\n---\nint64 y\n",
        "cdr",
        b"",
    ),
    "an action's feedback": channel(
        "/fib/_action/feedback", "x/action/Fibonacci_FeedbackMessage", "ros2msg", b"int32 a\n---\nint32 b", "cdr", b"\0"
    ),
    "a definition that does not parse": channel("/weird", "x/msg/Weird", "ros2msg", b"x/Missing[<=3 a", "cdr", b"\0\1"),
    "an empty definition": channel("/none", "x/msg/None", "ros2msg", b"", "cdr", b""),
    "a damaged IDL": channel("/idl", "x/msg/Y", "ros2idl", b"garbage {", "cdr", b"\0"),
    "an OMG IDL": channel("/omg", "x_msgs::Y", "omgidl", b"struct Y { long a; };", "cdr", b"\0"),
    "an empty message": channel("/trigger", "std_msgs/msg/Empty", "ros2msg", b"", "cdr", b"\0\1\0\0\0"),
}


def recording(folder: Path, shots: list[Shot], beside: Beside | None = None, **build: object) -> Path:
    path = folder / "drive.mcap"
    path.write_bytes(mcap_bytes(shots, beside=beside, **build)[0])  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("chunked", [True, False])
def test_recording_with_other_messages_beside_its_images_is_read(tmp_path: Path, other: Beside, chunked: bool) -> None:
    shots = drive(1, 6)
    got = replay(recording(tmp_path, shots, other, chunked=chunked))
    assert_frames_are(got.frames, shots)
    assert (got.told, got.error) == ([], "")


def test_recording_with_all_other_messages_at_once_is_read(tmp_path: Path) -> None:
    shots = drive(2, 6)
    got = replay(recording(tmp_path, shots, together(*OTHERS.values())))
    assert_frames_are(got.frames, shots)


@pytest.mark.parametrize(
    ("patterns", "cameras"),
    [
        ((), {0, 1, 2}),
        (("/camera1/image_raw",), {1}),
        (("/camera[02]/image_raw",), {0, 2}),
        (("/camera?/*",), {0, 1, 2}),
        (("*1*", "/camera2/image_raw"), {1, 2}),
        (("*",), {0, 1, 2}),
    ],
)
def test_topics_by_name_and_pattern_give_those_that_fit(
    tmp_path: Path, patterns: tuple[str, ...], cameras: set[int]
) -> None:
    shots = drive(3, 9, cameras=3)
    got = replay(recording(tmp_path, shots, VERDICTS), patterns)
    assert_frames_are(got.frames, [shot for i, shot in enumerate(shots) if i % 3 in cameras])


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (
            "/left",
            "expected images on /left in {path}, it has them on /camera0/image_raw (sensor_msgs/msg/Image), /camera1",
        ),
        ("/CAMERA0/*", "expected images on /CAMERA0/* in"),
        (
            "/log",
            "expected images on /log in {path}, /log (foxglove.Log) has none: check the topics that were asked for",
        ),
    ],
)
def test_topics_that_nothing_fits_are_named_with_what_there_is(tmp_path: Path, pattern: str, words: str) -> None:
    path = recording(tmp_path, drive(4, 4), LOG)
    got = replay(path, ("/camera0/image_raw", pattern))
    assert got.frames == []
    assert words.format(path=path) in got.error


def test_recording_without_images_lists_its_topics(tmp_path: Path) -> None:
    got = replay(recording(tmp_path, [], LOG), ())
    assert got.frames == []
    assert "it has no topic" in got.error or "/log (foxglove.Log)" in got.error


@pytest.mark.parametrize(
    "name",
    [
        "sensor_msgs/msg/Image",
        "sensor_msgs/Image",
        "sensor_msgs::msg::Image",
        "sensor_msgs::msg::dds_::Image_",
    ],
)
def test_image_type_in_any_spelling_is_one(tmp_path: Path, name: str) -> None:
    assert plain_type(name) == "sensor_msgs/Image"
    shots = drive(5, 3)
    assert_frames_are(replay(recording(tmp_path, shots, schema=name)).frames, shots)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_topic_is_left_out_and_told_unless_it_is_named(tmp_path: Path, encoding: str) -> None:
    shots = drive(6, 4)
    path = recording(tmp_path, shots, depth_channel(encoding))
    got = replay(path)
    assert_frames_are(got.frames, shots)
    assert got.told == [f"/depth/image_rect of {path} is left out: {encoding!r} is depth, not colours"]
    named = replay(path, ("/depth/image_rect",))
    assert [frame.camera for frame in named.frames] == ["/depth/image_rect"] * 4
    assert all(encoding in frame.fault for frame in named.frames)
    only = replay(path, ("/depth/*",))
    assert only.frames == []
    assert "expected images in" in only.error


def test_depth_topic_whose_encoding_is_stated_is_read(tmp_path: Path) -> None:
    shots = drive(6, 2)
    got = replay(recording(tmp_path, shots, depth_channel("16UC1")), rules=PixelRules(("mono16",), grey=True, bits=16))
    deep = [frame for frame in got.frames if frame.camera == "/depth/image_rect"]
    assert [frame.fault for frame in deep] == ["", ""]
    assert got.told == []


@pytest.mark.parametrize(
    ("schema_encoding", "schema", "encoding", "words"),
    [
        ("jsonschema", b"{}", "json", "has foxglove.CompressedImage in json, which is not read; protobuf is"),
        ("protobuf", b"\n\x00", "protobuf", "cannot be read: its definition of foxglove.CompressedImage"),
        ("protobuf", b"\xff\xff", "protobuf", "cannot be read: its definition of foxglove.CompressedImage"),
        (
            "protobuf",
            build_file_descriptor_set(Log).SerializeToString(),
            "protobuf",
            "cannot be read: its definition of foxglove.CompressedImage",
        ),
    ],
)
def test_image_topic_that_cannot_be_read_is_left_out_and_told_unless_it_is_named(
    tmp_path: Path, schema_encoding: str, schema: bytes, encoding: str, words: str
) -> None:
    shots = drive(7, 4)
    data = CompressedImage(format="jpeg").SerializeToString()
    path = recording(
        tmp_path, shots, channel("/fox", "foxglove.CompressedImage", schema_encoding, schema, encoding, data)
    )
    got = replay(path)
    assert_frames_are(got.frames, shots)
    assert len(got.told) == 1
    assert words in got.told[0]
    named = replay(path, ("/fox",))
    assert named.frames == []
    assert words in named.error
