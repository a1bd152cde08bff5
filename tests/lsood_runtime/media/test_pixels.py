# SPDX-License-Identifier: Apache-2.0
"""Bytes of uncompressed images: every encoding, padding and byte order against conversions written out in float64."""

import array
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime import FrameError, MediaError
from lsood_runtime._media.encodings import ENCODINGS, PixelLayout, named_encodings
from lsood_runtime._media.pixel_rules import AS_STATED, YUV_SPACES, PixelRules
from lsood_runtime._media.pixels import decode_pixels
from tests.lsood_runtime.media.raw_images import BAYERS, COLOURS, GREYS, PACKED, PLANAR, RawImage, raw_image

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
even_sizes = sizes.map(lambda size: (2 * size[0], 2 * size[1]))
mosaic_sizes = st.tuples(st.integers(4, 11), st.integers(4, 11))
seeds = st.integers(0, 2**32 - 1)
paddings = st.integers(0, 13)
even_paddings = st.integers(0, 6).map(lambda half: 2 * half)
orders = st.sampled_from(["rgb", "bgr"])


def decoded(image: RawImage, channels: str = "rgb", rules: PixelRules = AS_STATED) -> NDArray[np.uint8]:
    frame = decode_pixels(
        image.data,
        encoding=image.encoding,
        height=image.height,
        width=image.width,
        step=image.step,
        big_endian=image.big_endian,
        channels=channels,
        rules=rules,
    )
    assert frame.flags.c_contiguous
    return frame


@given(
    encoding=st.sampled_from((*COLOURS, *GREYS)),
    size=sizes,
    padding=paddings,
    big_endian=st.booleans(),
    bits=st.integers(9, 16),
    channels=orders,
    seed=seeds,
)
def test_decode_pixels_colours_and_grey_with_any_step_come_back(
    encoding: str, size: tuple[int, int], padding: int, big_endian: bool, bits: int, channels: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = raw_image(encoding, rng, size, padding=padding, big_endian=big_endian, bits=bits)
    frame = decoded(image, channels, PixelRules(bits=bits, grey=encoding in GREYS))
    image.assert_shown_by(frame, channels)


@given(
    encoding=st.sampled_from(sorted((*PLANAR, *PACKED))),
    size=even_sizes,
    padding=even_paddings,
    space=st.sampled_from(YUV_SPACES),
    channels=orders,
    seed=seeds,
)
def test_decode_pixels_yuv_follows_the_matrix_of_its_space(
    encoding: str, size: tuple[int, int], padding: int, space: str, channels: str, seed: int
) -> None:
    image = raw_image(encoding, np.random.default_rng(seed), size, padding=padding, space=space)
    renamed = image.named(encoding.upper()) if seed % 2 else image
    image.assert_shown_by(decoded(renamed, channels, PixelRules(yuv=space)), channels)


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
    planes = np.random.default_rng(5).integers(16, 236, (150 * 3 // 2, 64), dtype=np.uint8)
    frame = decode_pixels(planes.tobytes(), encoding=name, height=150, width=64, step=64)
    assert np.abs(frame.astype(int) - cv2.cvtColor(planes, code)).max() <= 2


@pytest.mark.parametrize("space", YUV_SPACES)
@pytest.mark.parametrize(
    ("name", "form", "widths"),
    [
        ("nv12", "nv12", (1, 1)),
        ("nv21", "nv21", (1, 1)),
        ("nv24", "nv24", (1, 2)),
        ("i420", "yuv420p", (1, 0.5, 0.5)),
        ("yuyv", "yuyv422", (2,)),
        ("uyvy", "uyvy422", (2,)),
    ],
)
def test_decode_pixels_yuv_agrees_with_the_scaler_of_ffmpeg(
    name: str, form: str, widths: tuple[float, ...], space: str
) -> None:
    """FFmpeg computes with fewer bits: by up to four levels it differs from the matrix, and from this."""
    image = raw_image(name, np.random.default_rng(6), (48, 64), space=space, legal=True)
    frame, data = av.VideoFrame(64, 48, form), np.frombuffer(image.data, np.uint8)
    for plane, width in zip(frame.planes, widths, strict=True):
        used, data = np.split(data, [int(64 * width) * plane.height])
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : int(64 * width)] = used.reshape(plane.height, -1)
        plane.update(rows.tobytes())
    matrix = Colorspace.ITU709 if "709" in space else Colorspace.ITU601
    converted = frame.reformat(
        format="rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=ColorRange.JPEG if "full" in space else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.POINT,
    )
    ours = decoded(image, rules=PixelRules(yuv=space)).astype(int)
    assert np.abs(ours - converted.to_ndarray()).max() <= 4


@given(size=even_sizes, name=st.sampled_from(sorted(PLANAR)), seed=seeds)
def test_decode_pixels_step_of_all_planes_is_as_the_step_of_luma(size: tuple[int, int], name: str, seed: int) -> None:
    (height, width), (rows, columns) = size, PLANAR[name]
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
    with pytest.raises(
        FrameError, match=r"limited range .* got 2 % of the pixels below 8: .*PixelRules\(yuv='bt601-full'\)"
    ):
        decode_pixels(data, encoding="nv12", height=48, width=64, step=64)
    for space in YUV_SPACES:
        frame = decode_pixels(data, encoding="nv12", height=48, width=64, step=64, rules=PixelRules(yuv=space))
        assert (frame[0] == 0).all()
        assert (frame[1:] == (128 if "full" in space else round(112 * 255 / 219))).all()


@given(
    encoding=st.sampled_from(BAYERS),
    size=mosaic_sizes,
    padding=paddings,
    big_endian=st.booleans(),
    channels=orders,
    seed=seeds,
)
def test_decode_pixels_bayer_mosaic_is_interpolated_bilinearly(
    encoding: str, size: tuple[int, int], padding: int, big_endian: bool, channels: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = raw_image(encoding, rng, size, padding=padding, big_endian=big_endian, bits=12)
    image.assert_shown_by(decoded(image, channels, PixelRules(bits=12)), channels)


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
    with pytest.raises(
        FrameError, match=f"names its channels, got {encoding}: .*PixelRules\\(encodings=...\\).*{choice.lower()}"
    ):
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
    with pytest.raises(FrameError, match=f"expected a colour image, got {encoding}: .*PixelRules\\(grey=True\\)"):
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
        ({"encoding": "rgb16", "step": 24}, "expected 8 bits a value, got 16: .*PixelRules\\(bits"),
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
    with pytest.raises(MediaError, match="with its extra media"):
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
