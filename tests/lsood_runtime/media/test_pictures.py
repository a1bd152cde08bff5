# SPDX-License-Identifier: Apache-2.0
"""Still pictures: values of every depth against Pillow, OpenCV and arithmetic; what a header excludes is never decoded."""

import io
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps
from PIL.PngImagePlugin import PngInfo

from lsood_runtime import FrameError, MediaError
from lsood_runtime._media.pictures import decode_picture, image_size, read_image
from lsood_runtime._media.pixel_rules import PixelRules
from lsood_runtime._media.pixels import decode_pixels

GREY_ACCEPTED = PixelRules(grey=True)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
seeds = st.integers(0, 2**32 - 1)


def encoded(pixels: NDArray[Any], form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def random_picture(rng: np.random.Generator, *shape: int) -> NDArray[np.uint8]:
    return rng.integers(0, 256, shape, dtype=np.uint8)


@given(
    size=sizes, colours=st.booleans(), suffix=st.sampled_from([".png", ".tiff"]), bits=st.integers(9, 16), seed=seeds
)
def test_decode_picture_values_of_16_bits_are_scaled_and_rounded(
    size: tuple[int, int], colours: bool, suffix: str, bits: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 2**bits, (*size, 3) if colours else size, dtype=np.uint16)
    data = cv2.imencode(suffix, stored[..., ::-1] if colours else stored)[1].tobytes()
    with pytest.raises(FrameError, match=r"expected 8 bits a value, got 16: .*PixelRules\(bits"):
        decode_picture(data, rules=GREY_ACCEPTED)
    frame = decode_picture(data, rules=PixelRules(grey=not colours, bits=bits))
    expected = stored if colours else np.dstack([stored] * 3)
    np.testing.assert_array_equal(
        frame.ravel(), [round(Fraction(255 * int(value), 2**bits - 1)) for value in expected.ravel()]
    )


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(10))
def test_decode_picture_any_orientation_is_upright(form: str, orientation: int, deep: bool) -> None:
    values = np.arange(3 * 5, dtype=np.uint8).reshape(3, 5) * 16
    upright = {
        2: values[:, ::-1],
        3: np.rot90(values, 2),
        4: values[::-1],
        5: values.T,
        6: np.rot90(values, -1),
        7: np.rot90(values, 2).T,
        8: np.rot90(values),
    }.get(orientation, values)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"tiffinfo": {0x0112: orientation}} if form == "TIFF" else {"exif": exif}
    data = encoded(values.astype(np.uint16) * 257 if deep else values, form, **options)
    frame = decode_picture(data, rules=PixelRules(grey=True, bits=16), size=upright.shape)
    np.testing.assert_array_equal(frame, np.dstack([upright] * 3))


@given(size=sizes, white=st.integers(1, 65535), colours=st.booleans(), seed=seeds)
def test_decode_picture_of_portable_maps_is_scaled_by_the_white_that_they_state(
    size: tuple[int, int], white: int, colours: bool, seed: int
) -> None:
    shape = (*size, 3) if colours else size
    values = np.random.default_rng(seed).integers(0, white + 1, shape)
    header = f"{'P6' if colours else 'P5'} {size[1]} {size[0]} {white}\n".encode()
    frame = decode_picture(header + values.astype(">u2" if white > 255 else "u1").tobytes(), rules=GREY_ACCEPTED)
    expected = 255 * (values if colours else np.dstack([values] * 3)) / white
    assert np.abs(frame - expected).max() <= (0.5 if colours else 0.51)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_read_image_grey_is_refused_unless_accepted(mode: str, tmp_path: Path) -> None:
    grey = random_picture(np.random.default_rng(1), 6, 8)
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    image.save(tmp_path / "grey.png")
    rules = PixelRules(grey=True, bits=16)
    with pytest.raises(
        MediaError, match=r"grey\.png: expected a colour image, got a grey one: .*PixelRules\(grey=True\)"
    ):
        read_image(tmp_path / "grey.png", PixelRules(bits=16))
    expected = 255 * np.asarray(image) if mode == "1" else grey
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", rules), np.dstack([expected] * 3))


def test_decode_picture_16_bit_grey_with_alpha_is_grey() -> None:
    values = np.random.default_rng(1).integers(0, 65536, (4, 6, 2), dtype=np.uint16)
    data = png_of_16_bits(values)
    with pytest.raises(FrameError, match="got a grey one"):
        decode_picture(data, rules=PixelRules(bits=16))
    frame = decode_picture(data, rules=PixelRules(bits=16, grey=True))
    np.testing.assert_array_equal(frame[..., 0], np.rint(values[..., 0] / 257))
    assert (frame == frame[..., :1]).all()


