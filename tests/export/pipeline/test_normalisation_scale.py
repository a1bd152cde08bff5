# SPDX-License-Identifier: Apache-2.0
"""Mean and deviation in the wrong unit are refused with values that are right; every known kind of network's are taken."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from export.checkpoint.load import Checkpoint
from export.errors import UsageError
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.normalisation_scale import check_scale
from export.pipeline.options import ExportOptions

FRAMES: Any = SimpleNamespace(shape=(80, 160, 3))
MEANS = st.tuples(*[st.floats(0.02, 0.98)] * 3)
"""Means of frames in [0, 1]: 5 to 250 in grey levels."""
STDS = st.tuples(*[st.floats(0.06, 0.5)] * 3)


def times_255(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(255 * value for value in values)


def pasted(message: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The values that a message tells to give."""
    found = re.search(
        r"give --mean ([\d.e+-]+) ([\d.e+-]+) ([\d.e+-]+) --std ([\d.e+-]+) ([\d.e+-]+) ([\d.e+-]+),", message
    )
    assert found is not None, message
    numbers = tuple(map(float, found.groups()))
    return numbers[:3], numbers[3:]


@given(MEANS, STDS)
def test_check_scale_of_the_statistics_of_frames_takes_them(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    check_scale(mean, std)


@given(MEANS, STDS)
def test_check_scale_of_the_same_in_grey_levels_gives_them_back_divided(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        check_scale(times_255(mean), times_255(std))
    got_mean, got_std = pasted(str(caught.value))
    assert got_mean == pytest.approx(mean, rel=1e-5)
    assert got_std == pytest.approx(std, rel=1e-5)
    check_scale(got_mean, got_std)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0, 0, 0), (1, 1, 1)),  # [0, 1]
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # [-1, 1]
        ((0, 0, 0), (1 / 255,) * 3),  # raw pixels
        ((0.408, 0.458, 0.482), (1 / 255,) * 3),  # raw pixels less a mean, as Caffe's
        ((0.5, 0.5, 0.5), (2, 2, 2)),  # a deviation above 1 alone
        ((0.4, 0.4, 0.4), (3.5, 1.2, 8)),
        ((-0.5, -0.5, -0.5), (1, 1, 1)),  # [0.5, 1.5]
        ((0, 0, 0), (1 / 65535,) * 3),  # 16 bits
    ],
)
def test_check_scale_of_known_networks_takes_them(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    check_scale(mean, std)


@pytest.mark.parametrize(
    ("mean", "std", "right"),
    [
        ((104, 117, 123), (1, 1, 1), ((104 / 255, 117 / 255, 123 / 255), (1 / 255,) * 3)),  # raw pixels less a mean
        ((0, 0, 0), (255, 255, 255), ((0, 0, 0), (1, 1, 1))),
        (
            (123.7, 116.3, 103.5),
            (0.229, 0.224, 0.225),
            ((123.7 / 255, 116.3 / 255, 103.5 / 255), (0.229, 0.224, 0.225)),
        ),
        ((0.485, 0.456, 0.406), (58.4, 57.1, 57.4), ((0.485, 0.456, 0.406), (58.4 / 255, 57.1 / 255, 57.4 / 255))),
        ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5), ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))),
    ],
)
def test_check_scale_of_mixed_units_divides_what_counts_grey_levels(
    mean: tuple[float, ...], std: tuple[float, ...], right: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    with pytest.raises(UsageError, match="black to white would reach the network as") as caught:
        check_scale(mean, std)
    for got, expected in zip(pasted(str(caught.value)), right, strict=True):
        assert got == pytest.approx(expected, rel=1e-5)
    check_scale(*pasted(str(caught.value)))


@given(MEANS, st.tuples(*[st.floats(0.07, 0.5)] * 3), st.lists(st.booleans(), min_size=6, max_size=6))
def test_check_scale_of_some_numbers_in_grey_levels_divides_those_alone(
    mean: tuple[float, ...], std: tuple[float, ...], in_levels: list[bool]
) -> None:
    assume(any(in_levels))
    mixed = [value * 255 if level else value for value, level in zip((*mean, *std), in_levels, strict=True)]
    with pytest.raises(UsageError) as caught:
        check_scale(mixed[:3], mixed[3:])
    got_mean, got_std = pasted(str(caught.value))
    assert got_mean == pytest.approx(mean, rel=1e-5)
    assert got_std == pytest.approx(std, rel=1e-5)
    check_scale(got_mean, got_std)


@pytest.mark.parametrize("source", ["flags", "hyper-parameters"])
def test_resolve_preprocessing_of_grey_levels_is_refused_from_either_source(source: str) -> None:
    grey: dict[str, Any] = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
    given_flags, known = (grey, {}) if source == "flags" else ({}, grey)

    def resolve(**more: Any) -> object:
        given_options = ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"), **given_flags, **more)
        return resolve_preprocessing(given_options, Checkpoint(nn.Identity(), known, Path("x.ckpt")), FRAMES)

    with pytest.raises(UsageError, match=r"--mean 0\.485 0\.456 0\.406 --std 0\.229 0\.224 0\.225"):
        resolve()
    resolve(force=True)
