# SPDX-License-Identifier: Apache-2.0
"""Cut-outs of a user's own: alpha of every form of file read right or refused, and pasted without colours of clear pixels."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from export.anomalies import cutouts
from export.anomalies.cutouts import paste_objects
from export.anomalies.object_fillings import FILLINGS
from export.anomalies.object_shapes import SHAPES, drawn_shape
from export.anomalies.own_cutouts import LARGEST_SIDE, read_cutouts, scaled
from export.errors import UsageError

Deep = NDArray[np.uint16]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(values: NDArray[np.uint8] | Deep, colour_type: int, clear: bytes = b"") -> bytes:
    """A PNG file by its definition."""
    bits, (height, width) = 8 * values.itemsize, values.shape[:2]
    rows = b"".join(b"\0" + row.astype(values.dtype.newbyteorder(">")).tobytes() for row in values)
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    chunks = head + (_chunk(b"tRNS", clear) if clear else b"") + _chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunks + _chunk(b"IEND", b"")


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    picture.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def _premultiplied_tiff(rgba: NDArray[np.uint8]) -> bytes:
    """A TIFF file with associated alpha: its colours are multiplied, and tag 338 says 1 in place of 2."""
    alpha = rgba[..., 3:] / 255
    data = _saved(Image.fromarray(np.dstack([np.rint(rgba[..., :3] * alpha), rgba[..., 3:]]).astype(np.uint8)), "tiff")
    straight, associated = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    assert data.count(straight) == 1
    return data.replace(straight, associated)


def _rgba() -> NDArray[np.uint8]:
    rgba = np.random.default_rng(0).integers(1, 256, (9, 7, 4)).astype(np.uint8)
    rgba[4, 3, 3] = 255
    return rgba


def _grey(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rgba[..., [0, 0, 0, 3]]


def _palette(rgba: NDArray[np.uint8]) -> Image.Image:
    """63 colours with an alpha each."""
    picture = Image.fromarray(np.arange(63, dtype=np.uint8).reshape(9, 7), "P")
    picture.putpalette(rgba.reshape(-1, 4)[:, :3].tobytes())
    return picture


FORMS: dict[str, tuple[str, Callable[[NDArray[np.uint8]], bytes], Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    "RGBA": ("png", lambda rgba: _saved(Image.fromarray(rgba), "png"), np.copy),
    "16 bits": ("png", lambda rgba: _png(rgba.astype(np.uint16) * 256 + 77, 6), np.copy),
    "grey and alpha": ("png", lambda rgba: _png(rgba[..., [0, 3]], 4), _grey),
    "grey and alpha of 16 bits": ("png", lambda rgba: _png(rgba[..., [0, 3]].astype(np.uint16) * 256 + 200, 4), _grey),
    "palette": ("png", lambda rgba: _saved(_palette(rgba), "png", transparency=rgba[..., 3].tobytes()), np.copy),
    "WebP": ("webp", lambda rgba: _saved(Image.fromarray(rgba), "webp", lossless=True, exact=True), np.copy),
    "TIFF": ("tif", lambda rgba: _saved(Image.fromarray(rgba), "tiff"), np.copy),
    "TIFF of grey and alpha": ("tiff", lambda rgba: _saved(Image.fromarray(rgba[..., [0, 3]], "LA"), "tiff"), _grey),
    "TIFF of 16 bits": (
        "tiff",
        lambda rgba: cv2.imencode(".tiff", rgba[..., [2, 1, 0, 3]].astype(np.uint16) * 256 + 9)[1].tobytes(),
        np.copy,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_cutout_of_every_form_has_its_colours_and_its_alpha(form: str, tmp_path: Path) -> None:
    suffix, made, expected = FORMS[form]
    (tmp_path / f"one.{suffix}").write_bytes(made(_rgba()))
    (found,) = read_cutouts([tmp_path])
    np.testing.assert_array_equal(found, expected(_rgba()))


def test_cutout_of_a_tiff_file_with_associated_alpha_has_straight_colours(tmp_path: Path) -> None:
    rgba = _rgba()
    (tmp_path / "one.tif").write_bytes(_premultiplied_tiff(rgba))
    (found,) = read_cutouts([tmp_path])
    np.testing.assert_array_equal(found[..., 3], rgba[..., 3])
    off = np.abs(found[..., :3].astype(int) - rgba[..., :3])
    assert (off <= 255 / rgba[..., 3:] + 1).all()  # colours that were multiplied are known to a step of 1 / alpha


def test_cutouts_are_cut_down_to_what_shows_and_to_the_largest_side_in_natural_order(tmp_path: Path) -> None:
    for number, colour in ((2, 40), (10, 90)):
        rgba = np.zeros((60, 50, 4), np.uint8)
        rgba[20:30, 10:14] = (colour, colour, colour, 255)
        Image.fromarray(rgba).save(tmp_path / f"{number}.png")
    first, second = read_cutouts([tmp_path])
    assert first.shape == second.shape == (10, 4, 4)
    assert (first[0, 0].tolist(), second[0, 0].tolist()) == ([40, 40, 40, 255], [90, 90, 90, 255])
    (tmp_path / "2.png").unlink()
    Image.new("RGBA", (1400, 700), (9, 8, 7, 255)).save(tmp_path / "10.png")
    (large,) = read_cutouts([tmp_path])
    assert large.shape[0] * large.shape[1] == pytest.approx(LARGEST_SIDE**2, rel=0.01)
    assert large.shape[1] == pytest.approx(2 * large.shape[0], abs=1)
    assert (large == (9, 8, 7, 255)).all()


def _overlaps(pixels: int, cells: int) -> NDArray[np.float64]:
    """Share of each cell ``(cells, pixels)`` that each pixel fills."""
    ends = np.arange(cells + 1) * pixels / cells
    inside = np.minimum(ends[1:, None], np.arange(1, pixels + 1)) - np.maximum(ends[:-1, None], np.arange(pixels))
    shares: NDArray[np.float64] = np.clip(inside, 0, None) * cells / pixels
    return shares


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 40), st.integers(4, 40), st.floats(0.2, 2.5), st.integers(0, 2**32 - 1))
def test_scaled_cutout_covers_the_same_area_and_takes_no_colour_of_clear_pixels(
    height: int, width: int, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rgba = np.full((height, width, 4), (200, 150, 100, 255), np.uint8)
    rgba[rng.random((height, width)) < 0.4] = (0, 255, 0, 0)
    rgba[height // 2, width // 2] = (200, 150, 100, 255)
    alpha, colours = scaled(rgba, scale)
    assert alpha.shape == colours.shape[:2] == (max(round(height * scale), 1), max(round(width * scale), 1))
    assert 0 <= alpha.min() <= alpha.max() <= 1
    np.testing.assert_allclose(colours, np.broadcast_to((200, 150, 100), colours.shape), atol=0.05)
    if scale < 1:
        shares = _overlaps(height, alpha.shape[0]) @ (rgba[..., 3] / 255) @ _overlaps(width, alpha.shape[1]).T
        np.testing.assert_allclose(alpha, shares, atol=1e-3)


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "no alpha": (
        "a.png",
        _saved(Image.new("RGB", (8, 8)), "png"),
        "with an alpha channel, got mode RGB without one in",
    ),
    "a photograph": ("a.jpg", _saved(Image.new("RGB", (8, 8)), "jpeg"), "alpha channel, got mode RGB without one in"),
    "nothing opaque": (
        "a.png",
        _saved(Image.new("RGBA", (8, 8), (9, 9, 9, 127)), "png"),
        "an alpha of 127 of 255 at most",
    ),
    "clear": ("a.webp", _saved(Image.new("RGBA", (8, 8)), "webp"), "an alpha of 0 of 255 at most in"),
    "cut off": ("a.png", _saved(Image.fromarray(_rgba()), "png")[:90], "could not read"),
    "no image": ("a.png", b"no image", "could not read"),
    "empty": ("a.tif", b"", "could not read"),
    "deep colour key": (
        "a.png",
        _png(np.full((4, 4, 3), 513, np.uint16), 2, struct.pack(">HHH", 513, 513, 513)),
        "of 16 bits",
    ),
    "deep grey key": ("a.png", _png(np.full((4, 4), 513, np.uint16), 0, struct.pack(">H", 513)), "of 16 bits"),
    "several": (
        "a.webp",
        _saved(
            Image.fromarray(_rgba()), "webp", save_all=True, append_images=[Image.fromarray(255 - _rgba())], duration=40
        ),
        "expected one picture in a cut-out, got 2 in",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_cutout_that_cannot_be_used_is_refused_by_its_name(case: str, tmp_path: Path) -> None:
    name, contents, message = REFUSED[case]
    Image.fromarray(_rgba()).save(tmp_path / "0.png")
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(UsageError, match=message) as refused:
        read_cutouts([tmp_path])
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_folder_without_a_cutout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("none")
    for source in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="expected cut-outs, images with alpha"):
            read_cutouts([source])
    assert read_cutouts([]) == ()


def test_objects_without_cutouts_are_drawn_by_the_same_numbers_and_with_them_half_are_cutouts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame, nowhere, states = np.full((48, 64, 3), 120, np.uint8), np.zeros((0, 2)), []

    def watched(kind: str, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
        states.append((kind, rng.bit_generator.state))
        return drawn_shape(kind, side, rng)

    monkeypatch.setattr(cutouts, "drawn_shape", watched)
    for family in cutouts.FAMILIES:
        for seed in range(5):
            states.clear()
            paste_objects(frame, frame, family, nowhere, np.random.default_rng(seed))
            own = np.random.default_rng(
                seed
            )  # the number of objects, the size of the first, and its shape: nothing else
            own.integers(1, cutouts.MOST_OBJECTS + 1), own.uniform()
            assert states[0] == (str(own.choice(SHAPES[family])), own.bit_generator.state)
    assert set(FILLINGS) == set(cutouts.FAMILIES)
    red = np.full((6, 6, 4), (255, 0, 0, 255), np.uint8)
    pasted = own_ones = 0
    for seed in range(120):
        states.clear()
        shown = paste_objects(frame, frame, "learn", nowhere, np.random.default_rng(seed), [red])
        again = paste_objects(frame, frame, "learn", nowhere, np.random.default_rng(seed), [red])
        np.testing.assert_array_equal(shown.frame, again.frame)
        count = int(np.random.default_rng(seed).integers(1, cutouts.MOST_OBJECTS + 1))
        pasted, own_ones = pasted + count, own_ones + count - len(states) // 2
    assert own_ones / pasted == pytest.approx(cutouts.OWN_SHARE, abs=0.1)


def test_pasted_cutout_shows_its_own_colours_and_none_of_its_clear_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutouts, "OWN_SHARE", 1.0)
    frame, rgba = np.full((80, 120, 3), 120, np.uint8), np.zeros((20, 20, 4), np.uint8)
    rgba[..., 1] = 255  # clear pixels are green
    rgba[5:15, 5:15] = (230, 120, 120, 255)
    for seed in range(40):
        shown = paste_objects(frame, frame, "learn", np.zeros((0, 2)), np.random.default_rng(seed), [rgba])
        red, green = (shown.frame[..., channel].astype(int) - 120 for channel in (0, 1))
        assert green.max() < 40, "an edge would be green where the colours of clear pixels got into it"
        inside = shown.cover > 0.95
        assert not inside.any() or red[inside].mean() > 15
