# SPDX-License-Identifier: Apache-2.0
"""The guide's sampling functions: which layers they switch on, the order of rows, seeds, and what they refuse."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from dropblock import DropBlock2D as PackageDropBlock2D
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.utils.data import DataLoader, TensorDataset

from export.errors import TapError, UsageError
from export.guide.hook import Hook
from export.guide.mc_samples import (
    deeplabv3p_apply_dropout,
    deeplabv3p_get_ls_mcd_samples,
    probunet_apply_dropout,
    probunet_get_ls_mcd_samples,
)
from export.guide.prior_samples import get_ls_mc_samples_priornet, get_ls_samples_priornet
from export.layers.dropblock import DropBlock2D
from tests.conftest import small_network

FRAMES, CHANNELS = 7, 4


def loader(batch_size: int, shape: tuple[int, ...] = (3, 16, 16), frames: int = FRAMES) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(frames, *shape, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(frames)), batch_size=batch_size)


class CountedPasses(nn.Module):
    """Its drop layer gives maps whose mean is (frame's own value, pass number): the rows name themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.drop = nn.Dropout(0.5)
        self.tapped = nn.Identity()
        self.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.stack([x[:, 0], torch.full_like(x[:, 0], self.passes)], dim=1) * self.scale
        self.passes += 1
        tapped: Tensor = self.tapped(maps)
        return tapped


class SmallProbabilisticUnet(nn.Module):
    """The interface that the guide's functions rely on, and nothing else."""

    def __init__(self, latent: int = CHANNELS) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, latent, 3, padding=1)
        self.drop_block = DropBlock2D(0.8, 3)
        self.prior_latent_space: Any
        self.z_prior_sample: Tensor

    def forward(self, img: Tensor, label: Tensor, training: bool = True) -> None:
        assert len(label) == len(img)
        assert not training
        mean = self.drop_block(self.net(img)).mean(dim=(2, 3))
        self.prior_latent_space = Independent(Normal(mean, mean.abs() + 0.1), 1)

    def sample(self, testing: bool = False) -> None:
        assert testing
        self.z_prior_sample = self.prior_latent_space.sample()


@pytest.fixture
def prob_module() -> SimpleNamespace:
    torch.manual_seed(0)
    return SimpleNamespace(prob_unet_model=SmallProbabilisticUnet().eval())


@pytest.fixture
def deeplab() -> Iterator[tuple[Any, Hook]]:
    module = small_network()
    module.deeplab_v3plus_model.eval()
    module.deeplab_v3plus_model.apply(deeplabv3p_apply_dropout)
    hook = Hook(module.deeplab_v3plus_model.drop_block1)
    yield module, hook
    hook.close()


@pytest.mark.parametrize("apply_dropout", [deeplabv3p_apply_dropout, probunet_apply_dropout])
def test_apply_dropout_of_a_network_switches_on_stochastic_layers_alone(apply_dropout: Any) -> None:
    drawing = [DropBlock2D(0.5, 2), PackageDropBlock2D(block_size=2, drop_prob=0.5), nn.Dropout(0.1), nn.Dropout2d(0.1)]
    still = [nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Sequential(nn.BatchNorm2d(3))]
    network = nn.Sequential(*drawing, *still).eval()
    network.apply(apply_dropout)
    assert all(layer.training for layer in drawing)
    assert not any(module.training for layer in still for module in layer.modules())
    assert not network.training


@pytest.mark.parametrize("batch_size", [1, 3, 7])
@pytest.mark.parametrize("samples", [1, 5])
def test_mcd_samples_at_any_batch_size_come_frame_by_frame(batch_size: int, samples: int) -> None:
    network = CountedPasses().eval()
    network.drop.train()
    batches = loader(batch_size)
    rows = deeplabv3p_get_ls_mcd_samples(
        SimpleNamespace(deeplab_v3plus_model=network), batches, samples, Hook(network.tapped)
    ).reshape(FRAMES, samples, 2)
    values = torch.cat([images[:, 0].mean(dim=(1, 2)) for images, _ in batches])
    torch.testing.assert_close(rows[:, :, 0], values[:, None].expand(-1, samples))
    batch_of_frame = torch.arange(FRAMES) // batch_size
    torch.testing.assert_close(rows[:, :, 1], (batch_of_frame[:, None] * samples + torch.arange(samples)).float())


@pytest.mark.parametrize("batch_size", [1, 2])
def test_mcd_samples_of_a_seed_are_spatial_means_under_its_masks(deeplab: tuple[Any, Hook], batch_size: int) -> None:
    module, hook = deeplab
    network = module.deeplab_v3plus_model
    batches = loader(batch_size, (3, 32, 64), frames=4)
    got = deeplabv3p_get_ls_mcd_samples(module, batches, 3, hook, seed=5)
    torch.manual_seed(5)
    expected = []
    with torch.no_grad():
        for images, _ in DataLoader(batches.dataset, batch_size=batch_size):
            of_batch = []
            for _ in range(3):
                network(images)
                of_batch.append(hook.output.sum(dim=(-1, -2)) / (hook.output.shape[-1] * hook.output.shape[-2]))
            expected += [of_batch[s][b] for b in range(len(images)) for s in range(3)]
    torch.testing.assert_close(got, torch.stack(expected))
    assert got.reshape(4, 3, -1).std(dim=1).max() > 0


