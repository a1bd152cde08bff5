# SPDX-License-Identifier: Apache-2.0
"""Choose a layer to sample where the user names none: the end of what works at the network's lowest resolution."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from export.layers.dropblock import DropBlockRandomness
from export.layers.feature_layout import is_grid
from export.sampling.taps import LayerInfo

DROP_PROB = 0.5

_LARGEST_BLOCK = 8
_NO_DROP_PROBABILITY = 0.02
"""Share of masks that may drop nothing: that of the guide's constants, p = 0.5 and b = 8 on 16 x 32 cells, is 1.8 %."""

_FEWEST_CELLS = 32
_SHARE_OF_WEIGHTS = 0.05
_MOST_CHANNELS = 2048
_MOST_OTHERS = 16


def tap_candidates(layers: Sequence[LayerInfo], image: tuple[int, int], among: Collection[str] = ()) -> list[LayerInfo]:
    """Sort the layers that may be sampled, the best first.

    The resolution is the lowest at which a twentieth of the network's weights or more works, on 32 cells or more: encoders
    end there, pooled branches and the heads of pyramids do not count. Where all of its layers run several times in a pass,
    it is the lowest other one on 32 cells or more. Of its layers, those inside another one of the same
    resolution are passed over, and those that hold the network from its first layer to its last. The last
    one comes first that has two thirds of the most channels, up to 2048: behind an encoder heads have fewer. Parts of a block
    that begins and ends at a higher resolution, as the reduced keys of an attention, come behind all others.

    Args:
        layers: as ``list_layers`` gives them for two frames.
        image: rows and columns of the network's input.
        among: names of the only layers that may be chosen, at whatever resolution; none for every layer.
    """
    cells = _cells_of_maps(layers, image)
    calls = Counter(layer.name for layer in layers)
    if among:
        cells = {i: count for i, count in cells.items() if layers[i].name in among and calls[layers[i].name] == 1}
    chosen = min(cells.values(), default=0) if among else _lowest_resolution(layers, cells)
    first, last = _first_and_last(layers)
    wrappers = {layer.name for layer in layers if _is_inside(first, {layer.name}) and _is_inside(last, {layer.name})}
    once = [i for i in cells if calls[layers[i].name] == 1 and layers[i].name not in wrappers]
    chosen = min({cells[i] for i in once}, key=lambda count: (count != chosen, count < _FEWEST_CELLS, count), default=0)
    fitting = [i for i in once if cells[i] == chosen]
    names = {layers[i].name for i in fitting}
    outer = [layers[i] for i in reversed(fitting) if not _is_inside(layers[i].name, names)]
    higher = {layers[i].name for i in cells if cells[i] > chosen and not _is_inside(first, {layers[i].name})}

    def rank(layer: LayerInfo) -> tuple[bool, int]:
        channels = layer.channels or 0
        return not _is_inside(layer.name, higher), channels if channels <= _MOST_CHANNELS else -channels

    most = max(map(rank, outer), default=(True, 0))
    wide = [layer for layer in outer if rank(layer)[0] == most[0] and 3 * rank(layer)[1] >= 2 * most[1] > 0]
    others = [layer for layer in outer if layer not in wide]
    return [*wide, *sorted(others, key=rank, reverse=True)]


def default_block_size(cells: Sequence[int]) -> int:
    """The largest b up to 8 and to half of a map's smaller side of whose masks at most 2 % drop nothing; at least 1.

    Args:
        cells: rows and columns, or the number of tokens.
    """
    side, count = int(min(cells) if len(cells) > 1 else math.sqrt(cells[0])), math.prod(cells)
    for block in range(min(_LARGEST_BLOCK, side // 2), 1, -1):
        if DropBlockRandomness(DROP_PROB, block).no_drop_probability(count) <= _NO_DROP_PROBABILITY:
            return block
    return 1


def _cells_of_maps(layers: Sequence[LayerInfo], image: tuple[int, int]) -> dict[int, int]:
    """Cells of every layer that gives a map of the image or tokens of both frames, by its place.

    Tokens behind up to 16 others count as the map that they were made of.
    """
    found: dict[int, int] = {}
    for i, layer in enumerate(layers):
        grid, shape = layer.grid, layer.output_shape
        if grid is None or shape is None or shape[0] != 2:
            continue
        if len(grid) == 2 and is_grid((grid[0], grid[1]), image):
            found[i] = math.prod(grid)
        elif len(grid) == 1:
            maps = [cells for cells in found.values() if 0 <= grid[0] - cells <= _MOST_OTHERS]
            found[i] = max(maps, default=grid[0])
    return found


def _lowest_resolution(layers: Sequence[LayerInfo], cells: dict[int, int]) -> int:
    """Cells of the lowest resolution that holds enough weights; 0 where no layer gives a map."""
    weights: dict[int, int] = defaultdict(int)
    before = 0
    for i, layer in enumerate(layers):
        if i in cells:
            weights[cells[i]] += layer.parameters_so_far - before
        before = layer.parameters_so_far
    heavy = [count for count in weights if weights[count] >= _SHARE_OF_WEIGHTS * before]
    large = [count for count in heavy if count >= _FEWEST_CELLS]
    return min(large) if large else max(heavy, default=0)


def _first_and_last(layers: Sequence[LayerInfo]) -> tuple[str, str]:
    """Names of the first and the last layer that hold no other ones; empty where there are none."""
    names = [layer.name for layer in layers]
    holders = {name.rpartition(".")[0] for name in names}
    return names[0] if names else "", next((name for name in reversed(names) if name not in holders), "")


def _is_inside(name: str, names: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:length]) in names for length in range(1, len(parts)))
