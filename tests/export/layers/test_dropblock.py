# SPDX-License-Identifier: Apache-2.0
import dropblock
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.layers.dropblock import DropBlock2D, block_masks

SIZES = {"h": st.integers(1, 9), "w": st.integers(1, 9), "b": st.integers(1, 9), "seed": st.integers(0, 2**31)}


def blocks_one_by_one(uniform: NDArray[np.floating], p: float, b: int) -> NDArray[np.bool_]:
    """Every seed drops rows and columns ``s - (b - 1) // 2 .. s + b // 2``."""
    keep = np.ones(uniform.shape, bool)
    for n, i, j in np.argwhere(uniform < p / b**2):
        top, left = max(0, i - (b - 1) // 2), max(0, j - (b - 1) // 2)
        keep[n, top : i + b // 2 + 1, left : j + b // 2 + 1] = False
    return keep


@given(**SIZES, p=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_block_masks_of_any_seeds_equal_blocks_drawn_one_by_one(h: int, w: int, b: int, seed: int, p: float) -> None:
    uniform = np.random.default_rng(seed).random((3, h, w))
    got = block_masks(torch.from_numpy(uniform), p, b)
    np.testing.assert_array_equal(got.numpy(), blocks_one_by_one(uniform, p, b))


@given(**SIZES, p=st.sampled_from([0.2, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_drop_block_of_one_frame_equals_the_dropblock_package(h: int, w: int, b: int, seed: int, p: float) -> None:
    x = torch.from_numpy(np.random.default_rng(seed).standard_normal((1, 4, h, w))).float()
    torch.manual_seed(seed)
    expected = dropblock.DropBlock2D(block_size=b, drop_prob=p).train()(x)
    torch.manual_seed(seed)
    got = DropBlock2D(p, b).train()(x)
    # Where nothing is kept the package divides by zero; ours gives zeros.
    torch.testing.assert_close(got, expected.nan_to_num(0.0))


def test_drop_block_of_a_batch_scales_each_frame_by_its_own_mask() -> None:
    torch.manual_seed(0)
    dropped = DropBlock2D(0.5, 3).train()(torch.ones(8, 2, 12, 16))
    torch.testing.assert_close(dropped.mean(dim=(1, 2, 3)), torch.ones(8))


def test_drop_block_in_evaluation_changes_nothing() -> None:
    x = torch.randn(2, 3, 4, 5)
    assert DropBlock2D(0.9, 2).eval()(x) is x


@pytest.mark.parametrize(("p", "b", "named"), [(-0.1, 3, "-0.1"), (1.1, 3, "1.1"), (0.5, 0, "got 0")])
def test_drop_block_with_impossible_constants_is_refused(p: float, b: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        DropBlock2D(p, b)
