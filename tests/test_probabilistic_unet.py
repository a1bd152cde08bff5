# SPDX-License-Identifier: Apache-2.0
"""The Probabilistic U-Net: its loss by definition, its interface by the guide's callers, its tap by S passes."""

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from export.guide import (
    Hook,
    ProbabilisticUnetModule,
    ProbabilisticUnetPriorMcdModule,
    get_dl_h_z,
    get_ls_mc_samples_priornet,
    get_ls_samples_priornet,
    probunet_apply_dropout,
    probunet_get_ls_mcd_samples,
)
from export.reference import sample_passes
from export.split import build_sampler

SMALL: dict[str, Any] = {"n_class": 3, "num_filters": (6, 8, 10), "latent_dim": 4}


def batch(frames: int, height: int = 24, width: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Noise, labelled by its red channel; a corner is void."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(frames, 3, height, width, generator=generator)
    labels = (images[:, 0] > 0).long() + (images[:, 0] > 1).long()
    labels[:, :3, :3] = 255
    return images, labels


def small(seed: int = 0, **options: Any) -> ProbabilisticUnetPriorMcdModule:
    torch.manual_seed(seed)
    return ProbabilisticUnetPriorMcdModule(**(SMALL | {"drop_prob": 0.5, "block_size": 2} | options))


@pytest.mark.parametrize("seed", range(3))
def test_loss_is_the_evidence_lower_bound(seed: int) -> None:
    module = small(seed)
    images, labels = batch(2, seed=seed)
    network = module.prob_unet_model.eval()
    network(images, labels, training=True)
    torch.manual_seed(seed)
    loss, cross_entropy, divergence = network.elbo(labels, beta=3.0, ignore_index=255)

    prior, posterior = network.prior_latent_space.base_dist, network.posterior_latent_space.base_dist  # type: ignore[union-attr]
    ratio, distance = posterior.stddev / prior.stddev, (posterior.mean - prior.mean) / prior.stddev
    by_formula = 0.5 * (ratio**2 + distance**2 - 1 - 2 * ratio.log()).sum(dim=1).mean()
    torch.testing.assert_close(divergence, by_formula)
    torch.manual_seed(seed)
    latent = posterior.mean + posterior.stddev * torch.randn_like(posterior.mean)
    log_p = network.combine(network.unet_features, latent).log_softmax(dim=1)
    expected = torch.tensor(0.0)
    for b in range(2):
        for row, column in (labels[b] != 255).nonzero().tolist():
            expected = expected - log_p[b, int(labels[b, row, column]), row, column] / 2
    torch.testing.assert_close(cross_entropy, expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(loss, cross_entropy + 3 * divergence)


def test_void_tells_the_posterior_nothing() -> None:
    planes = small().prob_unet_model._planes(torch.tensor([[[0, 2, 255]]]))
    assert planes.tolist() == [[[[1, 0, 0]], [[0, 0, 0]], [[0, 1, 0]]]]


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    module = small(optimizer_lr=1e-2, beta=1.0)
    images, labels = batch(4)
    loader = DataLoader(TensorDataset(images, labels), batch_size=4)
    trainer = pl.Trainer(
        max_epochs=60, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice about workers and logging
        for _ in range(2):
            trainer.validate(module, loader, verbose=False)
            losses.append(float(trainer.callback_metrics["validation_cross_entropy"]))
            trainer.fit(module, loader)
    assert losses[1] < 0.8 * losses[0]


@pytest.mark.parametrize("kind", [ProbabilisticUnetModule, ProbabilisticUnetPriorMcdModule])
def test_checkpoint_comes_back_whole(kind: type[ProbabilisticUnetModule], tmp_path: Path) -> None:
    own: dict[str, Any] = {"drop_prob": 0.3, "block_size": 3} if kind is ProbabilisticUnetPriorMcdModule else {}
    module = kind(**SMALL, **own).eval()
    torch.save(
        {
            "state_dict": module.state_dict(),
            "hyper_parameters": dict(module.hparams),
            "pytorch-lightning_version": version("pytorch-lightning"),
        },
        tmp_path / "probunet.ckpt",
    )
    again = kind.load_from_checkpoint(tmp_path / "probunet.ckpt").eval()
    images, _ = batch(2, 17, 23)
    with torch.no_grad():
        logits = module(images)
        assert logits.shape == (2, 3, 17, 23)
        torch.testing.assert_close(again(images), logits, rtol=0, atol=0)
    if own:
        drop_block: Any = again.prob_unet_model.prior.drop_block
        assert (drop_block.drop_prob, drop_block.block_size) == (0.3, 3)


def test_evaluation_is_the_mean_of_the_prior() -> None:
    module, (images, _) = small().eval(), batch(2)
    network = module.prob_unet_model
    with torch.no_grad():
        network(images, None, training=False)
        expected = network.combine(network.unet_features, network.prior_latent_space.mean)
        torch.testing.assert_close(module(images), expected)
        assert network.posterior_latent_space is None
    with pytest.raises(ValueError, match="expected a posterior"):
        network.elbo(batch(2)[1], 1.0, 255)
    with pytest.raises(ValueError, match="expected labels"):
        network(images, None, training=True)


def test_the_guides_sampling_reaches_the_prior() -> None:
    module = small().eval()
    images, labels = batch(3)
    loader = DataLoader(TensorDataset(images, labels), batch_size=2)
    z, mean, variance = get_ls_samples_priornet(module, loader, seed=1)
    assert z.shape == mean.shape == variance.shape == (3, 4)
    _, means, _, _ = get_ls_mc_samples_priornet(module, loader, 6, seed=1)
    assert torch.equal(means, means[::6].repeat_interleave(6, dim=0))  # dropout is off: only the draw differs
    module.prob_unet_model.apply(probunet_apply_dropout)
    z, means, variances, labels_again = get_ls_mc_samples_priornet(module, loader, 6, seed=1)
    assert z.shape == means.shape == variances.shape == (18, 4)
    assert torch.equal(labels_again, labels)
    assert not torch.equal(means[0], means[1])
    hook = Hook(module.prob_unet_model.prior.drop_block)
    samples = probunet_get_ls_mcd_samples(module, loader, 6, hook, seed=2)
    joint, entropies = get_dl_h_z(samples, 6)
    assert (samples.shape, joint.shape, entropies.shape) == ((18, 10), (3, 1), (3, 10))


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("tap", ["prob_unet_model.prior.drop_block", "prob_unet_model.prior.mean"])
def test_export_samples_the_prior(tap: str, frames: int) -> None:
    module = small().eval().requires_grad_(False)
    sampler = build_sampler(module, torch.zeros(1, 3, 24, 32), [tap], mc_samples=6)
    images, _ = batch(frames)
    logits, latent_samples = sampler.module(images)
    torch.testing.assert_close(latent_samples, sample_passes(module, images, sampler), rtol=0, atol=1e-5)
    torch.testing.assert_close(logits, module(images), rtol=0, atol=1e-5)
