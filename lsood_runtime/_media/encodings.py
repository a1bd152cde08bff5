# SPDX-License-Identifier: Apache-2.0
"""Encodings of uncompressed images by their names in ROS, Foxglove and V4L2."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lsood_runtime._exceptions import FrameError


class PixelLayout(Enum):
    """How the values of a pixel lie in memory."""

    COLOUR = "colour"
    GREY = "grey"
    BAYER = "Bayer mosaic"
    PACKED_YUV = "packed YUV"
    PLANAR_YUV = "planar YUV"
    UNNAMED = "channels without names"


@dataclass(frozen=True, slots=True)
class PixelEncoding:
    """An encoding of pixels.

    Args:
        layout: how the values lie.
        order: of the values: ``rgb``, ``bgra``, a mosaic's first two rows such as ``rggb``, or the name of a YUV layout.
        samples: values a pixel in a row, of planar YUV in a row of its luma plane.
        bits: of a value in memory, 8 or 16.
    """

    layout: PixelLayout
    order: str
    samples: int
    bits: int = 8

    @property
    def pixel_bytes(self) -> int:
        """Bytes a pixel in a row."""
        return self.samples * self.bits // 8


_COLOUR = {
    f"{order}{bits}": PixelEncoding(PixelLayout.COLOUR, order, len(order), bits)
    for order in ("rgb", "bgr", "rgba", "bgra")
    for bits in (8, 16)
}
_GREY = {f"mono{bits}": PixelEncoding(PixelLayout.GREY, "grey", 1, bits) for bits in (8, 16)}
_BAYER = {
    f"bayer_{order}{bits}": PixelEncoding(PixelLayout.BAYER, order, 1, bits)
    for order in ("rggb", "bggr", "gbrg", "grbg")
    for bits in (8, 16)
}
_PACKED = {
    name: PixelEncoding(PixelLayout.PACKED_YUV, order, 2)
    for order, names in {"yuyv": ("yuyv", "yuy2", "yuv422_yuy2"), "uyvy": ("uyvy", "yuv422")}.items()
    for name in names
}
_PLANAR = {
    name: PixelEncoding(PixelLayout.PLANAR_YUV, order, 1)
    for order, names in {
        "nv12": ("nv12",),
        "nv21": ("nv21",),
        "nv24": ("nv24",),
        "i420": ("i420", "yuv420", "yuv420p"),
        "yv12": ("yv12",),
    }.items()
    for name in names
}
_UNNAMED = {
    f"{bits}uc{samples}": PixelEncoding(PixelLayout.UNNAMED, "", samples, bits)
    for bits, counts in ((8, (1, 2, 3, 4)), (16, (1, 3, 4)))
    for samples in counts
}

ENCODINGS = {**_COLOUR, **_GREY, **_BAYER, **_PACKED, **_PLANAR, **_UNNAMED}
"""Every encoding that can be read, by its name in lower case."""


def find_encoding(name: str, choices: Sequence[str] = ()) -> PixelEncoding:
    """Find the encoding that a message states or, where that names no channels, the first choice of the same bytes a pixel.

    Args:
        name: as the message states it, in upper or lower case.
        choices: names of :data:`ENCODINGS` that name their channels.

    Raises:
        FrameError: an unknown encoding, or one without names that no choice completes.
    """
    stated = ENCODINGS.get(name.lower())
    if stated is None:
        raise FrameError(
            f"expected an encoding of colour images such as rgb8, bgr8 or nv12, got {name!r}: leave this topic out if it "
            "holds depth or other data, or publish the images as rgb8"
        )
    if stated.layout is not PixelLayout.UNNAMED:
        return stated
    fitting = [other for other in named_encodings() if _alike(ENCODINGS[other], stated)]
    for choice in choices:
        if choice.lower() in fitting:
            return ENCODINGS[choice.lower()]
    raise FrameError(
        f"expected an encoding that names its channels, got {name}: state what it holds with PixelRules(encodings=...), "
        f"{' or '.join(fitting)}"
    )


def bayer_pattern(name: str) -> str:
    """Colours of the first two rows of a Bayer encoding of 8 bits, such as ``rggb``; empty for other encodings."""
    known = ENCODINGS.get(name.strip().lower())
    return known.order if known is not None and known.layout is PixelLayout.BAYER and known.bits == 8 else ""


def named_encodings() -> list[str]:
    """Names of the encodings that may stand for one without names: not those of several planes."""
    return [
        name
        for name, encoding in ENCODINGS.items()
        if encoding.layout not in (PixelLayout.UNNAMED, PixelLayout.PLANAR_YUV)
    ]


def _alike(one: PixelEncoding, other: PixelEncoding) -> bool:
    return (one.samples, one.bits) == (other.samples, other.bits)
