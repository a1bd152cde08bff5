# SPDX-License-Identifier: Apache-2.0
"""Sizes and constants of a checkpoint, in every form in which projects write them."""

from argparse import Namespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.errors import UsageError
from export.pipeline.hyper_parameters import (
    CONTAINERS,
    NORMALISATION_NAMES,
    SIZE_NAMES,
    known_input_size,
    stated_normalisations,
    stated_order,
    stated_sizes,
    training_crop,
)
from export.pipeline.pixel_unit import MMLAB_SWITCHES
from export.pipeline.stated_preprocessing import StatedNormalisation, StatedOrder, spread

SIZES = st.integers(5, 5000)


@given(SIZES, SIZES, st.sampled_from([1, 3, 4]))
def test_known_input_size_in_any_form_is_rows_and_columns(height: int, width: int, channels: int) -> None:
    forms: list[object] = [
        (height, width),
        [height, width],
        f"{height}x{width}",
        f"{height} x {width}",
        f"{height},{width}",
        [channels, height, width],
        (height, width, channels),
        [1, channels, height, width],
        [float(height), float(width)],
        np.array([height, width]),
        torch.tensor([channels, height, width]),
        torch.Size([height, width]),
    ]
    assert [known_input_size({"input_size": form}) for form in forms] == [(height, width)] * len(forms)


@given(SIZES)
def test_known_input_size_of_one_number_is_a_square(length: int) -> None:
    for form in (length, str(length), [length], float(length), np.int64(length), torch.tensor(length)):
        assert known_input_size({"input_size": form}) == (length, length)


@pytest.mark.parametrize(
    "value",
    [
        "large",
        "",
        "3x360x480",
        [360.5, 480],
        [2, 360, 480],
        [],
        [1, 2, 3, 4, 5],
        True,
        {"h": 3},
        [None, 480],
        b"5",
        float("nan"),
    ],
)
def test_known_input_size_of_another_form_asks_for_the_flag(value: object) -> None:
    with pytest.raises(UsageError, match="give --input-size H W"):
        known_input_size({"input_size": value})


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_stated_normalisations_in_any_form_are_one_number_or_three(red: float, green: float, blue: float) -> None:
    forms: list[object] = [(red, green, blue), [red, green, blue], np.array([red, green, blue])]
    for form in forms:
        assert [stated.mean for stated in stated_normalisations({"mean": form})] == [(red, green, blue)]
    for scalar in (red, [red], np.float64(red)):
        assert [spread(stated.std or (), 3) for stated in stated_normalisations({"std": scalar})] == [(red, red, red)]


@pytest.mark.parametrize(
    "value", [[0.5, 0.5], "0.5", True, [0.5, "x", 0.5], [[0.5], [0.5], [0.5]], [0.5, float("inf"), 0.5]]
)
@pytest.mark.parametrize("name", ["mean", "pixel_mean"])
def test_stated_normalisations_of_another_form_ask_for_the_flag(value: object, name: str) -> None:
    with pytest.raises(UsageError, match=f"checkpoint's {name}, got .*give --mean R G B"):
        list(stated_normalisations({name: value}))


def test_known_constants_that_are_not_stated_are_none() -> None:
    assert (known_input_size({}), list(stated_normalisations({"mean": None}))) == (None, [])


PATHS = st.lists(st.sampled_from(CONTAINERS), max_size=2)
OTHERS = st.dictionaries(st.sampled_from(["lr", "width", "backbone", "epochs"]), st.integers(1, 9), max_size=3)


def nested(path: list[str], values: dict[str, object], others: dict[str, int], as_namespace: bool) -> Any:
    for name in reversed(path):
        inner: object = Namespace(**values) if as_namespace else values
        values = {name: inner, **others}
    return values


@given(PATHS, st.sampled_from(NORMALISATION_NAMES), OTHERS, st.booleans())
def test_stated_normalisations_two_levels_deep_are_found_and_named(
    path: list[str], names: tuple[str, str], others: dict[str, int], as_namespace: bool
) -> None:
    known = nested(path, {names[0]: [0.1, 0.2, 0.3], names[1]: 0.5}, others, as_namespace)
    mean, std = (".".join([*path, name]) for name in names)
    found = StatedNormalisation(f"the checkpoint's {mean} and {std}", (0.1, 0.2, 0.3), (0.5,))
    assert list(stated_normalisations(known)) == [found]


@given(PATHS, st.sampled_from(SIZE_NAMES), SIZES, SIZES, OTHERS, st.booleans())
def test_stated_sizes_two_levels_deep_are_found(
    path: list[str], name: str, height: int, width: int, others: dict[str, int], as_namespace: bool
) -> None:
    assert known_input_size(nested(path, {name: [height, width]}, others, as_namespace)) == (height, width)
    apart = {"height": height, "width": width}
    assert known_input_size(nested(path, dict(apart), {}, as_namespace)) == (height, width)


@pytest.mark.parametrize(
    "known", [{"width": 16}, {"optimizer": {"image_size": 5}}, {"data": {"net": {"cfg": {"mean": 1}}}}]
)
def test_stated_sizes_and_normalisations_of_other_things_are_none(known: dict[str, object]) -> None:
    assert (list(stated_sizes(known)), list(stated_normalisations(known))) == ([], [])


