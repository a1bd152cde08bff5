# SPDX-License-Identifier: Apache-2.0
"""Settings of an image processor beside a checkpoint: what they say of size, normalisation and order is what it does."""

import json
import math
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.errors import UsageError
from export.pipeline.preprocessor_config import PreprocessorConfig, read_preprocessor_config
from export.pipeline.stated_preprocessing import StatedNormalisation, StatedSize
from tests.unreadable_files import UNREADABLE, make_unreadable

SEGFORMER = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "SegformerImageProcessor",
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 512, "width": 512},
}
MOBILE_VIT = {
    "do_center_crop": True,
    "do_flip_channel_order": True,
    "do_resize": True,
    "feature_extractor_type": "MobileViTFeatureExtractor",
    "resample": 3,
    "crop_size": {"height": 512, "width": 512},
    "size": {"shortest_edge": 544},
}
SOURCE = "preprocessor_config.json beside the checkpoint"


def config(**settings: Any) -> PreprocessorConfig:
    return PreprocessorConfig("preprocessor_config.json", settings)


def write(folder: Path, settings: object, name: str = "preprocessor_config.json") -> Path:
    (folder / name).write_text(settings if isinstance(settings, str) else json.dumps(settings))
    return folder / "x.ckpt"


@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json"])
def test_read_preprocessor_config_of_segformer_has_its_constants(tmp_path: Path, name: str) -> None:
    settings = SEGFORMER if name == "preprocessor_config.json" else {"image_processor": SEGFORMER}
    found = read_preprocessor_config(write(tmp_path, settings, name))
    assert found is not None
    stated = found.normalisation()
    assert stated == StatedNormalisation(f"{name} beside the checkpoint", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert found.size(720, 1280) == StatedSize(f"{name} beside the checkpoint", 512, 512)
    assert (found.order(), list(found.warnings())) == (None, [])


@pytest.mark.parametrize("constants", [{}, {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}])
def test_preprocessor_config_of_mobile_vit_is_bgr_without_normalisation(constants: dict[str, Any]) -> None:
    found = config(**MOBILE_VIT, **constants)
    assert found.normalisation() == StatedNormalisation(SOURCE, (0.0,), (1.0,))
    order = found.order()
    assert order is not None
    assert order.order == "bgr"
    assert [text.partition(",")[0] for text in found.warnings()] == [
        "preprocessor_config.json resizes by Pillow's filter 3",
        "preprocessor_config.json crops the centre of a resized frame",
    ]


@given(st.booleans(), st.booleans(), st.floats(0, 255))
def test_preprocessor_config_of_any_switches_normalises_as_the_library(
    normalises: bool, rescales: bool, pixel: float
) -> None:
    settings = SEGFORMER | {"do_normalize": normalises, "do_rescale": rescales}
    expected = pixel * (SEGFORMER["rescale_factor"] if rescales else 1)  # type: ignore[operator]
    if normalises:
        expected = (expected - 0.485) / 0.229
    found = config(**settings).normalisation()
    assert found is not None
    assert found.mean is not None
    assert found.std is not None
    assert (pixel / 255 - found.mean[0]) / found.std[0] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_preprocessor_config_that_leaves_the_constants_to_the_library_says_nothing() -> None:
    assert config(do_normalize=True, size={"height": 5, "width": 6}).normalisation() is None


@given(st.integers(20, 3000), st.integers(20, 3000), st.integers(8, 1200), st.one_of(st.none(), st.integers(8, 2000)))
def test_preprocessor_config_of_the_shorter_edge_keeps_the_aspect(
    height: int, width: int, shorter: int, longest: int | None
) -> None:
    size: dict[str, int] = {"shortest_edge": shorter} | ({} if longest is None else {"longest_edge": longest})
    found = config(size=size).size(height, width)
    assert found is not None
    factor = shorter / min(height, width)
    if longest is not None:
        factor = min(factor, longest / max(height, width))
    for got, length in ((found.height, height), (found.width, width)):
        # rounded once to a pixel for the shorter edge, cut off for the longer one
        assert got == pytest.approx(factor * length, abs=1 + 1e-6)
    if longest is None:
        assert min(found.height, found.width) == shorter
    else:
        assert max(found.height, found.width) <= max(longest, shorter if min(height, width) == shorter else longest)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(8, 1200))
def test_preprocessor_config_of_the_longest_edge_then_pads_to_a_square_as_sams_processor_does(
    height: int, width: int, longest: int
) -> None:
    found = config(size={"longest_edge": longest}, do_pad=True, pad_size={"height": longest, "width": longest})
    size = found.size(height, width)
    assert size is not None
    for got, length in ((size.height, height), (size.width, width)):
        exact = Decimal(length) * longest / max(height, width)
        assert got == max(exact.quantize(Decimal(1), ROUND_HALF_UP), 1)
    multiple = found.padding_multiple(size.height, size.width, 1200)
    assert multiple is not None
    assert [math.ceil(side / multiple) * multiple for side in (size.height, size.width)] == [longest, longest]


@given(st.integers(20, 999), st.integers(20, 999), st.sampled_from([0, 8, 32]), st.booleans())
def test_preprocessor_config_of_a_divisor_rounds_up_unless_it_pads(
    height: int, width: int, divisor: int, pads: bool
) -> None:
    found = config(size={"height": height, "width": width}, size_divisor=divisor, do_pad=pads)
    size = found.size(10, 10)
    assert size is not None
    step = divisor if divisor and not pads else 1
    assert (size.height, size.width) == (math.ceil(height / step) * step, math.ceil(width / step) * step)
    assert found.pads == pads
    assert found.padding_multiple(height, width, 1024) == (divisor or None)


def test_preprocessor_config_that_does_not_resize_has_no_size() -> None:
    assert config(**SEGFORMER | {"do_resize": False}).size(20, 30) is None
    assert config(image_mean=0.5).size(20, 30) is None


def test_preprocessor_config_of_one_number_is_segformers_square_and_else_refused() -> None:
    assert config(size=512, feature_extractor_type="SegformerFeatureExtractor").size(20, 30) == StatedSize(
        SOURCE, 512, 512
    )
    for size in (512, {"max_height": 5}, "512", {"shortest_edge": -3}, {"shortest_edge": True}):
        with pytest.raises(UsageError, match="give --input-size H W") as caught:
            config(size=size, image_processor_type="DPTImageProcessor").size(20, 30)
        assert caught.value.words == ("--input-size", "VALUE", "VALUE")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"x"', "[" * 100_000, '{"a": "' + "x" * (1 << 20) + '"}'])
def test_read_preprocessor_config_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="expected the settings of an image processor"):
        read_preprocessor_config(write(tmp_path, text))


def test_read_preprocessor_config_of_no_file_is_none(tmp_path: Path) -> None:
    assert read_preprocessor_config(tmp_path / "x.ckpt") is None


@pytest.mark.parametrize("kind", UNREADABLE)
@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json"])
def test_read_preprocessor_config_of_what_is_no_file_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    make_unreadable(tmp_path / name, kind)
    with pytest.raises(UsageError, match=f"{name}, got .*: mend it, or move it"):
        read_preprocessor_config(tmp_path / "x.ckpt")
