# SPDX-License-Identifier: Apache-2.0
"""Cases of compressed image messages and of image files: every mode, several pictures in a file, damage."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.lsood_runtime.media.input_cases import InputCase, InputOutcome, MadeInput, Make, are_invalid, are_read
from tests.lsood_runtime.media.message_cases import write_messages

Pixels = NDArray[Any]
Encode = Callable[[Pixels], bytes]

_COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"


def by_pillow(form: str, **options: Any) -> Encode:
    """Encode pixels by Pillow, grey where they have no channels."""

    def encode(pixels: Pixels) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, form, **options)
        return buffer.getvalue()

    return encode


def by_opencv(suffix: str) -> Encode:
    """Encode RGB or grey pixels of 8 or 16 bits by OpenCV."""
    return lambda pixels: cv2.imencode(suffix, pixels if pixels.ndim == 2 else pixels[..., ::-1])[1].tobytes()


def colours(rng: np.random.Generator, *, grey: bool = False, white: int = 255) -> Pixels:
    """An image of one random colour, which no compression changes by much."""
    colour = rng.integers(0, white + 1, 1 if grey else 3)
    pixels = np.broadcast_to(colour, (16, 24, len(colour))).astype(np.uint8 if white < 256 else np.uint16)
    return pixels[..., 0] if grey else pixels


def shown(pixels: Pixels, white: int = 255) -> NDArray[np.float64]:
    """What pixels show, in RGB from 0 to 255."""
    return (np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels) * (255 / white)


def messages(*encoders: Encode, form: str, grey: bool = False, readable: bool = True, tolerance: float = 1.0) -> Make:
    """Write two compressed images by each encoder, of a stated format."""

    def make(folder: Path, rng: np.random.Generator) -> MadeInput:
        drawn = [(colours(rng, grey=grey), encode) for encode in 2 * encoders]
        fields = [{"format": form, "data": np.frombuffer(encode(pixels), np.uint8)} for pixels, encode in drawn]
        expected = tuple(shown(pixels) if readable else None for pixels, _ in drawn)
        return MadeInput(write_messages(folder, _COMPRESSED_IMAGE, fields), expected, tolerance)

    return make


def files(
    *encoders: tuple[str, Encode], grey: bool = False, white: int = 255, readable: bool = True, tolerance: float = 1.0
) -> Make:
    """Write a folder of two images by each encoder, which comes with its suffix."""

    def make(folder: Path, rng: np.random.Generator) -> MadeInput:
        drawn = [(colours(rng, grey=grey, white=white), *encoder) for encoder in 2 * encoders]
        (folder / "frames").mkdir()
        for i, (pixels, suffix, encode) in enumerate(drawn):
            (folder / "frames" / f"frame_{i}{suffix}").write_bytes(encode(pixels))
        expected = tuple(shown(pixels, white) if readable else None for pixels, *_ in drawn)
        return MadeInput(folder / "frames", expected, tolerance)

    return make


def several(form: str) -> Encode:
    """A file of two pictures and more."""

    def encode(pixels: Pixels) -> bytes:
        buffer = io.BytesIO()
        others = [Image.fromarray(255 - pixels), Image.fromarray(pixels // 2)]
        Image.fromarray(pixels).save(buffer, form, save_all=True, append_images=others)
        return buffer.getvalue()

    return encode


def cut(encode: Encode, keep: float) -> Encode:
    """The first bytes of an encoded picture."""
    return lambda pixels: encode(pixels)[: int(keep * len(encode(pixels)))]


def _turned(pixels: Pixels) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return by_pillow("JPEG", quality=100, exif=exif)(np.rot90(pixels))


_read, _invalid = (case("Compressed image messages") for case in (are_read, are_invalid))
_file_read, _file_invalid = (case("Image files") for case in (are_read, are_invalid))
_jpeg, _png = by_pillow("JPEG", quality=100), by_pillow("PNG")

_PLAIN = {
    ".png": _png,
    ".bmp": by_pillow("BMP"),
    ".ppm": by_pillow("PPM"),
    ".tiff": by_pillow("TIFF"),
    ".webp": by_pillow("WEBP", lossless=True),
    ".gif": by_pillow("GIF"),
}


def _one_bit(pixels: Pixels) -> bytes:
    return _png(pixels > 127)


def _with_alpha(pixels: Pixels) -> bytes:
    """Pixels with a random alpha, which counts for nothing."""
    alpha = np.arange(pixels.shape[0] * pixels.shape[1], dtype=np.uint8).reshape(*pixels.shape[:2], 1)
    return _png(np.dstack([pixels, alpha]))


def _of_16_bits(pixels: Pixels) -> bytes:
    return _png(pixels.astype(np.uint16) * 257)


def _cmyk(pixels: Pixels) -> bytes:
    """The inks that leave out of white what the pixels lack."""
    inks, buffer = np.dstack([255 - pixels, np.zeros(pixels.shape[:2], np.uint8)]), io.BytesIO()
    Image.frombytes("CMYK", inks.shape[1::-1], inks.tobytes()).save(buffer, "TIFF")
    return buffer.getvalue()


def _of_32_bits(pixels: Pixels) -> bytes:
    return by_pillow("TIFF")(pixels.astype(np.int32))


def _of_floats(pixels: Pixels) -> bytes:
    return by_pillow("TIFF")(pixels.astype(np.float32) / 255)


CASES = (
    _read("JPEG", messages(_jpeg, form="bgr8; jpeg compressed bgr8", tolerance=2), "decoded, upright by EXIF"),
    _read(
        "PNG, BMP, TIFF, WebP, what else Pillow knows",
        messages(*_PLAIN.values(), form="png"),
        "decoded by the rules of image files",
    ),
    _invalid(
        "a grey picture",
        messages(_jpeg, _png, form="mono8; jpeg compressed ", grey=True, readable=False),
        "expected a colour image, got a grey one",
    ),
    _read("a grey picture", messages(_jpeg, _png, form="jpeg", grey=True), "three equal channels", "--grey"),
    _read(
        "a grey picture whose format begins with `bayer_rggb8` or another mosaic",
        messages(_png, form="bayer_rggb8; png compressed ", grey=True),
        "interpolated bilinearly",
    ),
    InputCase(
        "Compressed image messages",
        "a picture of another size than the calibrated one",
        messages(_jpeg, form="jpeg", readable=False),
        InputOutcome.INVALID,
        "expected an image of 64x48 pixels, got 24x16",
        size=(48, 64),
    ),
    _read(
        "JPEG without its end mark, or without Huffman tables, as cameras send motion JPEG",
        messages(lambda pixels: _jpeg(pixels)[:-2], form="jpeg", tolerance=2),
        "decoded, if nothing else is missing",
    ),
    _invalid("a picture that is cut off", messages(cut(_jpeg, 0.7), form="jpeg", readable=False), "or damaged"),
    _invalid("no bytes", messages(cut(_jpeg, 0), form="jpeg", readable=False), "got no data"),
    _file_read(
        "PNG, BMP, PPM, TIFF, WebP, GIF",
        files(*_PLAIN.items(), (".png", _with_alpha)),
        "read; palettes become RGB, alpha is left out",
    ),
    _file_read("JPEG", files((".jpg", _jpeg), (".jpeg", _turned), tolerance=2), "read, upright by EXIF"),
    _file_read("CMYK", files((".tiff", _cmyk)), "converted without a profile"),
    _file_invalid(
        "TIFF of 32 bits or floating point",
        files((".tiff", _of_32_bits), (".tiff", _of_floats), grey=True, readable=False),
        "expected 8 or 16 bits a value, got 32",
        "--grey",
    ),
    _file_read("an image under another suffix of images", files((".png", _jpeg), tolerance=2), "read by what it holds"),
    _file_invalid(
        "grey of 1, 8 or 16 bits, with alpha or without",
        files(
            (".png", _png), (".png", _one_bit), (".png", _with_alpha), (".png", _of_16_bits), grey=True, readable=False
        ),
        "expected a colour image, got a grey one",
    ),
    _file_read(
        "grey of 8 bits, with alpha or without",
        files((".png", _png), (".png", _with_alpha), grey=True),
        "three equal channels",
        "--grey",
    ),
    _file_invalid(
        "PNG and TIFF of 16 bits a value",
        files((".png", by_opencv(".png")), (".tiff", by_opencv(".tiff")), white=65535, readable=False),
        "expected 8 bits a value, got 16",
    ),
    _file_read(
        "the same",
        files((".png", by_opencv(".png")), (".tiff", by_opencv(".tiff")), white=65535),
        "scaled so that 65535 is white",
        *("--bits", "16"),
    ),
    _file_read(
        "the same from a sensor of 12 bits",
        files((".png", by_opencv(".png")), (".tiff", by_opencv(".tiff")), white=4095),
        "scaled so that 4095 is white",
        *("--bits", "12"),
    ),
    _file_read(
        "PPM of more than 8 bits, which states its white",
        files((".ppm", lambda pixels: b"P6 24 16 1023\n" + pixels.astype(">u2").tobytes()), white=1023),
        "scaled",
    ),
    _file_invalid(
        "animated PNG, GIF or WebP, TIFF of several pages",
        files(
            (".png", several("PNG")),
            (".gif", several("GIF")),
            (".webp", several("WEBP")),
            (".tiff", several("TIFF")),
            readable=False,
        ),
        "expected one picture, got 3 pictures",
    ),
    _file_invalid(
        "JPEG pictures one after the other",
        files((".jpg", lambda pixels: 2 * _jpeg(pixels)), readable=False),
        "expected one picture, got several JPEG pictures",
    ),
    _file_read("JPEG with previews behind it (MPO)", files((".jpg", several("MPO")), tolerance=6), "the photograph"),
    InputCase(
        "Image files",
        "an image of another size than the calibrated one",
        files((".jpg", _jpeg), (".png", _png), readable=False),
        InputOutcome.INVALID,
        "expected an image of 64x48 pixels, got 24x16",
        size=(48, 64),
    ),
    _file_invalid(
        "a file that is cut off",
        files((".jpg", cut(_jpeg, 0.7)), (".png", cut(_png, 0.7)), readable=False),
        "expected an image, cannot read",
    ),
    _file_invalid(
        "an empty file, or one that is no image",
        files((".png", cut(_png, 0)), (".jpg", lambda _: b"<html>404</html>"), readable=False),
        "expected an image, cannot read",
    ),
)
