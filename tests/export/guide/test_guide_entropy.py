# SPDX-License-Identifier: Apache-2.0
"""The guide's ``get_dl_h_z`` against the formula of its papers, frame by frame."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.errors import UsageError
from export.guide.entropy import get_dl_h_z, joint_entropy
from tests.kozachenko_leonenko import entropy_by_tree


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(2, 20),
    st.integers(1, 12),
    st.integers(0, 2**32 - 1),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_get_dl_h_z_of_any_samples_equals_the_formula(
    frames: int, samples: int, channels: int, seed: int, dtype: torch.dtype
) -> None:
    rng = np.random.default_rng(seed)
    z = torch.from_numpy(rng.normal(scale=rng.uniform(0.01, 3, channels), size=(frames * samples, channels))).to(dtype)
    z[:, 0] = z[0, 0]  # a dead channel: every distance at the floor
    joint, by_dimension = get_dl_h_z(z, samples)
    assert joint.shape == (frames, 1)
    assert by_dimension.shape == (frames, channels)
    assert joint.dtype == by_dimension.dtype == np.float64
    k = 5 if samples > 5 else samples - 1
    for i in {0, frames // 2, frames - 1}:
        of_frame = z[i * samples : (i + 1) * samples].double().numpy()
        expected = entropy_by_tree(of_frame, k, 1e-5)
        np.testing.assert_allclose(joint[i, 0], expected, rtol=0, atol=1e-6)
        for c in range(channels):
            expected = entropy_by_tree(of_frame[:, c], k, 1e-5)
            np.testing.assert_allclose(by_dimension[i, c], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("samples", "neighbors"), [(8, 1), (8, 7), (16, 3)])
def test_joint_entropy_of_any_k_equals_the_formula(samples: int, neighbors: int) -> None:
    points = np.random.default_rng(samples).normal(size=(2, 3, samples, 4))
    got = joint_entropy(points, neighbors)
    assert got.shape == (2, 3)
    expected = entropy_by_tree(points[1, 2], neighbors, 1e-5)
    np.testing.assert_allclose(got[1, 2], expected, atol=1e-9)


def test_joint_entropy_of_one_dimension_equals_the_latent_entropy() -> None:
    joint, by_dimension = get_dl_h_z(torch.randn(40, 1, generator=torch.Generator().manual_seed(0)), 10)
    np.testing.assert_allclose(joint, by_dimension, atol=1e-12)


def test_get_dl_h_z_of_samples_in_another_order_is_the_same() -> None:
    z = torch.randn(3 * 8, 5, generator=torch.Generator().manual_seed(0)).reshape(3, 8, 5)
    shuffled = z[:, torch.randperm(8, generator=torch.Generator().manual_seed(1))]
    for before, after in zip(get_dl_h_z(z.flatten(0, 1), 8), get_dl_h_z(shuffled.flatten(0, 1), 8), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "samples"), [((10, 4), 3), ((0, 4), 2), ((4, 4), 1), ((4, 4), 8), ((2, 4, 4), 2), ((8,), 4)]
)
def test_get_dl_h_z_of_rows_that_make_no_whole_frames_is_refused(shape: tuple[int, ...], samples: int) -> None:
    with pytest.raises(UsageError, match=rf"S = {samples}"):
        get_dl_h_z(torch.zeros(shape), samples)
