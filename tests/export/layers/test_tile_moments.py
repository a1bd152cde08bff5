# SPDX-License-Identifier: Apache-2.0
"""Moments tile by tile against NumPy in float64, whatever the sizes of map and grid."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.bundle.tile_reference import all_means_first, reference_tiles
from export.layers.tile_moments import CHANNELS, chosen_channels, tile_moments
from lsood_runtime._tiles.grid import TileGrid

MAPS = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 20), st.integers(0, 20), st.integers(1, 70))


@settings(max_examples=40, deadline=None)
@given(MAPS, st.sampled_from([0.0, 1e3]), st.integers(0, 2**32 - 1))
def test_tile_moments_of_drawn_maps_are_means_and_deviations_of_their_tiles(
    sizes: tuple[int, int, int, int, int], offset: float, seed: int
) -> None:
    rows, columns, more_rows, more_columns, channels = sizes
    grid, height, width = TileGrid(rows, columns), rows + more_rows, columns + more_columns
    maps = (np.random.default_rng(seed).normal(size=(2, channels, height, width)) + offset).astype(np.float32)
    got = tile_moments(torch.from_numpy(maps), rows, columns).numpy().reshape(2, rows, columns, 2, -1)
    kept = maps[:, chosen_channels(channels)].astype(np.float64)
    down, across = grid.row_edges(height), grid.column_edges(width)
    for i in range(rows):
        for j in range(columns):
            tile = kept[:, :, down[i] : down[i + 1], across[j] : across[j + 1]]
            deviation = np.maximum(tile.std(axis=(2, 3)), 1e-5)
            np.testing.assert_allclose(got[:, i, j, 0], tile.mean(axis=(2, 3)), rtol=1e-6, atol=2e-6 * (1 + offset))
            known = deviation > 0.05
            np.testing.assert_allclose(np.exp(got[:, i, j, 1])[known], deviation[known], rtol=1e-3)


@settings(max_examples=30, deadline=None)
@given(MAPS, st.sampled_from([1.0, 10.0]), st.integers(0, 2**32 - 1))
def test_tile_moments_of_flat_tiles_far_from_the_mean_of_the_map_keep_their_digits(
    sizes: tuple[int, int, int, int, int], apart: float, seed: int
) -> None:
    rows, columns, more_rows, more_columns, channels = sizes
    grid, height, width, rng = (
        TileGrid(rows, columns),
        rows + more_rows,
        columns + more_columns,
        np.random.default_rng(seed),
    )
    levels = rng.uniform(-apart, apart, (channels, rows, columns))
    down, across = np.diff(grid.row_edges(height)), np.diff(grid.column_edges(width))
    maps = levels.repeat(down, axis=1).repeat(across, axis=2) + rng.normal(scale=0.01, size=(channels, height, width))
    layer = maps.astype(np.float32)
    expected = reference_tiles(layer, rows, columns)
    got = tile_moments(torch.from_numpy(layer[None]), rows, columns)[0].numpy()
    (means, logs), (got_means, got_logs) = (
        np.split(all_means_first(each.astype(np.float64), (rows, columns)), 2) for each in (expected, got)
    )
    np.testing.assert_allclose(got_means, means, atol=1e-5)
    known = logs > np.log(1e-3)
    np.testing.assert_allclose(got_logs[known], logs[known], atol=1e-4 * apart)


def test_tile_moments_of_the_reference_are_the_same_numbers() -> None:
    layer = np.random.default_rng(0).normal(size=(5, 12, 17)).astype(np.float32)
    expected = tile_moments(torch.from_numpy(layer[None]), 3, 4)[0].numpy()
    got = reference_tiles(layer, 3, 4)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    means, logs = np.split(all_means_first(got, (3, 4)), 2)
    np.testing.assert_array_equal(means.reshape(12, 5), got.reshape(12, 2, 5)[:, 0])
    np.testing.assert_array_equal(logs.reshape(12, 5), got.reshape(12, 2, 5)[:, 1])


@given(st.integers(1, 5000))
def test_chosen_channels_are_evenly_spaced_and_few(count: int) -> None:
    chosen = chosen_channels(count)
    assert len(chosen) == len(set(chosen)) == min(count, CHANNELS)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert max(np.diff(chosen), default=1) - min(np.diff(chosen), default=1) <= 1
