# SPDX-License-Identifier: Apache-2.0
"""Where the cells and the channels of a layer's output stand: maps, maps with their channels last, tokens and vectors."""

from dataclasses import dataclass

from torch import nn

_CHANNELS_LAST = (nn.Linear, nn.LayerNorm)
_CHANNELS_FIRST = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)


@dataclass(frozen=True)
class FeatureLayout:
    """Where the cells and the channels of a layer's output stand.

    Attributes:
        channel_dim: dimension of the channels.
        grid: rows and columns of the cells; None for a vector, and for tokens whose grid nobody has asked for.
        others: tokens in front of the grid, such as a class token and registers.
    """

    channel_dim: int
    grid: tuple[int, int] | None = None
    others: int = 0


def map_layout(shape: tuple[int, ...], image: tuple[int, int], module: nn.Module) -> FeatureLayout:
    """Tell a map with its channels last from one with its channels second, by the shape of the network's input.

    Rows and columns of a map are those of the input divided by one number, exactly or up to rounding; what fits exactly comes
    first. Where both readings of a shape fit alike, the channels are last if the layer holds linear layers or layer
    normalisations, and neither a convolution nor another norm.

    Args:
        shape: ``(B, C, H, W)`` or ``(B, H, W, C)``.
        image: rows and columns of the network's input.
        module: the layer.
    """
    _, first, second, third = shape
    last_fits, second_fits = _fit((first, second), image), _fit((second, third), image)
    if last_fits > second_fits or (last_fits == second_fits > 0 and _works_on_the_last(module)):
        return FeatureLayout(3, (first, second))
    return FeatureLayout(1, (second, third))


def is_grid(grid: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether rows and columns are those of an image divided by one number, each rounded up or down."""
    bounds = [
        (pixels / (cells + 1), pixels / (cells - 1) if cells > 1 else float("inf"))
        for cells, pixels in zip(grid, image, strict=True)
    ]
    return max(low for low, _ in bounds) < min(high for _, high in bounds)


def _fit(grid: tuple[int, int], image: tuple[int, int]) -> int:
    """How well rows and columns fit an image: 2 exactly, 1 up to rounding, 0 not."""
    return 2 if grid[0] * image[1] == grid[1] * image[0] else int(is_grid(grid, image))


def channel_dim(dimensions: int) -> int:
    """The dimension of the channels where nothing else is known: second of a map, last of tokens and vectors."""
    return {4: 1, 3: 2}.get(dimensions, 1)


def _works_on_the_last(module: nn.Module) -> bool:
    parts = list(nn.Module.modules(module))
    return any(isinstance(part, _CHANNELS_LAST) for part in parts) and not any(
        isinstance(part, _CHANNELS_FIRST) for part in parts
    )
