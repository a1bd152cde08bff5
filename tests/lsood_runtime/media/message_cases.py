# SPDX-License-Identifier: Apache-2.0
"""Cases of uncompressed image messages: every encoding, with padding and without, and messages that contradict themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from tests.lsood_runtime.media.input_cases import MadeInput, Make, are_invalid, are_read
from tests.lsood_runtime.media.raw_images import BAYERS, PACKED, PLANAR, RawImage, raw_image

_STORE = get_typestore(Stores.ROS2_HUMBLE)
_IMAGE = "sensor_msgs/msg/Image"
_START_NS, _STEP_NS = 1_700_000_000_000_000_000, 50_000_000

Change = Callable[[RawImage], RawImage]


def write_messages(folder: Path, message_type: str, fields: Sequence[Mapping[str, Any]]) -> Path:
    """Write a ROS 2 bag of messages that differ in these fields, 50 ms apart."""
    types, path = _STORE.types, folder / "drive"
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera/image", message_type, typestore=_STORE)
        for i, values in enumerate(fields):
            stamp_ns = _START_NS + i * _STEP_NS
            stamp = types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
            header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
            message: Any = types[message_type](header=header, **values)
            writer.write(connection, stamp_ns, _STORE.serialize_cdr(message, message_type))
    return path


def images(
    encodings: Sequence[str], change: Change = lambda image: image, *, readable: bool = True, **options: Any
) -> Make:
    """Write an image of each encoding, of one random size and byte order and with random padding, changed by ``change``."""
    even = any(encoding in (*PLANAR, *PACKED) for encoding in encodings)

    def make(folder: Path, rng: np.random.Generator) -> MadeInput:
        height, width = (int(side) for side in 2 * rng.integers(2, 9, 2) + (0 if even else rng.integers(0, 2, 2)))
        drawn = [
            change(
                raw_image(
                    encoding,
                    rng,
                    (height, width),
                    padding=2 * int(rng.integers(0, 8)),
                    big_endian=bool(rng.integers(0, 2)),
                    **options,
                )
            )
            for encoding in encodings
        ]
        fields = [
            {
                "encoding": image.encoding,
                "height": image.height,
                "width": image.width,
                "step": image.step,
                "is_bigendian": int(image.big_endian),
                "data": np.frombuffer(image.data, np.uint8),
            }
            for image in drawn
        ]
        shown = tuple(image.exact if readable else None for image in drawn)
        return MadeInput(write_messages(folder, _IMAGE, fields), shown, max(image.tolerance for image in drawn))

    return make


def unreadable(encodings: Sequence[str], change: Change = lambda image: image, **options: Any) -> Make:
    """As :func:`images`, none of which can be read."""
    return images(encodings, change, readable=False, **options)


def called(encoding: str) -> Change:
    """Give an image another name of its encoding."""
    return lambda image: image.named(encoding)


def _unnamed(image: RawImage) -> str:
    return {"mono16": "16UC1", "rgb16": "16UC3", "rgba16": "16UC4"}[image.encoding]


def _names(encodings: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in encodings)


_EIGHT, _DEEP = (tuple(f"{order}{bits}" for order in ("rgb", "bgr", "rgba", "bgra")) for bits in (8, 16))
_BAYER_8, _BAYER_16 = (tuple(name for name in BAYERS if name.endswith(bits)) for bits in ("8", "16"))
_YUV = (*PLANAR, *PACKED)
_OTHERS = ("32FC1", "64FC3", "8SC3", "jpeg", "")

_read, _invalid = (case("Uncompressed image messages") for case in (are_read, are_invalid))

CASES = (
    _read(
        f"{_names(_EIGHT)}, in capitals too",
        images(
            (*_EIGHT, *_EIGHT),
            lambda image: image.named(image.encoding.upper() if image.data[0] % 2 else image.encoding),
        ),
        "read by step; alpha is left out",
    ),
    _invalid(_names(_DEEP), unreadable(_DEEP), "expected 8 bits a value, got 16"),
    _read(f"{_names(_DEEP)}, of either byte order", images(_DEEP), "scaled so that 65535 is white", "--bits", "16"),
    _read("the same from a sensor of 12 bits", images(_DEEP, bits=12), "scaled so that 4095 is white", "--bits", "12"),
    _invalid(
        "the same with a value above",
        unreadable(_DEEP, lambda image: replace(image, data=b"\xff" * len(image.data))),
        "expected values of 12 bits, up to 4095, got 65535",
        *("--bits", "12"),
    ),
    _invalid("`mono8`, `mono16`", unreadable(("mono8", "mono16")), "expected a colour image, got mono", "--bits", "16"),
    _read("`mono8`", images(("mono8",)), "three equal channels", "--grey"),
    _read("`mono16`", images(("mono16",)), "scaled, three equal channels", "--grey", "--bits", "16"),
    _read(_names(_BAYER_8), images(_BAYER_8), "interpolated bilinearly"),
    _read(_names(_BAYER_16), images(_BAYER_16, bits=12), "interpolated bilinearly, scaled", "--bits", "12"),
    _read(
        f"{_names(_YUV)} of BT.601, limited range",
        images(_YUV, legal=True),
        "converted, each chroma value for all pixels that share it; YUV that states no space is taken for this one",
    ),
    *(
        _read(f"the same of {words}", images(_YUV, space=space), "converted", "--yuv", space)
        for words, space in (
            ("BT.601, limited range", "bt601"),
            ("BT.601, full range", "bt601-full"),
            ("BT.709, limited range", "bt709"),
            ("BT.709, full range", "bt709-full"),
        )
    ),
    _invalid(
        "the same, with more than 1 % of the pixels far below the black of limited range",
        unreadable(_YUV, lambda image: replace(image, data=bytes(len(image.data)))),
        "expected YUV of limited range",
    ),
    _invalid("`8UC3`", unreadable(("rgb8",), called("8UC3")), "names its channels, got 8UC3: state what it holds"),
    _read("`8UC3`", images(("bgr8",), called("8UC3")), "read as stated", "--encoding", "bgr8"),
    _invalid("`8UC4`", unreadable(("rgba8",), called("8UC4")), "names its channels, got 8UC4: state what it holds"),
    _read("`8UC4`", images(("bgra8",), called("8UC4")), "read as stated", "--encoding", "bgra8"),
    _invalid(
        "`8UC1`", unreadable(("mono8",), called("8UC1")), "names its channels, got 8UC1: state what it holds", "--grey"
    ),
    _read("`8UC1`", images(("bayer_grbg8",), called("8UC1")), "read as stated", "--encoding", "bayer_grbg8"),
    _read("`8UC2`", images(("uyvy",), called("8UC2"), legal=True), "read as stated", "--encoding", "uyvy"),
    _invalid(
        "`16UC1`, `16UC3`, `16UC4`",
        unreadable(("mono16", "rgb16", "rgba16"), lambda image: image.named(_unnamed(image))),
        "names its channels, got 16UC",
        *("--grey", "--bits", "16", "--topic", "/camera/image"),
    ),
    _invalid(
        "`32FC1`, `64FC3`, `8SC3`, `jpeg`, an empty encoding, any other",
        unreadable(("rgb8",) * 5, lambda image: image.named(_OTHERS[image.data[0] % 5])),
        "expected an encoding of colour images such as rgb8, bgr8 or nv12",
        *("--topic", "/camera/image"),
    ),
    _invalid(
        "fewer bytes than rows times step",
        unreadable(
            (*_EIGHT, *_BAYER_8, *_YUV), lambda image: replace(image, data=image.data[: -1 - image.data[0] % 9])
        ),
        "the image is cut off",
    ),
    _read(
        "more bytes than rows times step",
        images((*_EIGHT, *_YUV), lambda image: replace(image, data=image.data + bytes(999)), legal=True),
        "read; what comes after the last row is ignored",
    ),
    _invalid(
        "a step below the width",
        unreadable((*_EIGHT, *_YUV), lambda image: replace(image, step=image.width - 1)),
        "expected a step of at least",
    ),
    _invalid("no rows", unreadable(_EIGHT, lambda image: replace(image, height=0)), "expected an image with pixels"),
    _invalid(
        "YUV of an odd width, whose pixels do not pair",
        unreadable(("nv12", "i420", "yuyv"), lambda image: replace(image, width=image.width - 1)),
        "expected an even width",
    ),
)
