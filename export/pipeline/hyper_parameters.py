# SPDX-License-Identifier: Apache-2.0
"""Read sizes and normalisation constants from a checkpoint's hyper-parameters, in the forms in which projects write them."""

import math
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import SupportsFloat, SupportsIndex

from export.errors import UsageError
from export.pipeline.pixel_unit import MMLAB_SWITCHES, in_shares_of_white, white_level
from export.pipeline.stated_preprocessing import StatedNormalisation, StatedOrder, StatedSize
from lsood_runtime.offline import printable

NORMALISATION_NAMES = (
    ("mean", "std"),
    ("image_mean", "image_std"),
    ("img_mean", "img_std"),
    ("pixel_mean", "pixel_std"),
    ("norm_mean", "norm_std"),
    ("normalize_mean", "normalize_std"),
    ("data_mean", "data_std"),
)
"""Names of mean and standard deviation, in the order in which they are looked for."""

SIZE_NAMES = ("input_size", "img_size", "image_size")
"""Names of the size of the network's input."""

CROP_NAMES = ("crop_size", "train_crop_size", "random_crop_size")
"""Names of the size of random crops, to which frames are not resized when the network is used."""

CHANNEL_NAMES = ("in_channels", "in_chans", "in_ch", "input_channels", "n_channels", "num_channels", "img_channels")
"""Names of the number of channels that the network takes."""

CONTAINERS = (
    "data",
    "dataset",
    "datamodule",
    "data_module",
    "data_config",
    "data_preprocessor",
    "preprocessor",
    "preprocessing",
    "preprocess",
    "transform",
    "transforms",
    "normalize",
    "normalise",
    "normalization",
    "normalisation",
    "img_norm_cfg",
    "input",
    "image",
    "model",
    "network",
    "net",
    "config",
    "cfg",
    "hparams",
    "args",
    "init_args",
)
"""Hyper-parameters that are mappings in which the others may stand, one or two levels deep."""

_APART = (("height", "width"), ("img_height", "img_width"), ("image_height", "image_width"))
_SIZE = re.compile(r"\s*(\d+)(?:\s*[x,]\s*(\d+))?\s*")
_CHANNELS = (1, 3, 4)


def known_input_size(hyper_parameters: Mapping[str, object]) -> tuple[int, int] | None:
    """Rows and columns of the network's input by the first statement of ``stated_sizes``; None where there is none.

    Raises:
        UsageError: it is of a form that is not understood.
    """
    stated = next(stated_sizes(hyper_parameters), None)
    return None if stated is None else (stated.height, stated.width)


def stated_sizes(hyper_parameters: Mapping[str, object]) -> Iterator[StatedSize]:
    """Yield the sizes that hyper-parameters state, by ``SIZE_NAMES`` or by rows and columns apart, the outermost first.

    Understood are 512 for a square, ``[360, 480]``, ``"360x480"`` with the rows first, and shapes with the channels before or
    behind, ``[3, 360, 480]`` and ``[360, 480, 3]``, also with a batch of 1 in front.

    Raises:
        UsageError: a size is of another form.
    """
    for place, values in _places(hyper_parameters):
        for name in SIZE_NAMES:
            if values.get(name) is not None:
                height, width = _rows_and_columns(values[name], place + name)
                yield StatedSize(f"the checkpoint's {printable(place + name)}", height, width)
        for rows, columns in _APART:
            sizes = [_whole_numbers(values.get(name)) for name in (rows, columns)]
            if all(size is not None and len(size) == 1 for size in sizes):
                (height,), (width,) = (size for size in sizes if size is not None)
                yield StatedSize(f"the checkpoint's {printable(place + rows)} and {printable(columns)}", height, width)


def training_crop(hyper_parameters: Mapping[str, object]) -> str | None:
    """Name of the first hyper-parameter that states the size of a training's random crops, which is no size of the input."""
    found = (
        printable(place + name) for place, values in _places(hyper_parameters) for name in CROP_NAMES if name in values
    )
    return next(found, None)