def png_of_16_bits(values: NDArray[np.uint16]) -> bytes:
    """A PNG written by hand: Pillow and OpenCV write no grey of 16 bits with alpha."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, samples = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[samples], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_decode_picture_of_32_bits_is_refused(dtype: type) -> None:
    data = encoded(np.ones((4, 6), dtype), "TIFF")
    with pytest.raises(FrameError, match="expected 8 or 16 bits a value, got 32"):
        decode_picture(data, rules=PixelRules(grey=True, bits=16))


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("count", [2, 5])
def test_read_image_several_pictures_in_one_file_are_refused(form: str, count: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(count)
    first, *others = [Image.fromarray(random_picture(rng, 16, 24, 3)) for _ in range(count)]
    path = tmp_path / "several.png"
    first.save(path, form, save_all=True, append_images=others)
    with pytest.raises(MediaError, match=rf"several\.png: expected one picture, got {count} pictures in one file"):
        read_image(path)
    first.save(path, form, save_all=True)
    assert read_image(path).shape == (16, 24, 3)


@pytest.mark.parametrize("between", [b"", b"\0\0\0"])
def test_decode_picture_jpegs_one_after_the_other_are_refused(between: bytes) -> None:
    one = encoded(random_picture(np.random.default_rng(1), 16, 24, 3), "JPEG")
    with pytest.raises(FrameError, match="got several JPEG pictures in one file"):
        decode_picture(one + between + one)
    with_thumbnail = encoded(
        random_picture(np.random.default_rng(2), 16, 24, 3), "JPEG", exif=b"Exif\0\0" + one, comment=one
    )
    for single in (one, one + between, one[:-2] + b"\xff\xd9" + b"\0" * 99, with_thumbnail):
        assert decode_picture(single).shape == (16, 24, 3)


def test_decode_picture_previews_behind_a_photograph_are_left_out() -> None:
    rng = np.random.default_rng(3)
    photograph, preview = (Image.fromarray(random_picture(rng, 2 * side, 3 * side, 3)) for side in (16, 8))
    buffer = io.BytesIO()
    photograph.save(buffer, "MPO", save_all=True, append_images=[preview])
    plain = encoded(np.asarray(photograph), "JPEG")
    np.testing.assert_array_equal(decode_picture(buffer.getvalue()), decode_picture(plain))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_read_image_of_a_wrong_size_is_refused_before_it_is_decoded(form: str, tmp_path: Path) -> None:
    path = tmp_path / "huge.img"
    Image.new("RGB", (6000, 5000)).save(path, form)
    tracemalloc.start()
    try:
        with pytest.raises(MediaError, match=r"huge\.img: expected an image of 64x48 pixels, got 6000x5000"):
            read_image(path, size=(48, 64))
        assert image_size(path) == (5000, 6000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size + 5_000_000 < 6000 * 5000 * 3


def test_read_image_size_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    path.write_bytes(encoded(random_picture(np.random.default_rng(1), 16, 24, 3), "JPEG", exif=exif))
    assert image_size(path) == read_image(path, size=(24, 16)).shape[:2] == (24, 16)
    with pytest.raises(MediaError, match="expected an image of 24x16 pixels, got 16x24"):
        read_image(path, size=(16, 24))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_read_image_of_a_wrong_size_leaves_the_pixels_alone(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.img"
    path.write_bytes(encoded(random_picture(np.random.default_rng(1), 16, 24, 3), form))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("pixels were decoded"))
    assert image_size(path) == (16, 24)
    with pytest.raises(MediaError, match="expected an image of 16x24 pixels, got 24x16"):
        read_image(path, size=(24, 16))


def chunks_of(png: bytes) -> list[bytes]:
    """The chunks of a PNG, behind its signature."""
    chunks, start = [], 8
    while start < len(png):
        end = start + 12 + int.from_bytes(png[start : start + 4])
        chunks.append(png[start:end])
        start = end
    return chunks


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("told_by", ["eXIf", "tEXt"])
def test_read_image_of_a_png_that_tells_its_orientation_behind_the_pixels_is_upright(
    told_by: str, orientation: int, tmp_path: Path
) -> None:
    exif, text, options = Image.Exif(), PngInfo(), dict[str, Any]()
    exif[0x0112] = orientation
    if told_by == "eXIf":
        options["exif"] = exif
    else:
        text.add_text("Raw profile type exif", "\nexif\n0\n" + exif.tobytes().hex())
    picture = random_picture(np.random.default_rng(1), 16, 24, 3)
    png = encoded(picture, "PNG", pnginfo=text, **options)
    chunks = sorted(chunks_of(png)[:-1], key=lambda chunk: chunk[4:8] == told_by.encode())
    assert chunks[-1][4:8] == told_by.encode()
    path = tmp_path / "turned.png"
    path.write_bytes(b"".join([png[:8], *chunks, chunks_of(png)[-1]]))
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_image(path), expected)
    assert image_size(path) == expected.shape[:2] == ((24, 16) if orientation > 4 else (16, 24))


@pytest.mark.filterwarnings("error")
def test_image_size_of_a_picture_that_pillow_warns_of_is_read_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    (tmp_path / "large.png").write_bytes(encoded(random_picture(np.random.default_rng(1), 16, 24, 3), "PNG"))
    assert image_size(tmp_path / "large.png") == (16, 24)


@given(pattern=st.sampled_from(["rggb", "bggr", "gbrg", "grbg"]), seed=seeds)
def test_decode_picture_of_a_bayer_mosaic_is_interpolated_as_the_raw_one(pattern: str, seed: int) -> None:
    mosaic = random_picture(np.random.default_rng(seed), 6, 8)
    frame = decode_picture(encoded(mosaic, "PNG"), encoding=f"bayer_{pattern}8")
    raw = decode_pixels(mosaic.tobytes(), encoding=f"bayer_{pattern}8", height=6, width=8, step=8)
    np.testing.assert_array_equal(frame, raw)
    colour = np.dstack([mosaic] * 3)
    np.testing.assert_array_equal(decode_picture(encoded(colour, "PNG"), encoding=f"bayer_{pattern}8"), colour)


@given(
    cut=st.one_of(st.integers(0, 30), st.integers(0, 10_000)),
    colours=st.booleans(),
    progressive=st.booleans(),
    zeros=st.integers(0, 40),
    seed=seeds,
)
def test_decode_picture_of_a_cut_jpeg_gives_the_whole_picture_or_none(
    cut: int, colours: bool, progressive: bool, zeros: int, seed: int
) -> None:
    pixels = random_picture(np.random.default_rng(seed), 24, 40, *([3] if colours else []))
    data = encoded(pixels, "JPEG", quality=80, progressive=progressive)
    kept = max(len(data) - cut, 100)
    try:
        frame = decode_picture(data[:kept] + bytes(zeros), rules=GREY_ACCEPTED)
    except FrameError:
        assert kept < len(data) - 2 or progressive or data[kept - 1] == 0, (
            "without the end mark alone a picture is whole"
        )
    else:
        whole = decode_picture(data, rules=GREY_ACCEPTED).copy()
        # Of the last block a few bits can be lost that by chance every other ending replaces alike.
        whole[16:, 32:] = frame[16:, 32:] if cut < 12 else whole[16:, 32:]
        np.testing.assert_array_equal(frame, whole)


def test_decode_picture_of_motion_jpeg_without_tables_is_that_with_them() -> None:
    """Cameras leave out the Huffman tables, which the standard of motion JPEG gives."""
    whole = encoded(random_picture(np.random.default_rng(8), 24, 40, 3), "JPEG")
    kept, position = whole[:2], 2
    while whole[position : position + 2] != b"\xff\xda":
        length = 2 + int.from_bytes(whole[position + 2 : position + 4], "big")
        kept += b"" if whole[position + 1] == 0xC4 else whole[position : position + length]
        position += length
    assert len(kept + whole[position:]) < len(whole) - 400
    np.testing.assert_array_equal(decode_picture(kept + whole[position:-2]), decode_picture(whole))


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_decode_picture_gives_the_order_asked(channels: str) -> None:
    pixels = random_picture(np.random.default_rng(4), 5, 7, 3)
    frame = decode_picture(encoded(pixels, "PNG"), channels)
    np.testing.assert_array_equal(frame, pixels if channels == "rgb" else pixels[..., ::-1])
    assert frame.flags.c_contiguous


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: b"", "got no data: check"),
        (lambda _: b"\0\0\0\1\x67" + bytes(99), "got a format that Pillow does not know, or damaged: check"),
        (lambda data: data[: len(data) // 2], "or damaged: image file is truncated"),
    ],
)
def test_decode_picture_of_damaged_data_is_explained(change: Callable[[bytes], bytes], message: str) -> None:
    data = encoded(random_picture(np.random.default_rng(5), 48, 64, 3), "JPEG")
    with pytest.raises(FrameError, match=message):
        decode_picture(change(data))


def test_video_in_the_place_of_an_image_is_told_as_one(tmp_path: Path) -> None:
    video = tmp_path / "front 1.mp4"
    video.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(99))
    command = f"ffmpeg -i '{video}' frames/%06d.png"
    for read in (read_image, image_size):
        with pytest.raises(MediaError, match=f"got the video {video}: save its frames, as by {command}"):
            read(video)
