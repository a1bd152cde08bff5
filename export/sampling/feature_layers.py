# SPDX-License-Identifier: Apache-2.0
"""Choose the layers whose moments are features: those that a user names, or the last one of each resolution."""

from collections import Counter
from collections.abc import Sequence

from torch import Tensor, nn

from export.sampling.taps import LayerInfo, ListedLayers, check_names

Resolution = tuple[int, ...]

_COARSE = 4
"""Rows and columns of the input for one of a map that is coarse enough."""


def resolve_feature_layers(
    network: nn.Module,
    example: Tensor,
    names: Sequence[str],
    taps: Sequence[str],
    listed: ListedLayers | None = None,
) -> tuple[str, ...]:
    """Find the layers that a user names; where none is named, choose some between the input and the first tap.

    These are the last layer of each resolution on the way down, and of the coarsest one the block in its middle: networks
    for segmentation stay there for most of their layers, and the first half sees shifts that the end no longer shows. The
    tap itself stands for that end. Resolutions finer than a quarter of the input's rows and columns are passed over where
    there are coarser ones: their maps cost most and tell least (docs/results/fused.md).

    Args:
        network: in evaluation mode.
        example: ``(B, 3, H, W)`` float, an input of the network.
        names: layers, each once; none for the default.
        taps: layers that are sampled.
        listed: the layers of the network for this example; None to list them here.

    Raises:
        TapError: there is no such layer, or a layer is named twice.
    """
    if names:
        check_names(network, names, "--feature-layers")
        return tuple(names)
    layers = (listed or ListedLayers(network, example)).all
    ends = [i for i, layer in enumerate(layers) if layer.name in taps]
    before = layers[: ends[0] + 1] if ends else layers
    lasts = last_of_each_resolution(before)
    chosen = [name for name in lasts if not _is_fine(before, name, example)] or list(lasts)
    middle = _middle_block(before, chosen)
    if middle is not None:
        chosen.insert(-1, middle)
    return tuple(name for name in chosen if name not in taps)


def last_of_each_resolution(layers: Sequence[LayerInfo]) -> tuple[str, ...]:
    """Choose of each resolution the last layer before the block that leaves it, until the resolution first grows again.

    A block that leaves a resolution may begin with layers of it, as the first convolution of a ResNet's stage does: these
    belong to the block, and the layer before it is taken. Passed over are layers of an earlier resolution inside the block
    that left it, and maps of one cell, as of squeeze-and-excitation and of global pooling.

    Args:
        layers: as ``list_layers`` gives them for two frames: inner layers before the ones that hold them.

    Returns:
        Names in the order of execution; each layer runs once and gives a tensor with the frames first.
    """
    calls = Counter(layer.name for layer in layers)
    chosen: list[str] = []
    passed: dict[Resolution, str] = {}
    begin, current = 0, None
    for i, layer in enumerate(layers):
        resolution = _resolution(layer)
        if resolution is None or resolution == current:
            continue
        if resolution in passed and layer.name.startswith(passed[resolution]):
            continue
        if current is not None:
            block, end = _leaving_block(layers, begin, i)
            chosen += _last(layers[begin:end], current, calls)
            if _cells(resolution) > _cells(current):
                return tuple(chosen)
            passed[current] = block
        begin, current = i, resolution
    if current is not None:
        chosen += _last(layers[begin:], current, calls)
    return tuple(chosen)


def _resolution(layer: LayerInfo) -> Resolution | None:
    """Rows and columns of a map, or number of tokens; None for what has one cell, or not the two frames first."""
    grid = layer.grid
    if grid is None or layer.output_shape is None or layer.output_shape[0] != 2:
        return None
    return grid if _cells(grid) > 1 else None


def _cells(resolution: Resolution) -> int:
    cells = 1
    for length in resolution:
        cells *= length
    return cells


def _leaving_block(layers: Sequence[LayerInfo], begin: int, leaving: int) -> tuple[str, int]:
    """Prefix and first layer of the largest block that holds the layer ``leaving`` and begins behind ``begin``."""
    parts = layers[leaving].name.split(".")
    for length in range(1, len(parts)):
        block = ".".join(parts[:length]) + "."
        first = next(i for i, layer in enumerate(layers) if layer.name.startswith(block))
        if first > begin:
            return block, first
    return layers[leaving].name, leaving


def _last(layers: Sequence[LayerInfo], resolution: Resolution, calls: Counter[str]) -> list[str]:
    """The last of some layers that has the resolution and runs once, in a list; empty where there is none."""
    fitting = [layer.name for layer in layers if _resolution(layer) == resolution and calls[layer.name] == 1]
    return fitting[-1:]


def _is_fine(layers: Sequence[LayerInfo], name: str, example: Tensor) -> bool:
    """Whether a layer has more than a sixteenth of the input's pixels, rounded up."""
    resolution = next(found for layer in layers if layer.name == name and (found := _resolution(layer)) is not None)
    return _cells(resolution) > -(-example.shape[2] // _COARSE) * -(-example.shape[3] // _COARSE)


def _middle_block(layers: Sequence[LayerInfo], chosen: Sequence[str]) -> str | None:
    """The last block that ends in the first half of the run of layers which the last chosen one closes; None where none does.

    Only the least nested of the layers that end there count: ``layer3.1`` and not ``layer3.2.conv1`` behind it; nor
    ``stages.0`` where ``reduce`` in front of the stages has the resolution already.
    """
    if not chosen:
        return None
    end = max(i for i, layer in enumerate(layers) if layer.name == chosen[-1])
    resolution = _resolution(layers[end])
    begin = next(i for i, layer in enumerate(layers) if _resolution(layer) == resolution)
    calls = Counter(layer.name for layer in layers)
    half = [
        layer.name
        for layer in layers[begin : (begin + end) // 2 + 1]
        if _resolution(layer) == resolution and calls[layer.name] == 1 and layer.name not in chosen
    ]
    depth = min((name.count(".") for name in half), default=0)
    outermost = [name for name in half if name.count(".") == depth]
    return outermost[-1] if outermost else None
