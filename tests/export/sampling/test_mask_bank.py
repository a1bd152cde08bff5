# SPDX-License-Identifier: Apache-2.0
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.errors import TapError
from export.layers.channel_dropout import ChannelDropoutRandomness
from export.layers.dropblock import DropBlockRandomness
from export.layers.dropout import DropoutRandomness
from export.sampling.mask_bank import check_no_drop_probability, draw_mask_bank, no_drop_probability
from export.sampling.site import Site
from tests.export.layers.test_dropblock import blocks_one_by_one


def drop_block(p: float, b: int, h: int = 8, w: int = 10) -> Site:
    return Site("drop_block", 0, DropBlockRandomness(p, b), (h, w), (1, 1, h, w))


def dropout(p: float, *shape: int) -> Site:
    return Site("dropout", 0, DropoutRandomness(p), shape, (1, *shape))


def channel_dropout(p: float, channels: int) -> Site:
    return Site("dropout2d", 0, ChannelDropoutRandomness(p), (channels,), (1, channels, 1, 1))


@given(seed=st.integers(0, 2**32), samples=st.integers(1, 40), p=st.sampled_from([0.5, 0.9]), b=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_mask_bank_of_any_constants_holds_distinct_masks_neither_full_nor_empty(
    seed: int, samples: int, p: float, b: int
) -> None:
    (keep,) = draw_mask_bank([drop_block(p, b)], samples, seed).keep
    assert keep.shape == (samples, 8, 10)
    assert len({mask.tobytes() for mask in keep}) == samples
    assert keep.any(axis=(1, 2)).all()
    assert not keep.all(axis=(1, 2)).any()


def test_mask_bank_of_a_seed_follows_from_it_alone() -> None:
    sites, samples, seed = [drop_block(0.5, 2), channel_dropout(0.4, 6)], 12, 7
    bank = draw_mask_bank(sites, samples, seed)
    generator, digest = np.random.Generator(np.random.PCG64(seed)), hashlib.sha256()
    kept: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
    while len(kept) < samples:
        blocks = blocks_one_by_one(generator.random((1, 8, 10), dtype=np.float32), 0.5, 2)[0]
        channels = generator.random(6, dtype=np.float32) >= np.float32(0.4)
        new = not any((blocks == a).all() and (channels == b).all() for a, b in kept)
        if new and blocks.any() and channels.any() and not (blocks.all() and channels.all()):
            kept.append((blocks, channels))
    for got, expected in zip(bank.keep, zip(*kept, strict=True), strict=True):
        np.testing.assert_array_equal(got, np.stack(expected))
        digest.update(f"{np.stack(expected).shape}|b1".encode() + np.stack(expected).tobytes())
    assert bank.sha256 == digest.hexdigest()


def test_mask_bank_of_another_seed_differs_and_of_more_samples_extends_it() -> None:
    site = drop_block(0.5, 2)
    bank, longer = draw_mask_bank([site], 8, seed=1), draw_mask_bank([site], 16, seed=1)
    assert bank.sha256 == draw_mask_bank([site], 8, seed=1).sha256
    assert bank.sha256 != draw_mask_bank([site], 8, seed=2).sha256
    np.testing.assert_array_equal(longer.keep[0][:8], bank.keep[0])


@pytest.mark.parametrize("site", [drop_block(0.5, 8, 16, 32), drop_block(0.2, 12, 16, 32), dropout(0.1, 12)])
def test_no_drop_probability_of_a_site_equals_the_share_in_draws(site: Site) -> None:
    draws, size = 4000, np.prod(site.noise_shape)
    cells = site.randomness.block_size**2 if isinstance(site.randomness, DropBlockRandomness) else 1
    seeds = np.random.default_rng(0).random((draws, int(size))) < site.randomness.drop_prob / cells
    share = no_drop_probability([site])
    assert share == pytest.approx((~seeds.any(axis=1)).mean(), abs=4 * (share * (1 - share) / draws) ** 0.5)


def test_mask_bank_of_mostly_full_masks_is_refused_unless_forced() -> None:
    site = drop_block(0.2, 12, 16, 32)
    with pytest.raises(TapError, match=r"at most 5% of masks to drop nothing, got 49\.1%.*force"):
        draw_mask_bank([site], 16, seed=0)
    with pytest.raises(TapError, match=r"49\.1%"):
        check_no_drop_probability([site])
    (keep,) = draw_mask_bank([site], 16, seed=0, force=True).keep
    assert not keep.all(axis=(1, 2)).any()


def test_no_drop_probability_with_a_second_site_that_drops_is_accepted() -> None:
    check_no_drop_probability([drop_block(0.2, 12, 16, 32), dropout(0.5, 100)])


@pytest.mark.parametrize(("site", "samples"), [(channel_dropout(0.5, 3), 7), (drop_block(0.9, 1, 1, 1), 1)])
def test_mask_bank_of_too_few_possible_masks_is_refused(site: Site, samples: int) -> None:
    with pytest.raises(TapError, match=f"expected {samples} distinct masks"):
        draw_mask_bank([site], samples, seed=0, force=True)


def test_mask_bank_too_large_to_ship_is_refused() -> None:
    with pytest.raises(TapError, match=r"at most 1 GiB, S = 128 masks need 1\.9 GiB"):
        draw_mask_bank([dropout(0.5, 64, 500, 500)], 128, seed=0)
