# SPDX-License-Identifier: Apache-2.0
"""Bytes of uncompressed images: every encoding, padding and byte order against conversions written out in float64."""

import array
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime import FrameError, MediaError
from lsood_runtime._media.encodings import ENCODINGS, PixelLayout, named_encodings
from lsood_runtime._media.pixel_rules import YUV_SPACES, PixelRules
from lsood_runtime._media.pixels import decode_pixels

COLOURS = ("rgb", "bgr", "rgba", "bgra")
PLANES = {  # rows and columns that share a chroma value
    "nv12": (2, 2),
    "nv21": (2, 2),
    "i420": (2, 2),
    "yuv420p": (2, 2),
    "yv12": (2, 2),
    "nv24": (1, 1),
}
PACKED = {"yuyv": "yuyv", "yuy2": "yuyv", "yuv422_yuy2": "yuyv", "uyvy": "uyvy", "yuv422": "uyvy"}

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
even_sizes = sizes.map(lambda size: (2 * size[0], 2 * size[1]))
seeds = st.integers(0, 2**32 - 1)
paddings = st.integers(0, 13)
orders = st.sampled_from(["rgb", "bgr"])


def padded(rows: NDArray[np.uint8], padding: int, rng: np.random.Generator) -> bytes:
    """Rows with random bytes after each."""
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
    return np.hstack([flat, rng.integers(0, 256, (len(rows), padding), dtype=np.uint8)]).tobytes()


def in_order(rgb: NDArray[np.uint8], channels: str) -> NDArray[np.uint8]:
    return rgb if channels == "rgb" else rgb[..., ::-1]


def exact_rgb(luma: NDArray[np.uint8], chroma: NDArray[np.uint8], space: str) -> NDArray[np.float64]:
    """RGB by the inverse of the matrix that ITU-R BT.601 and BT.709 define, for chroma of the same size as luma."""
    red, blue = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}[space.split("-")[0]]
    weights = np.array([red, 1 - red - blue, blue])
    forward = np.array([weights, ([0, 0, 1] - weights) / (2 - 2 * blue), ([1, 0, 0] - weights) / (2 - 2 * red)])
    values = np.dstack([luma, chroma]).astype(np.float64)
    values = (values - [0, 128, 128]) / 255 if space.endswith("full") else (values - [16, 128, 128]) / [219, 224, 224]
    return np.clip(values @ np.linalg.inv(forward).T, 0, 1) * 255


def assert_rounded(frame: NDArray[np.uint8], exact: NDArray[np.float64]) -> None:
    assert frame.dtype == np.uint8
    assert frame.shape == exact.shape
    assert np.abs(frame - exact).max() <= 0.5 + 1e-4


