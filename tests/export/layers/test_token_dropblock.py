# SPDX-License-Identifier: Apache-2.0
"""DropBlock on tokens and on maps with their channels last, against DropBlock on the map that the cells make."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from export.layers.dropblock import DropBlockRandomness
from export.layers.dropout import DropoutRandomness
from export.layers.feature_layout import FeatureLayout, is_grid, map_layout
from export.layers.token_dropblock import TokenDropBlockRandomness, drop_block_on

SIDES = st.integers(1, 9)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.integers(0, 5), st.integers(1, 6), st.integers(1, 4), st.booleans(), st.integers(0, 2**32 - 1))
def test_token_dropblock_of_any_grid_is_dropblock_of_the_map(
    rows: int, columns: int, others: int, channels: int, block: int, of_each_frame: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    frames, samples = 2, 3
    tokens = torch.randn(frames, others + rows * columns, channels)
    plain = DropBlockRandomness(0.5, block)
    got = drop_block_on(plain, FeatureLayout(2, (rows, columns), others))
    shapes = got.shapes((1, *tokens.shape[1:]), 0)
    assert shapes is not None
    assert shapes.noise == (rows, columns)
    uniform = torch.rand(frames if of_each_frame else 1, samples, *shapes.noise)
    uniform = uniform.expand(frames, *uniform.shape[1:])
    keep = plain.keep(uniform)
    torch.testing.assert_close(got.keep(uniform), keep)

    grid = tokens[:, others:].reshape(frames, rows, columns, channels).permute(0, 3, 1, 2)
    kept = keep.sum((-1, -2), keepdim=True).clamp(min=1)
    dropped = grid[:, None] * (keep * rows * columns / kept)[:, :, None]  # (frames, samples, channels, rows, columns)
    expected = torch.cat([tokens[:, None, :others].expand(-1, samples, -1, -1), dropped.flatten(-2).mT], dim=2)
    weights = got.weights(keep if of_each_frame else keep[0])
    means = got.masked_mean(tokens, weights, samples, shapes.mask, 2)
    torch.testing.assert_close(means, expected.mean(dim=2))
    for frame in range(frames):
        for sample in range(samples):
            one = got.drop(tokens[frame : frame + 1], got.shaped(keep[frame, sample], shapes.mask))
            torch.testing.assert_close(one[0], expected[frame, sample])
    multiplied = tokens[:, None] * weights.reshape(-1, samples, *shapes.mask[1:])
    torch.testing.assert_close(multiplied, expected)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_token_dropblock_of_a_map_with_channels_last_is_dropblock_of_the_map(
    rows: int, columns: int, channels: int, block: int, seed: int
) -> None:
    torch.manual_seed(seed)
    features, samples = torch.randn(2, rows, columns, channels), 3
    plain = DropBlockRandomness(0.5, block)
    got = drop_block_on(plain, FeatureLayout(3, (rows, columns)))
    shapes = got.shapes((1, rows, columns, channels), 0)
    assert shapes is not None
    keep = plain.keep(torch.rand(samples, rows, columns))
    first = features.permute(0, 3, 1, 2)
    expected = plain.masked_mean(first, plain.weights(keep), samples, (1, 1, rows, columns), 1)
    torch.testing.assert_close(got.masked_mean(features, got.weights(keep), samples, shapes.mask, 3), expected)
    for sample in range(samples):
        one = got.drop(features[:1], got.shaped(keep[sample], shapes.mask))
        torch.testing.assert_close(one.mean(dim=(1, 2))[0], expected[0, sample])
        torch.testing.assert_close(
            one.permute(0, 3, 1, 2), plain.drop(first[:1], keep[sample].reshape(1, 1, rows, columns))
        )


def test_drop_block_on_a_vector_is_dropout_of_the_same_probability() -> None:
    assert drop_block_on(DropBlockRandomness(0.3, 4), FeatureLayout(1)) == DropoutRandomness(0.3)
    assert drop_block_on(DropBlockRandomness(0.3, 4), FeatureLayout(1, (4, 5))) == DropBlockRandomness(0.3, 4)


def test_token_dropblock_of_another_number_of_tokens_has_no_masks() -> None:
    randomness = TokenDropBlockRandomness(0.5, 2, 4, 5, 1)
    assert randomness.shapes((1, 21, 8), 0) is not None
    assert randomness.shapes((1, 20, 8), 0) is None
    assert randomness.shapes((2, 21, 8), 0) is None
    assert randomness.shapes((21, 1, 8), 1) is None
    assert randomness.shapes((1, 4, 5, 8), 0) is None, "a map has no other tokens"


@settings(max_examples=200, deadline=None)
@given(st.integers(16, 2048), st.integers(16, 2048), st.sampled_from([2, 4, 8, 14, 16, 32]), st.booleans())
def test_is_grid_of_any_image_and_stride_is_true(height: int, width: int, stride: int, up: bool) -> None:
    grid = (-(-height // stride), -(-width // stride)) if up else (height // stride, width // stride)
    assume(min(grid) > 0)
    assert is_grid(grid, (height, width))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([(224, 224), (224, 320), (360, 480), (512, 1024), (227, 320), (384, 640)]),
    st.sampled_from([4, 8, 14, 16, 32]),
    st.sampled_from([24, 32, 64, 96, 128, 192, 256, 320, 384, 512, 768, 1024]),
)
def test_map_layout_of_networks_by_their_layers_finds_the_channels(
    image: tuple[int, int], stride: int, channels: int
) -> None:
    """Of layers whose classes tell it, where the shape alone leaves both readings open."""
    rows, columns = -(-image[0] // stride), -(-image[1] // stride)
    convolution = nn.Sequential(nn.Conv2d(3, channels, 1), nn.ReLU())
    assert map_layout((2, channels, rows, columns), image, convolution) == FeatureLayout(1, (rows, columns))
    linear = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, channels))
    assert map_layout((2, rows, columns, channels), image, linear) == FeatureLayout(3, (rows, columns))


def test_map_layout_of_pooled_maps_and_attention_is_the_usual_one() -> None:
    for shape in [(2, 512, 6, 6), (2, 512, 1, 1), (2, 8, 280, 280), (2, 3, 15, 15)]:
        assert map_layout(shape, (224, 320), nn.Identity()).channel_dim == 1
