# SPDX-License-Identifier: Apache-2.0
"""Moments of a layer's output tile by tile: mean and log standard deviation of some channels in each tile of its map."""

from itertools import pairwise

import torch
from torch import Tensor

from export.layers.channel_moments import MIN_DEVIATION

CHANNELS = 32
"""Channels of a layer that are read, at most; of more evenly spaced ones."""


def tile_edges(cells: int, tiles: int) -> list[int]:
    """The first cell of each tile along one side of a map, and at last the number of cells; sizes differ by one at most."""
    return [place * cells // tiles for place in range(tiles + 1)]


def chosen_channels(count: int) -> list[int]:
    """The channels of so many that are read, ascending."""
    if count <= CHANNELS:
        return list(range(count))
    return [round(place * (count - 1) / (CHANNELS - 1)) for place in range(CHANNELS)]


def tile_moments(features: Tensor, rows: int, columns: int) -> Tensor:
    """Mean of each channel in each tile of its map, then the logarithms of the standard deviations.

    The mean of each tile is taken off before anything is squared: neither an offset of the map nor one of the tile costs
    digits.

    Args:
        features: ``(N, C, H, W)`` float32, H and W fixed and at least ``rows`` and ``columns``.
        rows: R, of tiles.
        columns: Q, of tiles.

    Returns:
        ``(N, R * Q * 2 K)`` of K = min(C, 32) channels: tile by tile along the rows, from the upper left one; of each tile
        the K means, then the K logarithms.
    """
    count = int(features.shape[1])
    if count > CHANNELS:
        features = features.index_select(1, torch.tensor(chosen_channels(count), device=features.device))
    mean = _of_tiles(features, rows, columns)
    difference = features - _to_cells(mean, int(features.shape[2]), int(features.shape[3]))
    rest = _of_tiles(difference, rows, columns)  # of the rounding of the mean
    variance = _of_tiles(difference * difference, rows, columns) - rest * rest
    log_deviation = variance.clamp(min=MIN_DEVIATION**2).log() / 2
    return torch.cat([mean + rest, log_deviation], dim=1).permute(0, 2, 3, 1).flatten(1)


def _of_tiles(values: Tensor, rows: int, columns: int) -> Tensor:
    """Mean ``(N, C, R, Q)`` of ``(N, C, H, W)`` in each tile."""
    for dim, tiles in ((2, rows), (3, columns)):
        edges = tile_edges(int(values.shape[dim]), tiles)
        bands = pairwise(edges)
        values = torch.cat(
            [values.narrow(dim, start, stop - start).mean(dim=dim, keepdim=True) for start, stop in bands], dim=dim
        )
    return values


def _to_cells(tiles: Tensor, height: int, width: int) -> Tensor:
    """Value ``(N, C, H, W)`` of the tile ``(N, C, R, Q)`` that each cell lies in."""
    for dim, cells in ((2, height), (3, width)):
        edges = tile_edges(cells, int(tiles.shape[dim]))
        place = [tile for tile, (start, stop) in enumerate(pairwise(edges)) for _ in range(start, stop)]
        tiles = tiles.index_select(dim, torch.tensor(place, device=tiles.device))
    return tiles