def planar_bytes(
    name: str, luma: NDArray[np.uint8], chroma: NDArray[np.uint8], padding: int, rng: np.random.Generator
) -> bytes:
    """The planes of a picture: luma ``(H, W)``, chroma ``(h, w, 2)``, ``padding`` bytes after each row of luma."""
    first = padded(luma, padding, rng)
    if name == "nv21":
        chroma = chroma[..., ::-1]
    if name == "nv24":
        return first + padded(chroma, 2 * padding, rng)
    if name in ("nv12", "nv21"):
        return first + padded(chroma, padding, rng)
    planes = [padded(chroma[..., i], padding // 2, rng) for i in ((1, 0) if name == "yv12" else (0, 1))]
    return first + b"".join(planes)


@given(
    size=sizes, padding=paddings, order=st.sampled_from(COLOURS), channels=orders, big_endian=st.booleans(), seed=seeds
)
def test_decode_pixels_colours_of_8_bits_with_any_step_come_back(
    size: tuple[int, int], padding: int, order: str, channels: str, big_endian: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rgba = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
    stored = rgba[..., ["rgba".index(name) for name in order]]
    frame = decode_pixels(
        padded(stored, padding, rng),
        encoding=f"{order}8",
        height=size[0],
        width=size[1],
        step=len(order) * size[1] + padding,
        big_endian=big_endian,
        channels=channels,
    )
    np.testing.assert_array_equal(frame, in_order(rgba[..., :3], channels))
    assert frame.flags.c_contiguous


@given(
    size=sizes,
    padding=paddings,
    order=st.sampled_from((*COLOURS, "mono")),
    big_endian=st.booleans(),
    bits=st.integers(9, 16),
    seed=seeds,
)
def test_decode_pixels_values_of_more_than_8_bits_are_scaled_and_rounded(
    size: tuple[int, int], padding: int, order: str, big_endian: bool, bits: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    samples = 1 if order == "mono" else len(order)
    stored = rng.integers(0, 2**bits, (*size, samples), dtype=np.uint16)
    frame = decode_pixels(
        padded(stored.astype(">u2" if big_endian else "<u2").view(np.uint8), padding, rng),
        encoding=f"{order}16",
        height=size[0],
        width=size[1],
        step=2 * samples * size[1] + padding,
        big_endian=big_endian,
        rules=PixelRules(bits=bits, grey=order == "mono"),
    )
    rgb = stored[..., [0, 0, 0] if order == "mono" else [order.index(name) for name in "rgb"]]
    white = 2**bits - 1  # odd, so that no value lies halfway between two
    expected = [round(Fraction(255 * int(value), white)) for value in rgb.ravel()]
    np.testing.assert_array_equal(frame.ravel(), expected)


@given(
    size=even_sizes,
    padding=st.integers(0, 6).map(lambda half: 2 * half),
    name=st.sampled_from(sorted(PLANES)),
    space=st.sampled_from(YUV_SPACES),
    channels=orders,
    seed=seeds,
)
def test_decode_pixels_planar_yuv_follows_the_matrix_of_its_space(
    size: tuple[int, int], padding: int, name: str, space: str, channels: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    height, width = size
    rows, columns = PLANES[name]
    luma = rng.integers(0, 256, size, dtype=np.uint8)
    chroma = rng.integers(0, 256, (height // rows, width // columns, 2), dtype=np.uint8)
    frame = decode_pixels(
        planar_bytes(name, luma, chroma, padding, rng),
        encoding=name.upper() if seed % 2 else name,
        height=height,
        width=width,
        step=width + padding,
        channels=channels,
        rules=PixelRules(yuv=space),
    )
    exact = exact_rgb(luma, chroma.repeat(rows, axis=0).repeat(columns, axis=1), space)
    assert_rounded(in_order(frame, channels), exact)


@given(
    size=even_sizes,
    padding=paddings,
    name=st.sampled_from(sorted(PACKED)),
    space=st.sampled_from(YUV_SPACES),
    seed=seeds,
)
def test_decode_pixels_packed_yuv_follows_the_matrix_of_its_space(
    size: tuple[int, int], padding: int, name: str, space: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    height, width = size
    luma = rng.integers(0, 256, size, dtype=np.uint8)
    chroma = rng.integers(0, 256, (height, width // 2, 2), dtype=np.uint8)
    rows = np.empty((height, width, 2), np.uint8)
    rows[..., PACKED[name].index("y")] = luma
    rows[..., 1 - PACKED[name].index("y")] = chroma.reshape(height, width)
    frame = decode_pixels(
        padded(rows, padding, rng),
        encoding=name,
        height=height,
        width=width,
        step=2 * width + padding,
        rules=PixelRules(yuv=space),
    )
    assert_rounded(frame, exact_rgb(luma, chroma.repeat(2, axis=1), space))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nv12", cv2.COLOR_YUV2RGB_NV12),
        ("nv21", cv2.COLOR_YUV2RGB_NV21),
        ("i420", cv2.COLOR_YUV2RGB_I420),
        ("yv12", cv2.COLOR_YUV2RGB_YV12),
    ],
)
def test_decode_pixels_planar_yuv_agrees_with_opencv(name: str, code: int) -> None:
    planes = np.random.default_rng(5).integers(16, 236, (48 * 3 // 2, 64), dtype=np.uint8)
    frame = decode_pixels(planes.tobytes(), encoding=name, height=48, width=64, step=64)
    assert np.abs(frame.astype(int) - cv2.cvtColor(planes, code)).max() <= 2


@given(size=even_sizes, name=st.sampled_from(sorted(PLANES)), seed=seeds)
def test_decode_pixels_step_of_all_planes_is_as_the_step_of_luma(size: tuple[int, int], name: str, seed: int) -> None:
    (height, width), (rows, columns) = size, PLANES[name]
    ratio = 1 + Fraction(2, rows * columns)
    data = np.random.default_rng(seed).integers(16, 236, int(height * width * ratio), dtype=np.uint8).tobytes()
    by_luma, by_all, unset = (
        decode_pixels(data, encoding=name, height=height, width=width, step=step)
        for step in (width, int(width * ratio), 0)
    )
    np.testing.assert_array_equal(by_luma, by_all)
    np.testing.assert_array_equal(by_luma, unset)


def test_decode_pixels_yuv_of_unstated_range_below_black_is_refused() -> None:
    planes = np.full((48 * 3 // 2, 64), 128, np.uint8)
    planes[0] = 0  # 2 % of luma
    data = planes.tobytes()
    with pytest.raises(FrameError, match=r"limited range .* got 2 % of the pixels below 8: .*--yuv bt601-full"):
        decode_pixels(data, encoding="nv12", height=48, width=64, step=64)
    for space in YUV_SPACES:
        frame = decode_pixels(data, encoding="nv12", height=48, width=64, step=64, rules=PixelRules(yuv=space))
        assert (frame[0] == 0).all()
        assert (frame[1:] == (128 if "full" in space else round(112 * 255 / 219))).all()


def bilinear(mosaic: NDArray[np.float64], pattern: str, row: int, column: int) -> list[float]:
    """Red, green and blue of a pixel inside a mosaic: the mean over the nearest pixels of each colour."""
    found = []
    for colour in "rgb":
        best: dict[int, list[float]] = {}
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                y, x = row + dy, column + dx
                if pattern[2 * (y % 2) + x % 2] == colour:
                    best.setdefault(dy * dy + dx * dx, []).append(mosaic[y, x])
        found.append(float(np.mean(best[min(best)])))
    return found


@given(
    size=st.tuples(st.integers(4, 11), st.integers(4, 11)),
    padding=paddings,
    pattern=st.sampled_from(["rggb", "bggr", "gbrg", "grbg"]),
    deep=st.booleans(),
    big_endian=st.booleans(),
    seed=seeds,
)
def test_decode_pixels_bayer_mosaic_is_interpolated_bilinearly(
    size: tuple[int, int], padding: int, pattern: str, deep: bool, big_endian: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mosaic = rng.integers(0, 4096 if deep else 256, size, dtype=np.uint16)
    kind = (">u2" if big_endian else "<u2") if deep else "u1"
    frame = decode_pixels(
        padded(np.ascontiguousarray(mosaic.astype(kind)).view(np.uint8), padding, rng),
        encoding=f"bayer_{pattern}{16 if deep else 8}",
        height=size[0],
        width=size[1],
        step=size[1] * (2 if deep else 1) + padding,
        big_endian=big_endian,
        rules=PixelRules(bits=12 if deep else None),
    )
    scaled = mosaic.astype(np.float64) * (255 / 4095 if deep else 1)
    exact = np.array(
        [[bilinear(scaled, pattern, row, column) for column in range(1, size[1] - 1)] for row in range(1, size[0] - 1)]
    )
    assert np.abs(frame[1:-1, 1:-1] - exact).max() <= 1


@given(
    name=st.sampled_from(sorted(ENCODINGS)),
    size=st.tuples(st.integers(2, 5), st.integers(2, 5)).map(lambda size: (2 * size[0], 2 * size[1])),
    padding=st.integers(0, 6).map(lambda half: 2 * half),
    missing=st.integers(1, 16),
)
def test_decode_pixels_short_data_of_any_encoding_is_refused(
    name: str, size: tuple[int, int], padding: int, missing: int
) -> None:
    height, width = size
    known = ENCODINGS[name]
    step = width * known.pixel_bytes + padding
    total = height * step
    if known.layout is PixelLayout.PLANAR_YUV:
        total = total * 3 if known.order == "nv24" else total * 3 // 2
    rules = PixelRules(encodings=tuple(named_encodings()), grey=True, bits=16, yuv="bt601")
    shape = {"encoding": name, "height": height, "width": width, "rules": rules}
    assert decode_pixels(bytes(total), step=step, **shape).shape == (height, width, 3)  # type: ignore[arg-type]
    for data in (bytes(total - missing), b""):
        with pytest.raises(FrameError, match=rf"expected {total} bytes for .* got {len(data)}: the image is cut off"):
            decode_pixels(data, step=step, **shape)  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="got step 0 and"):
        decode_pixels(bytes(total + 1), step=0, **shape)  # type: ignore[arg-type]
    with pytest.raises(FrameError, match=r"expected a step of at least .* got 1"):
        decode_pixels(bytes(total), step=1, **shape)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("encoding", "choice"),
    [("8UC3", "bgr8"), ("8UC3", "rgb8"), ("8UC4", "bgra8"), ("8UC4", "RGBA8"), ("8uc2", "yuyv")],
)
def test_decode_pixels_channels_without_names_are_read_as_stated(encoding: str, choice: str) -> None:
    data = np.random.default_rng(1).integers(16, 236, 4 * 6 * 4, dtype=np.uint8).tobytes()
    known = ENCODINGS[choice.lower()]
    shape = {"height": 4, "width": 6, "step": 6 * known.samples}
    with pytest.raises(FrameError, match=f"names its channels, got {encoding}: .*--encoding.*{choice.lower()}"):
        decode_pixels(data, encoding=encoding, **shape)  # type: ignore[arg-type]
    rules = PixelRules(encodings=("mono8", choice))
    read = decode_pixels(data, encoding=encoding, rules=rules, **shape)  # type: ignore[arg-type]
    np.testing.assert_array_equal(read, decode_pixels(data, encoding=choice, **shape))  # type: ignore[arg-type]


def test_decode_pixels_encoding_with_names_is_not_replaced() -> None:
    data = bytes(range(12))
    frame = decode_pixels(
        data, encoding="rgb8", height=2, width=2, step=6, rules=PixelRules(encodings=("bgr8", "mono8"))
    )
    np.testing.assert_array_equal(frame.ravel(), np.arange(12))


@pytest.mark.parametrize("encoding", ["mono8", "mono16"])
def test_decode_pixels_grey_is_refused_unless_accepted(encoding: str) -> None:
    wide = 2 if encoding == "mono16" else 1
    shape = {"encoding": encoding, "height": 2, "width": 3, "step": 3 * wide}
    data = np.arange(6, dtype=f"<u{wide}").tobytes()
    with pytest.raises(FrameError, match=f"expected a colour image, got {encoding}: .*--grey"):
        decode_pixels(data, rules=PixelRules(bits=9), **shape)  # type: ignore[arg-type]
    frame = decode_pixels(data, rules=PixelRules(bits=9, grey=True), **shape)  # type: ignore[arg-type]
    assert (frame == frame[..., :1]).all()


@pytest.mark.parametrize("encoding", ["", "jpeg", "32FC1", "64FC3", "8SC3", "unknown", "h264", "rgb"])
def test_decode_pixels_unknown_encoding_is_named(encoding: str) -> None:
    with pytest.raises(FrameError, match=f"such as rgb8, bgr8 or nv12, got '{encoding}'"):
        decode_pixels(bytes(64), encoding=encoding, height=2, width=2, step=8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "got 0 rows of 4 columns"),
        ({"width": 0}, "got 4 rows of 0 columns"),
        ({"data": [1, 2, 3]}, "expected bytes, got an object of type list"),
        ({"data": np.zeros((8, 8), np.uint8)[:, ::2]}, "expected bytes, got an object of type ndarray"),
        ({"encoding": "nv12", "width": 3, "step": 4}, "expected an even width for nv12, got 3"),
        ({"encoding": "i420", "height": 3}, "expected an even height for i420, got 3"),
        ({"encoding": "i420", "step": 5}, "even for i420 and yv12, got 5"),
        ({"encoding": "yuyv", "width": 3}, "expected an even width for yuyv, got 3"),
        ({"encoding": "bayer_rggb8", "height": 3}, "at least 4x4 pixels"),
        ({"encoding": "rgb16", "step": 24}, "expected 8 bits a value, got 16: .*--bits"),
        ({"encoding": "rgb16", "step": 24, "rules": PixelRules(bits=12)}, "12 bits, up to 4095, got 65535"),
    ],
)
def test_decode_pixels_wrong_image_is_explained(change: dict[str, object], message: str) -> None:
    arguments = {"data": b"\xff" * 400, "encoding": "rgb8", "height": 4, "width": 4, "step": 12, **change}
    with pytest.raises(FrameError, match=message):
        decode_pixels(arguments.pop("data"), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda b: array.array("B", b), np.frombuffer])
def test_decode_pixels_any_buffer_is_read_and_kept(kind: object) -> None:
    values = np.random.default_rng(2).integers(0, 256, 24, dtype=np.uint8)
    data = np.array(values) if kind is np.frombuffer else kind(values.tobytes())  # type: ignore[operator]
    frame = decode_pixels(data, encoding="bgr8", height=2, width=4, step=12)
    np.testing.assert_array_equal(frame[..., ::-1].ravel(), values)
    np.testing.assert_array_equal(np.frombuffer(data, np.uint8), values)


def test_decode_pixels_bayer_mosaic_without_opencv_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MediaError, match=r"pip install 'lsood-runtime\[media\]'"):
        decode_pixels(bytes(16), encoding="bayer_rggb8", height=4, width=4, step=4)
    planes = np.full(24, 126, np.uint8).tobytes()
    for encoding in ("rgb8", "nv12", "yuyv"):
        with pytest.raises(FrameError, match="cut off"):
            decode_pixels(planes, encoding=encoding, height=4, width=4, step=12 if encoding == "rgb8" else 24)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encodings": ("bgr",)}, "expected encodings of .*, got 'bgr'"),
        ({"encodings": ("8UC3",)}, "got '8UC3'"),
        ({"encodings": ("nv12",)}, "got 'nv12'"),
        ({"bits": 8}, "expected 9 to 16 bits"),
        ({"yuv": "bt2020"}, "expected YUV of bt601, .*, got 'bt2020'"),
    ],
)
def test_pixel_rules_wrong_value_is_explained(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelRules(**change)  # type: ignore[arg-type]