def stated_normalisations(hyper_parameters: Mapping[str, object]) -> Iterator[StatedNormalisation]:
    """Yield the normalisations that hyper-parameters state, by ``NORMALISATION_NAMES``, the outermost first.

    Constants in grey levels are divided where a neighbour states the unit (``export.pipeline.pixel_unit``).

    Raises:
        UsageError: a constant is no number and no three of them.
    """
    for place, values in _places(hyper_parameters):
        for mean_name, std_name in NORMALISATION_NAMES:
            mean, std = (_of_each_channel(values, name, place) for name in (mean_name, std_name))
            if mean is None and std is None:
                continue
            stated = [
                printable(place + name) for name, value in ((mean_name, mean), (std_name, std)) if value is not None
            ]
            white, neighbour = white_level(values, mean, std)
            by = f", in units of {neighbour}" if white != 1 else ""
            mean, std = in_shares_of_white(mean, std, white)
            yield StatedNormalisation(f"the checkpoint's {' and '.join(stated)}{by}", mean, std)


def stated_order(hyper_parameters: Mapping[str, object]) -> StatedOrder | None:
    """Order of the channels by OpenMMLab's switches beside a mean: its frames are BGR until ``to_rgb`` turns them."""
    for place, values in _places(hyper_parameters):
        for name in MMLAB_SWITCHES:
            if isinstance(turned := values.get(name), bool) and "mean" in values:
                return StatedOrder(f"the checkpoint's {printable(place + name)}", "rgb" if turned else "bgr")
    return None


def stated_channels(hyper_parameters: Mapping[str, object]) -> tuple[str, int] | None:
    """Name and value of the first hyper-parameter by ``CHANNEL_NAMES``; None where there is none."""
    for place, values in _places(hyper_parameters):
        for name in CHANNEL_NAMES:
            count = _whole_numbers(values.get(name))
            if count is not None and len(count) == 1:
                return printable(place + name), count[0]
    return None


def _places(
    values: Mapping[str, object], place: str = "", depth: int = 2
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the hyper-parameters and the mappings under ``CONTAINERS`` in them, to a depth, the outermost first."""
    level = [(place, values)]
    for _ in range(depth + 1):
        yield from level
        level = [
            (f"{outer}{name}.", inner)
            for outer, mapping in level
            for name in CONTAINERS
            if (inner := _mapping(mapping.get(name))) is not None
        ]


def _mapping(value: object) -> Mapping[str, object] | None:
    if isinstance(value, Namespace):
        return vars(value)
    return value if isinstance(value, Mapping) else None


def _rows_and_columns(value: object, name: str) -> tuple[int, int]:
    sizes = _whole_numbers(value)
    if sizes is not None and len(sizes) == 4 and sizes[0] == 1:
        sizes = sizes[1:]
    if sizes is not None and len(sizes) == 3 and sizes[0] in _CHANNELS:
        sizes = sizes[1:]
    elif sizes is not None and len(sizes) == 3 and sizes[2] in _CHANNELS:
        sizes = sizes[:2]
    if sizes is None or len(sizes) not in (1, 2):
        raise UsageError(
            f"expected rows and columns as the checkpoint's {printable(name)}, got {value!r}: "
            "give --input-size H W in its place"
        )
    return sizes[0], sizes[-1]


def _of_each_channel(values: Mapping[str, object], name: str, place: str) -> tuple[float, ...] | None:
    value = values.get(name)
    if value is None:
        return None
    numbers = _numbers(value)
    if numbers is None or len(numbers) not in (1, 3):
        flag = "std" if "std" in name else "mean"
        raise UsageError(
            f"expected one number or three as the checkpoint's {printable(place + name)}, got {value!r}: "
            f"give --{flag} R G B in its place"
        )
    return numbers


def _whole_numbers(value: object) -> tuple[int, ...] | None:
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        return None if found is None else tuple(int(text) for text in found.groups() if text is not None)
    numbers = _numbers(value)
    if numbers is None or not all(number.is_integer() for number in numbers):
        return None
    return tuple(int(number) for number in numbers)


def _numbers(value: object) -> tuple[float, ...] | None:
    """The finite numbers of a number or a sequence, as lists, arrays and tensors are; None where it holds anything else."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    numbers = []
    for item in value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]:
        if isinstance(item, bool) or not isinstance(item, SupportsFloat | SupportsIndex):
            return None
        try:
            numbers.append(float(item))
        except (TypeError, ValueError, OverflowError):
            return None
    return tuple(numbers) if all(map(math.isfinite, numbers)) else None
