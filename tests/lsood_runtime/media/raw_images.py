# SPDX-License-Identifier: Apache-2.0
"""Uncompressed images of every encoding, drawn at random, and what they show by arithmetic written out in float64."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

COLOURS = tuple(f"{order}{bits}" for order in ("rgb", "bgr", "rgba", "bgra") for bits in (8, 16))
GREYS = ("mono8", "mono16")
BAYERS = tuple(f"bayer_{pattern}{bits}" for pattern in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16))
PACKED = {"yuyv": "yuyv", "yuy2": "yuyv", "yuv422_yuy2": "yuyv", "uyvy": "uyvy", "yuv422": "uyvy"}
PLANAR = {  # rows and columns that share a chroma value
    **dict.fromkeys(("nv12", "nv21", "i420", "yuv420", "yuv420p", "yv12"), (2, 2)),
    "nv24": (1, 1),
}

Bytes = NDArray[np.uint8]
Exact = NDArray[np.float64]


@dataclass(frozen=True)
class RawImage:
    """The fields of an image message, and the RGB picture that it shows.

    Attributes:
        exact: ``(H, W, 3)`` from 0 to 255, not rounded; NaN where an interpolation is free to choose.
        tolerance: of a frame against it.
    """

    encoding: str
    height: int
    width: int
    step: int
    big_endian: bool
    data: bytes
    exact: Exact
    tolerance: float = 0.5 + 1e-4

    def assert_shown_by(self, frame: Bytes, channels: str = "rgb") -> None:
        """A frame in the given order shows this image."""
        assert_shows(frame if channels == "rgb" else frame[..., ::-1], self.exact, self.tolerance)

    def named(self, encoding: str) -> "RawImage":
        """The same image under another name of its encoding."""
        return replace(self, encoding=encoding)


def assert_shows(frame: Bytes, exact: Exact, tolerance: float) -> None:
    """An RGB frame has these values."""
    assert frame.dtype == np.uint8
    assert frame.shape == exact.shape
    difference = np.abs(frame - exact)
    assert np.nanmax(difference, initial=0) <= tolerance, np.nanmax(difference)


def raw_image(
    encoding: str,
    rng: np.random.Generator,
    size: tuple[int, int],
    *,
    padding: int = 0,
    big_endian: bool = False,
    bits: int = 16,
    space: str = "bt601",
    legal: bool = False,
) -> RawImage:
    """Draw an image.

    Args:
        encoding: any of this module's names.
        rng: of pixels, and of the bytes between rows.
        size: rows and columns, both even for YUV other than nv24.
        padding: bytes after each row; even for i420 and yv12.
        big_endian: byte order of values of 16 bits.
        bits: that values of 16 bits use.
        space: of YUV.
        legal: keep YUV to the values of limited range, luma 16 to 235 and chroma 16 to 240.
    """
    height, width = size
    lumas, chromas = ((16, 236), (16, 241)) if legal else ((0, 256), (0, 256))
    if encoding in PLANAR:
        rows, columns = PLANAR[encoding]
        luma = rng.integers(*lumas, size, dtype=np.uint8)
        chroma = rng.integers(*chromas, (height // rows, width // columns, 2), dtype=np.uint8)
        exact = exact_rgb(luma, chroma.repeat(rows, axis=0).repeat(columns, axis=1), space)
        data = _planes(encoding, luma, chroma, padding, rng)
        return RawImage(encoding, height, width, width + padding, big_endian, data, exact)
    if encoding in PACKED:
        luma = rng.integers(*lumas, size, dtype=np.uint8)
        chroma = rng.integers(*chromas, (height, width // 2, 2), dtype=np.uint8)
        stored = np.empty((height, width, 2), np.uint8)
        first = PACKED[encoding].index("y")
        stored[..., first], stored[..., 1 - first] = luma, chroma.reshape(height, width)
        exact = exact_rgb(luma, chroma.repeat(2, axis=1), space)
        data = _with_padding(stored, padding, rng)
        return RawImage(encoding, height, width, 2 * width + padding, big_endian, data, exact)
    deep = encoding.endswith("16")
    name = encoding.removesuffix("16").removesuffix("8")
    samples = len(name) if encoding in COLOURS else 1
    values = rng.integers(0, 2 ** (bits if deep else 8), (*size, samples), dtype=np.uint16)
    kind = (">u2" if big_endian else "<u2") if deep else "u1"
    data = _with_padding(np.ascontiguousarray(values.astype(kind)).view(np.uint8), padding, rng)
    scaled = values * (255 / (2**bits - 1) if deep else 1.0)
    step = width * samples * (2 if deep else 1) + padding
    if encoding in BAYERS:
        exact = _interpolated(scaled[..., 0], name.removeprefix("bayer_"))
        return RawImage(encoding, height, width, step, big_endian, data, exact, tolerance=1)
    exact = scaled[..., [0, 0, 0] if encoding in GREYS else [name.index(colour) for colour in "rgb"]]
    return RawImage(encoding, height, width, step, big_endian, data, exact)


def exact_rgb(luma: Bytes, chroma: Bytes, space: str) -> Exact:
    """RGB by the inverse of the matrix that ITU-R BT.601 and BT.709 define, for chroma ``(H, W, 2)`` of luma's size."""
    red, blue = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}[space.split("-")[0]]
    weights = np.array([red, 1 - red - blue, blue])
    forward = np.array([weights, ([0, 0, 1] - weights) / (2 - 2 * blue), ([1, 0, 0] - weights) / (2 - 2 * red)])
    black, ranges = ([0, 128, 128], 255) if space.endswith("full") else ([16, 128, 128], np.array([219, 224, 224]))
    values = (np.dstack([luma, chroma]) - np.array(black, np.float64)) / ranges
    rgb: Exact = np.clip(values @ np.linalg.inv(forward).T, 0, 1) * 255
    return rgb


def _with_padding(rows: Bytes, padding: int, rng: np.random.Generator) -> bytes:
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
    return np.hstack([flat, rng.integers(0, 256, (len(rows), padding), dtype=np.uint8)]).tobytes()


def _planes(name: str, luma: Bytes, chroma: Bytes, padding: int, rng: np.random.Generator) -> bytes:
    first = _with_padding(luma, padding, rng)
    if name == "nv24":
        return first + _with_padding(chroma, 2 * padding, rng)
    if name in ("nv12", "nv21"):
        return first + _with_padding(chroma if name == "nv12" else chroma[..., ::-1], padding, rng)
    order = (1, 0) if name == "yv12" else (0, 1)
    return first + b"".join(_with_padding(chroma[..., i], padding // 2, rng) for i in order)


def _interpolated(mosaic: Exact, pattern: str) -> Exact:
    """Each pixel's colours as the mean over the nearest pixels of each; NaN on the outermost pixels."""
    height, width = mosaic.shape
    rgb = np.full((height, width, 3), np.nan)
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            near: dict[tuple[str, int], list[float]] = {}
            for y in range(row - 1, row + 2):
                for x in range(column - 1, column + 2):
                    distance = abs(y - row) + abs(x - column)
                    near.setdefault((pattern[2 * (y % 2) + x % 2], distance), []).append(float(mosaic[y, x]))
            for channel, colour in enumerate("rgb"):
                nearest = min(distance for name, distance in near if name == colour)
                rgb[row, column, channel] = np.mean(near[colour, nearest])
    return rgb
