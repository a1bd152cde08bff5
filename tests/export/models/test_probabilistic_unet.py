# SPDX-License-Identifier: Apache-2.0
"""The Probabilistic U-Net: its loss by definition, its interface by the guide's callers, its tap by S passes."""

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from scipy.special import ndtri
from scipy.stats import kstest
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from export.calibration.options import CalibrationOptions
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
from export.layers.gaussian_dropout import GaussianDropout, normal_quantile
from export.pipeline.export_monitor import ExportOptions, export_monitor
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from lsood_runtime import OoDMonitor
from tests.conftest import save_checkpoint, write_scenes

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
def test_elbo_of_a_batch_equals_the_formula(seed: int) -> None:
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
    log_p = network.combine(network.unet_features, latent).log_softmax(dim=1).tolist()
    expected = 0.0
    for b in range(2):
        for row, column in (labels[b] != 255).nonzero().tolist():
            expected -= log_p[b][int(labels[b, row, column])][row][column] / 2
    torch.testing.assert_close(cross_entropy, torch.tensor(expected), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(loss, cross_entropy + 3 * divergence)


def test_posterior_planes_of_void_pixels_are_zero() -> None:
    planes = small().prob_unet_model._planes(torch.tensor([[[0, 2, 255]]]))
    assert planes.tolist() == [[[[1, 0, 0]], [[0, 0, 0]], [[0, 1, 0]]]]


def test_probabilistic_unet_after_training_has_a_lower_loss(tmp_path: Path) -> None:
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
def test_probabilistic_unet_from_its_checkpoint_gives_the_same_logits(
    kind: type[ProbabilisticUnetModule], tmp_path: Path
) -> None:
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


def test_probabilistic_unet_in_evaluation_uses_the_mean_of_the_prior() -> None:
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


def test_guides_sampling_of_the_prior_gives_its_draws() -> None:
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
@pytest.mark.parametrize("tap", ["drop_block", "mean", "latent"])
def test_sampler_of_a_prior_tap_equals_separate_passes(tap: str, frames: int) -> None:
    module = small().eval().requires_grad_(False)
    sampler = build_sampler(module, torch.zeros(1, 3, 24, 32), [f"prob_unet_model.prior.{tap}"], mc_samples=6)
    assert len(sampler.sites) == (2 if tap == "latent" else 1)
    images, _ = batch(frames)
    logits, latent_samples = sampler.module(images)
    torch.testing.assert_close(latent_samples, sample_passes(module, images, sampler), rtol=0, atol=1e-5)
    torch.testing.assert_close(logits, module(images), rtol=0, atol=1e-5)


def test_sampler_of_the_latent_draws_from_the_prior() -> None:
    """Without DropBlock, by the quantile function of scipy; frames of a batch have noise of their own."""
    torch.manual_seed(0)
    module = ProbabilisticUnetModule(**SMALL).eval().requires_grad_(False)
    tap = "prob_unet_model.prior.latent"
    sampler = build_sampler(module, torch.zeros(1, 3, 24, 32), [tap], mc_samples=6, mode="input")
    assert [site.noise_shape for site in sampler.sites] == [(4,)]
    images, _ = batch(2)
    uniform = torch.rand(2, 6, 4)
    mean, log_std = module.prob_unet_model.prior(images)
    expected = mean[:, None] + log_std.exp()[:, None] * torch.from_numpy(ndtri(uniform.double().numpy())).float()
    torch.testing.assert_close(sampler.module(images, uniform)[1], expected, rtol=1e-4, atol=1e-5)

    fixed = build_sampler(module, torch.zeros(1, 3, 24, 32), [tap], mc_samples=2000)
    drawn = (fixed.module(images)[1] - mean[:, None]) / log_std.exp()[:, None]
    assert kstest(drawn[0].flatten().numpy(), "norm").pvalue > 1e-3
    again = build_sampler(module, torch.zeros(1, 3, 24, 32), [tap], mc_samples=2000)
    assert fixed.sha256 == again.sha256


def test_normal_quantile_of_any_probability_equals_scipy() -> None:
    uniform = np.append(np.random.default_rng(0).random(10_000, np.float32), np.array([2**-24, 1 - 2**-24], np.float32))
    got = normal_quantile(torch.from_numpy(uniform)).numpy()
    np.testing.assert_allclose(got, ndtri(uniform.astype(np.float64)), rtol=1e-4, atol=1e-6)
    assert np.isfinite(normal_quantile(torch.zeros(1)).numpy()).all()


def test_gaussian_dropout_of_ones_keeps_mean_and_variance_of_dropout() -> None:
    torch.manual_seed(0)
    ones = torch.ones(200_000)
    for p in (0.2, 0.5):
        gaussian, dropped = GaussianDropout(p).train()(ones), torch.nn.Dropout(p).train()(ones)
        assert float(gaussian.mean()) == pytest.approx(1, abs=0.01)
        assert float(gaussian.var()) == pytest.approx(float(dropped.var()), rel=0.05)
    assert torch.equal(GaussianDropout(0.5).eval()(ones), ones)
    with pytest.raises(ValueError, match="got 1"):
        GaussianDropout(1)


def test_export_with_a_latent_tap_scores_repeatably(tmp_path: Path) -> None:
    checkpoint = save_checkpoint(small(num_filters=(4, 6), input_size=(32, 64)), tmp_path / "probunet.ckpt")
    options = ExportOptions(
        ckpt=checkpoint,
        frames=(write_scenes(tmp_path / "frames", 40, seed=1, size=(32, 64)),),
        out=tmp_path / "monitor",
        model="export.models:ProbabilisticUnetPriorMcdModule",
        tap=("prob_unet_model.prior.latent",),
        calibration=CalibrationOptions(rates={"20%": 0.2}),
        mc_samples=8,
    )
    manifest = export_monitor(options).manifest
    assert [site["kind"] for site in manifest.config["sites"]] == ["dropblock", "gaussian-dropout"]
    assert manifest.masks.sha256 is not None
    with OoDMonitor(options.out) as monitor:
        frame = np.zeros((32, 64, 3), np.uint8)
        assert monitor.score(frame) == monitor.score(frame)