def test_stated_normalisations_of_several_places_come_outermost_first() -> None:
    known = {"data": {"normalize": {"mean": 0.3, "std": 0.3}, "mean": 0.2, "std": 0.2}, "mean": 0.1, "std": 0.1}
    assert [stated.mean for stated in stated_normalisations(known)] == [(0.1,), (0.2,), (0.3,)]


LEVELS = st.lists(st.floats(40, 200), min_size=3, max_size=3)
SHARES = st.lists(st.floats(0.1, 0.9), min_size=3, max_size=3)


def of_pixels(known: dict[str, object], pixel: float) -> list[float]:
    """What pixels become by the constants found, which count white as 1."""
    (found,) = stated_normalisations(known)
    assert found.mean is not None
    assert found.std is not None
    return [(pixel / 255 - m) / s for m, s in zip(found.mean, found.std, strict=True)]


@given(LEVELS, LEVELS, st.sampled_from(MMLAB_SWITCHES), st.booleans(), st.floats(0, 255))
def test_stated_normalisations_beside_mmlabs_switch_are_of_grey_levels(
    mean: list[float], std: list[float], switch: str, turned: bool, pixel: float
) -> None:
    expected = [(pixel - m) / s for m, s in zip(mean, std, strict=True)]
    assert of_pixels({"mean": mean, "std": std, switch: turned}, pixel) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(SHARES, SHARES, st.sampled_from([1, 255, 255.0, 65535]), st.floats(0, 255))
def test_stated_normalisations_beside_max_pixel_value_are_albumentations(
    mean: list[float], std: list[float], highest: float, pixel: float
) -> None:
    expected = [(pixel - m * highest) / (s * highest) for m, s in zip(mean, std, strict=True)]
    known = {"mean": mean, "std": std, "max_pixel_value": highest}
    assert of_pixels(known, pixel) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(SHARES, SHARES, st.sampled_from([1 / 255, 0.00392156862745098, 1 / 127.5, 1.0]), st.floats(0, 255))
def test_stated_normalisations_beside_rescale_factor_are_transformers(
    mean: list[float], std: list[float], factor: float, pixel: float
) -> None:
    expected = [(pixel * factor - m) / s for m, s in zip(mean, std, strict=True)]
    known = {"image_mean": mean, "image_std": std, "rescale_factor": factor}
    assert of_pixels(known, pixel) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(LEVELS, LEVELS, st.sampled_from([{"do_rescale": False}, {"rescale": False}, {"input_range": [0, 255]}]))
def test_stated_normalisations_of_frames_that_are_not_rescaled_are_of_grey_levels(
    mean: list[float], std: list[float], neighbour: dict[str, object]
) -> None:
    expected = [(51 - m) / s for m, s in zip(mean, std, strict=True)]
    assert of_pixels({"mean": mean, "std": std, **neighbour}, 51) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "neighbour",
    [{"rescale": True}, {"rescale": 0.5}, {"input_range": [0, 1]}, {"to_rgb": True}, {"do_rescale": True}, {}],
)
def test_stated_normalisations_of_shares_stay_as_they_are(neighbour: dict[str, object]) -> None:
    (found,) = stated_normalisations({"mean": 0.485, "std": 0.229, **neighbour})
    assert (found.mean, found.std) == ((0.485,), (0.229,))


@given(
    st.lists(st.floats(0.02, 0.98), min_size=3, max_size=3),
    st.lists(st.floats(0.06, 0.5), min_size=3, max_size=3),
    st.sampled_from(["mean", "std"]),
    st.sampled_from(
        [{"to_rgb": True}, {"bgr_to_rgb": False}, {"do_rescale": False}, {"rescale": False}, {"max_pixel_value": 1}]
    ),
)
def test_stated_normalisations_of_which_one_is_in_grey_levels_divide_that_alone(
    mean: list[float], std: list[float], in_levels: str, neighbour: dict[str, object]
) -> None:
    known: dict[str, object] = {"mean": mean, "std": std}
    known[in_levels] = [255 * value for value in (mean if in_levels == "mean" else std)]
    (found,) = stated_normalisations({**known, **neighbour})
    assert found.mean == pytest.approx(mean)
    assert found.std == pytest.approx(std)


def test_stated_normalisations_in_grey_levels_without_a_neighbour_are_not_divided() -> None:
    (found,) = stated_normalisations({"mean": 123.675, "std": 58.395})
    assert (found.mean, found.std) == ((123.675,), (58.395,))


@pytest.mark.parametrize("switch", MMLAB_SWITCHES)
@pytest.mark.parametrize(("turned", "order"), [(True, "rgb"), (False, "bgr")])
def test_stated_order_by_mmlabs_switch_is_bgr_until_it_turns(switch: str, turned: bool, order: str) -> None:
    found = stated_order({"data": {"img_norm_cfg": {"mean": [1, 2, 3], "std": [1, 1, 1], switch: turned}}})
    assert found == StatedOrder(f"the checkpoint's data.img_norm_cfg.{switch}", order)
    assert stated_order({switch: turned}) is None  # without a mean it is anybody's


def test_training_crop_is_named_and_no_size() -> None:
    assert (training_crop({"data": {"crop_size": 512}}), known_input_size({"crop_size": 512})) == (
        "data.crop_size",
        None,
    )
