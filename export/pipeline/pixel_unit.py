# SPDX-License-Identifier: Apache-2.0
"""Find the unit of a mean and a standard deviation by what stands beside them: the level at which they take white to be."""

from collections.abc import Mapping, Sequence

_LEVELS = 128
"""Level of white from which constants count grey levels."""

MMLAB_SWITCHES = ("to_rgb", "bgr_to_rgb")
"""Stand beside a mean in OpenMMLab's configurations, where frames are read as BGR from 0 to 255."""


def white_level(
    values: Mapping[str, object], mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[float, str]:
    """The level of white in the unit of mean and deviation, and the neighbour that states it; 1 where none does.

    Understood are OpenMMLab's switches and ``rescale`` false beside numbers that cannot be shares of 1, albumentations'
    ``max_pixel_value``, by which its constants are multiplied, transformers' ``rescale_factor``, by which pixels are
    multiplied first, and ``do_rescale``, which leaves them from 0 to 255 where it is false, and the ``input_range`` of
    segmentation-models-pytorch.

    Args:
        values: the mapping in which the constants stand.
        mean: as it is stated; None where it is not.
        std: likewise.
    """
    counts = max(mean or [0]) > 1 or max(std or [0]) > 1
    for name in MMLAB_SWITCHES:
        if isinstance(values.get(name), bool) and counts:
            return 255.0, name
    if (level := _above_zero(values.get("max_pixel_value"))) is not None:
        return 255 / level, "max_pixel_value"
    if values.get("do_rescale") is False or (values.get("rescale") is False and counts):
        return 255.0, "do_rescale" if "do_rescale" in values else "rescale"
    if (factor := _above_zero(values.get("rescale_factor"))) is not None:
        white = 255 * factor
        return (1.0 if abs(white - 1) < 1e-3 else white), "rescale_factor"
    span = values.get("input_range")
    if isinstance(span, Sequence) and not isinstance(span, str) and len(span) == 2:
        level = _above_zero(span[1])
        if level is not None:
            return level, "input_range"
    return 1.0, ""


def in_shares_of_white(
    mean: Sequence[float] | None, std: Sequence[float] | None, white: float
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Divide mean and deviation by the level of white, but for one that is a share of white already, beside the other.

    A mean of frames in grey levels is above 1, and a deviation of 1 or more: where one of them is and the other is not, that
    other is no number of levels.

    Args:
        mean: as it is stated; None where it is not.
        std: likewise.
        white: level of white in their unit, as it is stated.
    """
    levels = white >= _LEVELS and mean is not None and std is not None
    mean_is_share = levels and max(mean or [0]) <= 1 < max(std or [0])
    std_is_share = levels and max(std or [0]) < 1 < max(mean or [0])
    return (
        None if mean is None else tuple(value if mean_is_share else value / white for value in mean),
        None if std is None else tuple(value if std_is_share else value / white for value in std),
    )


def _above_zero(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value > 0 else None  # type: ignore[arg-type,operator]