def test_mcd_samples_of_a_seed_repeat_and_leave_the_global_generator_alone(deeplab: tuple[Any, Hook]) -> None:
    module, hook = deeplab
    batches = loader(2, (3, 32, 64), frames=4)
    before = torch.get_rng_state()
    first, again, other = (deeplabv3p_get_ls_mcd_samples(module, batches, 2, hook, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    deeplabv3p_get_ls_mcd_samples(module, batches, 2, hook)
    assert not torch.equal(torch.get_rng_state(), before)


def test_mcd_samples_of_a_network_leave_it_unchanged(
    deeplab: tuple[Any, Hook], capsys: pytest.CaptureFixture[str]
) -> None:
    module, hook = deeplab
    states = [layer.training for layer in module.modules()]
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    samples = deeplabv3p_get_ls_mcd_samples(module, loader(2, (3, 32, 64), frames=4), 2, hook)
    assert [layer.training for layer in module.modules()] == states
    assert all(torch.equal(value, weights[name]) for name, value in module.state_dict().items())
    assert not samples.requires_grad
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Monte-Carlo samples: 100%" in printed.err


def test_mcd_samples_of_a_probabilistic_unet_come_from_its_hook(prob_module: SimpleNamespace) -> None:
    network = prob_module.prob_unet_model
    network.apply(probunet_apply_dropout)
    hook = Hook(network.drop_block)
    got = probunet_get_ls_mcd_samples(prob_module, loader(3), 4, hook, seed=1)
    torch.manual_seed(1)
    expected = []
    with torch.no_grad():
        for images, _ in loader(3):
            passes = [network.drop_block(network.net(images)).mean(dim=(2, 3)) for _ in range(4)]
            expected += [passes[s][b] for b in range(len(images)) for s in range(4)]
    torch.testing.assert_close(got, torch.stack(expected))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_prior_samples_without_passes_are_drawn_once_a_frame(prob_module: SimpleNamespace, batch_size: int) -> None:
    batches = loader(batch_size)
    z, mean, variance = get_ls_samples_priornet(prob_module, batches, seed=3)
    images = torch.cat([images for images, _ in batches])
    with torch.no_grad():
        expected = prob_module.prob_unet_model.net(images).mean(dim=(2, 3))
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(variance, (expected.abs() + 0.1) ** 2)
    assert z.shape == (FRAMES, CHANNELS)
    assert ((z - mean).abs() < 6 * variance.sqrt()).all()
    assert torch.equal(z, get_ls_samples_priornet(prob_module, batches, seed=3)[0])
    assert not torch.equal(z, get_ls_samples_priornet(prob_module, batches, seed=4)[0])


@pytest.mark.parametrize("batch_size", [1, 3])
def test_prior_samples_of_several_passes_stand_frame_by_frame(prob_module: SimpleNamespace, batch_size: int) -> None:
    """Without dropout the mean depends on the frame alone, so a frame's rows are equal and in the loader's order."""
    z, means, variances, labels = get_ls_mc_samples_priornet(prob_module, loader(batch_size), 400, seed=3)
    _, mean, variance = get_ls_samples_priornet(prob_module, loader(batch_size))
    torch.testing.assert_close(means, mean.repeat_interleave(400, dim=0))
    torch.testing.assert_close(variances, variance.repeat_interleave(400, dim=0))
    assert torch.equal(labels, torch.arange(FRAMES))
    standardised = ((z - means) / variances.sqrt()).reshape(FRAMES, 400, CHANNELS)
    assert standardised.mean(dim=1).abs().max() < 0.3
    assert (standardised.std(dim=1) - 1).abs().max() < 0.2


def test_prior_samples_with_dropout_vary_in_the_prior_too(prob_module: SimpleNamespace) -> None:
    prob_module.prob_unet_model.apply(probunet_apply_dropout)
    _, means, variances, _ = get_ls_mc_samples_priornet(prob_module, loader(3), 8, seed=0)
    assert means.reshape(FRAMES, 8, CHANNELS).std(dim=1).min() > 0
    assert variances.reshape(FRAMES, 8, CHANNELS).std(dim=1).min() > 0


def test_hook_of_a_layer_keeps_inputs_outputs_and_gradients() -> None:
    layer = nn.Linear(3, 2)
    hook, backward = Hook(layer), Hook(layer, backward=True)
    x = torch.randn(4, 3, requires_grad=True)
    output = layer(x)
    assert torch.equal(hook.input[0], x)
    assert torch.equal(hook.output, output)
    output.sum().backward()
    assert torch.equal(backward.output[0], torch.ones(4, 2))
    assert x.grad is not None
    assert torch.equal(backward.input[0], x.grad)
    hook.close()
    layer(torch.zeros(1, 3))
    assert torch.equal(hook.output, output)


def test_mcd_samples_of_a_network_in_the_wrong_mode_are_refused(deeplab: tuple[Any, Hook]) -> None:
    module, hook = deeplab
    module.deeplab_v3plus_model.train()
    with pytest.raises(UsageError, match="in evaluation mode except its stochastic layers, backbone"):
        deeplabv3p_get_ls_mcd_samples(module, loader(1), 2, hook)
    module.deeplab_v3plus_model.eval()
    with pytest.raises(UsageError, match="all samples would be equal"):
        deeplabv3p_get_ls_mcd_samples(module, loader(1), 2, hook)


def test_mcd_samples_without_passes_or_frames_are_refused(deeplab: tuple[Any, Hook]) -> None:
    module, hook = deeplab
    with pytest.raises(UsageError, match="at least 1 Monte-Carlo sample, got 0"):
        deeplabv3p_get_ls_mcd_samples(module, loader(1), 0, hook)
    with pytest.raises(UsageError, match="expected frames from the data loader, got none"):
        deeplabv3p_get_ls_mcd_samples(module, DataLoader(TensorDataset(torch.zeros(0, 3, 8, 8))), 2, hook)
    with pytest.raises(TapError, match="got NoneType"):
        deeplabv3p_get_ls_mcd_samples(module, loader(1, (3, 32, 64)), 2, Hook(nn.Identity()))
