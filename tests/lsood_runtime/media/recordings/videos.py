# SPDX-License-Identifier: Apache-2.0
"""Frames of video as a recorder sends them, one in a message."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"crf": "4", "preset": "ultrafast", "tune": "zerolatency"}),
    "h265": (
        "libx265",
        {"crf": "4", "preset": "ultrafast", "x265-params": "bframes=0:log-level=none:repeat-headers=1"},
    ),
    "vp9": ("libvpx-vp9", {"crf": "4", "b": "0", "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "av1": ("libsvtav1", {"crf": "4", "preset": "12", "svtav1-params": "pred-struct=1:lookahead=0"}),
}
KEY_FRAME_EVERY = 5


def moving_scenes(count: int) -> list[NDArray[np.uint8]]:
    """Smooth colours with a square that moves, ``(64, 96, 3)`` RGB."""
    scenes = []
    for i in range(count):
        scene = np.zeros((64, 96, 3), np.uint8)
        scene[..., 0] = np.linspace(20, 235, 96)
        scene[..., 1] = np.linspace(20, 235, 64)[:, None]
        scene[16:48, 4 * i : 4 * i + 24] = (30 + 10 * i, 60, 200)
        scenes.append(scene)
    return scenes


def packets_of(scenes: Sequence[NDArray[np.uint8]], name: str) -> list[bytes]:
    """One packet a scene, with a key frame at every fifth."""
    encoder, options = ENCODERS[name]
    codec: Any = av.CodecContext.create(encoder, "w")
    codec.height, codec.width, _ = scenes[0].shape
    codec.pix_fmt, codec.time_base, codec.options = "yuv420p", Fraction(1, 20), options
    codec.gop_size, codec.max_b_frames = KEY_FRAME_EVERY, 0
    packets = []
    for i, scene in enumerate(scenes):
        frame = av.VideoFrame.from_ndarray(scene, format="rgb24")
        frame.pts = i
        packets += codec.encode(frame)
    packets += codec.encode(None)
    assert len(packets) == len(scenes)
    return [bytes(packet) for packet in packets]
