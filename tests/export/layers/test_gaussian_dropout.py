# SPDX-License-Identifier: Apache-2.0
"""Gaussian dropout and the draw of a latent."""

import pytest
import torch
from scipy.special import ndtri

from export.layers.gaussian_dropout import GaussianDropout, GaussianDropoutRandomness, LatentSample, normal_quantile


def test_normal_quantile_of_uniform_numbers_equals_scipys() -> None:
    uniform = torch.linspace(1e-6, 1 - 1e-6, 2001, dtype=torch.float64)
    torch.testing.assert_close(normal_quantile(uniform), torch.from_numpy(ndtri(uniform.numpy())), rtol=0, atol=1e-5)


def test_gaussian_dropout_in_training_has_the_mean_and_variance_of_dropout() -> None:
    torch.manual_seed(0)
    layer, x = GaussianDropout(0.2), torch.full((200_000,), 3.0)
    assert layer.eval()(x) is x
    drawn = layer.train()(x)
    assert drawn.mean().item() == pytest.approx(3, abs=0.02)
    assert drawn.var().item() == pytest.approx(9 * 0.2 / 0.8, rel=0.02)


def test_latent_sample_in_training_is_drawn_from_its_gaussian() -> None:
    torch.manual_seed(0)
    latent, mean, log_std = LatentSample(), torch.full((100_000, 1), -2.0), torch.full((100_000, 1), 0.5)
    torch.testing.assert_close(latent.eval()(mean, log_std), mean)
    drawn = latent.train()(mean, log_std)
    assert drawn.mean().item() == pytest.approx(-2, abs=0.03)
    assert drawn.std().item() == pytest.approx(torch.tensor(0.5).exp().item(), rel=0.02)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1])
def test_gaussian_dropout_with_p_outside_0_and_1_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match=rf"expected p in \(0, 1\), got {p}"):
        GaussianDropout(p)


def test_gaussian_dropout_masks_never_leave_all_features_unchanged() -> None:
    assert GaussianDropoutRandomness(0.5).no_drop_probability(1) == 0
