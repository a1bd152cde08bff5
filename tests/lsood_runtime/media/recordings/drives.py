# SPDX-License-Identifier: Apache-2.0
"""Small drives of several cameras, and files of them that the libraries of the formats write."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mcap.writer import CompressionType, IndexType, Writer
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.recordings.reader import read_recording
from lsood_runtime._media.source_frame import SourceFrame

START_NS = 1_700_000_000_000_000_000
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
ROS2, ROS1 = get_typestore(Stores.ROS2_HUMBLE), get_typestore(Stores.ROS1_NOETIC)
IMAGE_DEFINITION = ROS2.generate_msgdef(IMAGE, ros_version=2)[0].encode()


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame of a drive: its camera, the header's stamp, the time of recording, and the RGB pixels."""

    camera: str
    stamp_ns: int
    recorded_ns: int
    pixels: NDArray[np.uint8]


def drive(seed: int, count: int, cameras: int = 2, *, shuffled: bool = False) -> list[Shot]:
    """Shots in the order in which they are written; ``shuffled`` for recorders that write some messages late."""
    rng = np.random.default_rng(seed)
    shots = []
    for i in range(count):
        late = int(rng.integers(0, 5 * 10**7)) if shuffled else 0
        time_ns = START_NS + i * 10**7
        pixels = rng.integers(0, 256, (4, 6, 3), np.uint8)
        shots.append(Shot(f"/camera{i % cameras}/image_raw", time_ns, time_ns + 1000 + late, pixels))
    return shots


def by_time(shots: Sequence[Shot]) -> list[Shot]:
    return sorted(shots, key=lambda shot: shot.recorded_ns)


def ros_image(shot: Shot, *, ros1: bool = False, encoding: str = "rgb8") -> bytes:
    """A serialised ``sensor_msgs/Image``."""
    store: Any = ROS1 if ros1 else ROS2
    types = store.types
    stamp = types["builtin_interfaces/msg/Time"](sec=shot.stamp_ns // 10**9, nanosec=shot.stamp_ns % 10**9)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera", **({"seq": 0} if ros1 else {}))
    height, width, _ = shot.pixels.shape
    message = types[IMAGE](
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=3 * width,
        data=shot.pixels.ravel(),
    )
    return bytes(store.serialize_ros1(message, IMAGE) if ros1 else store.serialize_cdr(message, IMAGE))


def mcap_bytes(
    shots: Sequence[Shot],
    *,
    compression: CompressionType = CompressionType.NONE,
    chunk_size: int = 600,
    chunked: bool = True,
    index: IndexType = IndexType.ALL,
    summary: bool = True,
    checksums: bool = True,
    ros1: bool = False,
    schema: str = IMAGE,
    beside: Callable[[Writer], Callable[[int], None]] | None = None,
) -> tuple[bytes, list[int]]:
    """An MCAP file of shots, and how long it was after each of them.

    ``beside`` registers channels of other messages and gives what writes one of each at a time.
    """
    file = io.BytesIO()
    writer = Writer(
        file,
        chunk_size=chunk_size,
        compression=compression,
        index_types=index,
        use_chunking=chunked,
        use_statistics=summary,
        use_summary_offsets=summary,
        repeat_channels=summary,
        repeat_schemas=summary,
        enable_crcs=checksums,
    )
    writer.start()
    encoding, definition = ("ros1", ROS1.generate_msgdef(IMAGE)[0].encode()) if ros1 else ("cdr", IMAGE_DEFINITION)
    schema_id = writer.register_schema(schema, f"{'ros1' if ros1 else 'ros2'}msg", definition)
    write_beside = beside(writer) if beside is not None else None
    channels: dict[str, int] = {}
    ends = []
    for i, shot in enumerate(shots):
        if shot.camera not in channels:
            channels[shot.camera] = writer.register_channel(shot.camera, encoding, schema_id)
        data = ros_image(shot, ros1=ros1)
        writer.add_message(channels[shot.camera], shot.recorded_ns, data, shot.recorded_ns, i)
        if write_beside is not None:
            write_beside(shot.recorded_ns)
        ends.append(file.tell())
    writer.finish()  # type: ignore[no-untyped-call]
    return file.getvalue(), ends


@dataclass
class Replay:
    """What a reading gave: frames, sentences for the user, and the error at its end."""

    frames: list[SourceFrame]
    told: list[str]
    error: str


def replay(path: Path, topics: Sequence[str] = (), channels: str = "rgb", rules: PixelRules = AS_STATED) -> Replay:
    frames, told, error = list[SourceFrame](), list[str](), ""
    try:
        frames.extend(read_recording(path, channels, topics, rules, tell=told.append))
    except MediaError as raised:
        error = str(raised)
    return Replay(frames, told, error)


def assert_frames_are(frames: Sequence[SourceFrame], shots: Sequence[Shot]) -> None:
    """Cameras, stamps and pixels are those of the shots, in their order, and no frame has a fault."""
    assert [frame.fault for frame in frames] == [""] * len(frames)
    assert [(frame.camera, frame.stamp_ns) for frame in frames] == [(shot.camera, shot.stamp_ns) for shot in shots]
    for frame, shot in zip(frames, shots, strict=True):
        np.testing.assert_array_equal(frame.image, shot.pixels)
