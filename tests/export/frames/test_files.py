# SPDX-License-Identifier: Apache-2.0
"""Calibration and the vehicle's command line read an image file alike: the same pixels, or the same refusal."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from export.errors import UsageError
from export.evaluation.frame_sources import frame_sources
from export.evaluation.options import EvaluationOptions
from export.frames.files import FrameFiles, read_frame
from export.frames.reading_options import ReadingOptions
from lsood_runtime import MediaError
from lsood_runtime.offline import AS_STATED, PixelRules, in_flags, read_frames

Frame = NDArray[np.uint8]
Case = tuple[Path, Frame]

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (24, 32), np.uint8)
RGB = RNG.integers(0, 256, (24, 32, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (24, 32, 3), np.uint16)
ALPHA = RNG.integers(0, 256, (24, 32, 1), np.uint8)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def rgb(folder: Path) -> Case:
    return saved(folder / "rgb.png", Image.fromarray(RGB)), RGB


def grey(folder: Path) -> Case:
    return saved(folder / "grey.png", Image.fromarray(GREY)), np.dstack([GREY] * 3)


def grey_with_alpha(folder: Path) -> Case:
    image = Image.fromarray(np.dstack([GREY, ALPHA]), "LA")
    return saved(folder / "grey_alpha.png", image), np.dstack([GREY] * 3)


def alpha(folder: Path) -> Case:
    """What lies under transparent pixels counts: a camera has none."""
    return saved(folder / "alpha.png", Image.fromarray(np.dstack([RGB, ALPHA]))), RGB


def palette(folder: Path) -> Case:
    colours, indices = RNG.integers(0, 256, (16, 3), np.uint8), GREY // 16
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(colours.ravel().tolist())
    return saved(folder / "palette.png", image, transparency=3), colours[indices]


def one_bit(folder: Path) -> Case:
    bits = GREY > 127
    return saved(folder / "bits.png", Image.fromarray(bits)), np.dstack([bits.astype(np.uint8) * 255] * 3)


def cmyk(folder: Path) -> Case:
    inks = RNG.integers(0, 256, (24, 32, 4), np.uint8)
    light = (255 - inks.astype(float)) / 255
    return saved(folder / "cmyk.tiff", Image.fromarray(inks, "CMYK")), np.rint(
        255 * light[..., :3] * light[..., 3:]
    ).astype(np.uint8)


def deep_colours(folder: Path) -> Case:
    """16 bits a channel in colour: scaled by the white that is stated, and rounded."""
    cv2.imwrite(str(folder / "deep.png"), DEEP[..., ::-1])
    return folder / "deep.png", np.rint(DEEP / 257).astype(np.uint8)


def turned(orientation: int, upright: Callable[[Frame], Frame]) -> Callable[[Path], Case]:
    def write(folder: Path) -> Case:
        exif = Image.Exif()
        exif[0x0112] = orientation
        return saved(folder / "turned.png", Image.fromarray(RGB), exif=exif), upright(RGB)

    return write


READ: dict[str, Callable[[Path], Case]] = {
    **{case.__name__: case for case in (rgb, grey, grey_with_alpha, alpha, palette, one_bit, cmyk, deep_colours)},
    "exif 3": turned(3, lambda frame: np.rot90(frame, 2)),
    "exif 5": turned(5, lambda frame: frame.transpose(1, 0, 2)),
    "exif 6": turned(6, lambda frame: np.rot90(frame, -1)),
    "exif 8": turned(8, np.rot90),
}


STATED: dict[Callable[[Path], Case], PixelRules] = {
    **dict.fromkeys((grey, grey_with_alpha, one_bit), PixelRules(grey=True)),
    deep_colours: PixelRules(bits=16),
}
"""What has to be said of the files that do not say it themselves."""


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("write", READ.values(), ids=READ)
def test_read_frame_of_an_image_file_gives_what_the_runtime_reads(
    write: Callable[[Path], Case], channels: str, tmp_path: Path
) -> None:
    path, expected = write(tmp_path)
    rules = STATED.get(write, AS_STATED)
    ((_, in_the_vehicle),) = read_frames(path, channels, rules)
    at_calibration = FrameFiles([path], channels, rules)[0]
    np.testing.assert_array_equal(at_calibration, in_the_vehicle)
    assert at_calibration.dtype == in_the_vehicle.dtype == np.uint8
    ordered = expected if channels == "rgb" else expected[..., ::-1]
    np.testing.assert_allclose(at_calibration, ordered, atol=1 if write is cmyk else 0)


def grey_of_16_bits(folder: Path) -> Path:
    return saved(folder / "deep.png", Image.fromarray(DEEP[..., 0]))


def tiff_of_16_bits(folder: Path) -> Path:
    return saved(folder / "deep.tiff", Image.fromarray(DEEP[..., 0].astype(">u2")))


def tiff_of_32_bits(folder: Path) -> Path:
    return saved(folder / "deep.tiff", Image.fromarray(DEEP[..., 0].astype(np.int32)))


def tiff_of_floats(folder: Path) -> Path:
    return saved(folder / "float.tiff", Image.fromarray(DEEP[..., 0].astype(np.float32) / 65535))


def cut_off(folder: Path) -> Path:
    path = saved(folder / "cut.png", Image.fromarray(RGB))
    path.write_bytes(path.read_bytes()[:-900])
    return path


def text(folder: Path) -> Path:
    (folder / "text.png").write_text("no image")
    return folder / "text.png"


def missing(folder: Path) -> Path:
    return folder / "missing.png"


def too_large(folder: Path) -> Path:
    return saved(folder / "large.png", Image.fromarray(np.zeros((300, 300), np.uint8)))


def written(write: Callable[[Path], Case]) -> Callable[[Path], Path]:
    """The file alone of a case that can be read by other rules."""

    def path_of(folder: Path) -> Path:
        return write(folder)[0]

    path_of.__name__ = write.__name__
    return path_of


COLOUR, EIGHT_BITS = "expected a colour image", "expected 8 bits a value, got 16"
REFUSED = {
    **{written(case): COLOUR for case in (grey, grey_with_alpha, one_bit)},
    written(deep_colours): EIGHT_BITS,
    grey_of_16_bits: COLOUR,
    tiff_of_16_bits: COLOUR,
    tiff_of_32_bits: COLOUR,
    tiff_of_floats: COLOUR,
    cut_off: "expected an image, cannot read",
    text: "expected an image, cannot read",
    missing: "expected an image, cannot read",
    too_large: "expected an image, cannot read",
}


@pytest.mark.parametrize(("write", "message"), REFUSED.items(), ids=[write.__name__ for write in REFUSED])
def test_read_frame_of_a_file_that_is_no_frame_is_refused_as_by_the_runtime(
    write: Callable[[Path], Path], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 32)
    with pytest.raises(MediaError) as in_the_vehicle:
        list(read_frames(path, "rgb"))
    with pytest.raises(UsageError) as at_calibration:
        read_frame(path)
    assert str(at_calibration.value) == in_flags(str(in_the_vehicle.value))
    assert str(at_calibration.value).removeprefix(f"{path}: ").startswith(message)
    assert str(path) in str(at_calibration.value)


def test_frame_files_of_a_folder_named_like_an_image_skip_it(tmp_path: Path) -> None:
    rgb(tmp_path)
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in FrameFiles([tmp_path]).paths] == ["rgb.png"]


def test_frame_files_of_folders_and_files_keep_the_order_given(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    last, first = saved(tmp_path / "a.png", Image.fromarray(RGB)), saved(tmp_path / "b.png", Image.fromarray(RGB))
    for name in ("2.png", "1.png"):
        saved(tmp_path / "day" / name, Image.fromarray(RGB))
    files = FrameFiles([first, tmp_path / "day", last])
    assert [path.name for path in files.paths] == ["b.png", "1.png", "2.png", "a.png"]
    assert len(files) == len(list(files)) == 4


def test_frame_files_of_a_bgr_camera_turn_the_channels(tmp_path: Path) -> None:
    path, pixels = rgb(tmp_path)
    np.testing.assert_array_equal(FrameFiles([path], "bgr")[0], pixels[..., ::-1])


def test_frame_files_of_two_sizes_are_refused_where_the_second_is_read(tmp_path: Path) -> None:
    paths = [rgb(tmp_path)[0], saved(tmp_path / "wide.png", Image.fromarray(RGB[:, :30]))]
    files = FrameFiles(paths)
    with pytest.raises(
        UsageError, match=r"one size, 24 x 32 \(height x width\) as in rgb\.png, got 24 x 30 in wide\.png"
    ):
        files[1]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "one or more folders of frames or images, got none"),
        (["nowhere"], "found nothing at .*nowhere: check the path"),
        (["empty"], "expected image files .* in .*empty, found none"),
    ],
)
def test_frame_files_of_no_images_are_refused(sources: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        FrameFiles([tmp_path / source for source in sources])


def test_reading_options_of_every_command_reach_the_files(tmp_path: Path) -> None:
    for write in (grey, deep_colours):
        write(tmp_path)
    options = EvaluationOptions(
        Path("monitor"),
        ind=(tmp_path / "grey.png",),
        ood={"deep": (tmp_path / "deep.png",)},
        kinds=(),
        reading=ReadingOptions(grey=True, bits=16),
    )
    read = [source.files[0] for source in frame_sources(options, "rgb")]
    np.testing.assert_array_equal(read, [grey(tmp_path)[1], deep_colours(tmp_path)[1]])
    with pytest.raises(UsageError, match="--grey"):
        list(frame_sources(replace(options, reading=ReadingOptions(bits=16)), "rgb"))
    with pytest.raises(UsageError, match="--bits"):
        list(frame_sources(replace(options, reading=ReadingOptions(grey=True)), "rgb"))
