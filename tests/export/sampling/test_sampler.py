# SPDX-License-Identifier: Apache-2.0
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from dropblock import DropBlock2D as PackageDropBlock2D
from torch import Tensor, nn

from export.features.key import FeatureKey
from export.layers.channel_moments import MIN_DEVIATION
from export.layers.mask_mode import Mode
from export.sampling.marked_graph import is_mark
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import Sampler, build_sampler
from tests.networks import (
    HEIGHT,
    WIDTH,
    BatchSecond,
    Classifier,
    DropBlockAtTap,
    DropoutUNet,
    NoDropout,
    SkipAcrossTheCut,
    TransformerSegmenter,
    settled,
)

EXAMPLE = torch.zeros(1, 3, HEIGHT, WIDTH)
SAMPLES = 4
ADDED: dict[str, Any] = {"drop_prob": 0.6, "block_size": 2}


CASES: dict[str, tuple[Callable[[], nn.Module], list[str], dict[str, Any], int]] = {
    "DropBlock at the tap": (DropBlockAtTap, ["drop_block1"], {}, 0),
    "DropBlock of the dropblock package": (
        lambda: DropBlockAtTap(PackageDropBlock2D(block_size=2, drop_prob=0.5)),
        ["drop_block1"],
        {},
        0,
    ),
    "other constants than the layer's": (DropBlockAtTap, ["drop_block1"], ADDED, 0),
    "dropout at three depths": (DropoutUNet, ["bottleneck"], {}, 3),
    "dropout at the tap and upstream": (DropoutUNet, ["drop3"], {}, 2),
    "the first dropout at the tap": (DropoutUNet, ["drop1"], {}, 0),
    "skip connections between sampled layers": (DropoutUNet, ["up1"], {}, 5),
    "skip connections across the cut": (SkipAcrossTheCut, ["up1"], {}, 3),
    "DropBlock added behind dropout": (DropoutUNet, ["bottleneck"], ADDED, 3),
    "no stochastic layer": (NoDropout, ["encoder"], ADDED, 0),
    "two taps, DropBlock added to each": (NoDropout, ["encoder.0", "encoder.1"], ADDED, 0),
    "three taps at and behind dropout": (DropoutUNet, ["bottleneck", "drop1", "drop3"], {}, 3),
    "only the tap, DropBlock with constants": (DropoutUNet, ["bottleneck"], ADDED | {"only_tap": True}, 0),
    "only the tap, its own dropout": (DropoutUNet, ["drop2"], {"only_tap": True}, 0),
    "only two taps, one upstream of the other": (DropoutUNet, ["drop1", "drop2"], {"only_tap": True}, 0),
    "attention dropout, heads in the batch": (TransformerSegmenter, ["encoder_end"], {}, 0),
    "the first attention dropout": (TransformerSegmenter, ["attentions.0"], {}, 0),
    "batch second": (BatchSecond, ["tap"], {}, 0),
    "a flat tap": (Classifier, ["dropout"], {}, 0),
}


@functools.cache
def sampled_case(case: str, mode: Mode) -> tuple[nn.Module, Sampler]:
    """The network of a case and its sampler, made once for all tests that leave them as they are."""
    make, taps, options, _ = CASES[case]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = settled(make())
        return network, build_sampler(network, EXAMPLE, taps, mc_samples=SAMPLES, mode=mode, **options)


def convolutions(sampler: Sampler) -> int:
    return len(sampler.module.graph.find_nodes(op="call_function", target=torch.ops.aten.conv2d.default))


def noise_for(sampler: Sampler, frames: int) -> list[Tensor]:
    return [torch.rand(frames, sampler.samples, *site.noise_shape) for site in sampler.sites]


INPUT_CASES = [
    "DropBlock at the tap",
    "DropBlock added behind dropout",
    "skip connections across the cut",
    "the first attention dropout",
    "a flat tap",
]


@pytest.mark.parametrize(
    ("case", "mode"), [(case, "fixed") for case in CASES] + [(case, "input") for case in INPUT_CASES]
)
def test_sampler_in_one_pass_equals_one_pass_for_each_mask(case: str, mode: Mode) -> None:
    sampled_convolutions = CASES[case][-1]
    network, sampler = sampled_case(case, mode)
    assert not any(is_mark(node) for node in sampler.module.graph.nodes)
    own = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    assert convolutions(sampler) == own + sampled_convolutions
    for frames in (1, 3):
        x = torch.randn(frames, 3, HEIGHT, WIDTH)
        noise = noise_for(sampler, frames) if mode == "input" else []
        with torch.no_grad():
            output, latent_samples = sampler.module(x, *noise)
            expected = network(x)
        assert latent_samples.shape == (frames, SAMPLES, sampler.channels)
        assert latent_samples.std(dim=1).max() > 0
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)
        passes = sample_passes(network, x, sampler, noise)
        torch.testing.assert_close(latent_samples, passes, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("case", "layers"),
    [
        ("DropBlock at the tap", ["shallow.0", "deep", "head.0.0"]),  # layers behind the first work in place
        ("dropout at three depths", ["drop1", "down3", "up1"]),  # up1 runs in batch S * B as well
        ("attention dropout, heads in the batch", ["patches"]),
        ("a flat tap", ["features"]),
    ],
)
def test_sampler_that_observes_layers_gives_the_moments_of_the_clean_pass(case: str, layers: list[str]) -> None:
    make, taps, options, _ = CASES[case]
    network = settled(make())
    sampler = build_sampler(network, EXAMPLE, taps, mc_samples=SAMPLES, observed=layers, **options)
    assert sampler.layers == (*taps, *layers)
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    seen: dict[str, Tensor] = {}
    handles = [
        network.get_submodule(layer).register_forward_hook(
            lambda _, __, output, layer=layer: seen.__setitem__(layer, output.double().clone())
        )
        for layer in sampler.layers
    ]
    features = [*map(FeatureKey.moments, reversed(sampler.layers)), FeatureKey.entropy()]
    with torch.no_grad():
        output, *moments, latent_samples = sampler.observe(features)(x)
        seen.clear()
        expected = network(x)
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(latent_samples, sampler.module(x)[1], rtol=0, atol=0)
    for layer, got in zip(reversed(sampler.layers), moments, strict=True):
        cells = (
            seen[layer].flatten(2) if seen[layer].dim() == 4 else seen[layer].reshape(2, -1, seen[layer].shape[-1]).mT
        )
        deviation = cells.std(dim=2, correction=0).clamp(min=MIN_DEVIATION)
        torch.testing.assert_close(
            got.double(), torch.cat([cells.mean(dim=2), deviation.log()], 1), rtol=1e-4, atol=1e-4
        )


def test_sampler_of_moments_alone_holds_nothing_of_the_samples() -> None:
    sampler = build_sampler(settled(DropBlockAtTap()), EXAMPLE, ["drop_block1"], mc_samples=SAMPLES, with_output=False)
    moments = sampler.observe([FeatureKey.moments("drop_block1")])
    with torch.no_grad():
        assert moments(torch.zeros(2, 3, HEIGHT, WIDTH)).shape == (2, 2 * sampler.channels)
    assert not list(moments.buffers()) or all(buffer.shape[0] != SAMPLES for buffer in moments.buffers())
    assert not any(name.startswith("network.head") for name, _ in moments.named_parameters())


def test_sampler_that_observes_a_layer_twice_takes_it_once() -> None:
    network = settled(DropBlockAtTap())
    sampler = build_sampler(network, EXAMPLE, ["drop_block1"], mc_samples=SAMPLES, observed=["drop_block1", "deep"])
    assert sampler.layers == ("drop_block1", "deep")


def test_sample_passes_of_drop_block_equal_the_formula() -> None:
    network, sampler = sampled_case("DropBlock at the tap", "fixed")
    assert isinstance(network, DropBlockAtTap)
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    with torch.no_grad():
        features = network.deep(network.shallow(x)).double().numpy()
    assert sampler.bank is not None
    (keep,) = sampler.bank.keep
    expected = np.einsum("bchw,shw->bsc", features, keep) / keep.sum(axis=(1, 2))[:, None]
    np.testing.assert_allclose(sample_passes(network, x, sampler).numpy(), expected, atol=1e-6)


def test_sample_passes_of_dropout_equal_multiplication_by_hand() -> None:
    network, sampler = sampled_case("a flat tap", "fixed")
    assert isinstance(network, Classifier)
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    assert sampler.bank is not None
    channels, elements = (torch.from_numpy(keep) for keep in sampler.bank.keep)
    with torch.no_grad():
        features = network.features(x).mean(dim=(2, 3))
    expected = features[:, None] * channels / 0.7 * elements / 0.7
    torch.testing.assert_close(sample_passes(network, x, sampler), expected)


@pytest.mark.parametrize(("case", "sampled"), [("DropBlock at the tap", False), ("dropout at three depths", True)])
def test_sampler_of_more_samples_has_no_more_operations(case: str, sampled: bool) -> None:
    make, taps, options, _ = CASES[case]
    network = settled(make())
    few, many = sampled_case(case, "fixed")[1], build_sampler(network, EXAMPLE, taps, mc_samples=32, **options)
    assert convolutions(few) == convolutions(many)
    assert len(few.module.graph.nodes) == len(many.module.graph.nodes)
    assert (few.region_nodes > 0) == sampled


def test_sampler_without_output_leaves_the_decoder_out() -> None:
    network = settled(DropBlockAtTap())
    sampler = build_sampler(network, EXAMPLE, ["drop_block1"], mc_samples=SAMPLES, with_output=False)
    assert convolutions(sampler) == 2
    assert {name.split(".")[1] for name, _ in sampler.module.named_parameters()} == {"shallow", "deep"}
    x = torch.randn(3, 3, HEIGHT, WIDTH)
    torch.testing.assert_close(sampler.module(x), sample_passes(network, x, sampler), rtol=0, atol=1e-5)


def test_build_sampler_of_a_network_leaves_it_unchanged_and_shares_its_weights() -> None:
    network = settled(DropoutUNet())
    x = torch.randn(1, 3, HEIGHT, WIDTH)
    before, names = network(x), list(network.state_dict())
    sampler = build_sampler(network, EXAMPLE, ["bottleneck"], mc_samples=SAMPLES)
    sample_passes(network, x, sampler)
    assert not any(module._forward_hooks for module in network.modules())
    assert list(network.state_dict()) == names
    torch.testing.assert_close(network(x), before, rtol=0, atol=0)
    own = {f"network.{name}": parameter.data_ptr() for name, parameter in network.named_parameters()}
    assert {name: parameter.data_ptr() for name, parameter in sampler.module.named_parameters()} == own


def test_sampler_of_fixed_masks_treats_each_frame_of_a_batch_alike() -> None:
    network = settled(DropoutUNet())
    module = build_sampler(network, EXAMPLE, ["bottleneck"], mc_samples=SAMPLES, seed=3).module
    x = torch.randn(3, 3, HEIGHT, WIDTH)
    torch.testing.assert_close(module(x)[1], torch.cat([module(frame[None])[1] for frame in x]), rtol=0, atol=1e-6)


def test_sampler_of_fresh_masks_differs_by_call_and_by_frame() -> None:
    sampler = build_sampler(settled(DropBlockAtTap()), EXAMPLE, ["drop_block1"], mc_samples=64, mode="fresh")
    assert sampler.bank is None
    assert sampler.sha256 is None
    x = torch.randn(1, 3, HEIGHT, WIDTH).expand(2, -1, -1, -1)
    first, second = sampler.module(x)[1], sampler.module(x)[1]
    assert not torch.isclose(first, second).all(dim=-1).any()
    assert not torch.isclose(first[0], first[1]).all(dim=-1).any()


def test_sampler_of_noise_that_keeps_nothing_or_all_gives_zeros_or_the_mean() -> None:
    network, sampler = sampled_case("DropBlock at the tap", "input")
    assert isinstance(network, DropBlockAtTap)
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    (shape,) = [(2, SAMPLES, *site.noise_shape) for site in sampler.sites]
    with torch.no_grad():
        assert (sampler.module(x, torch.zeros(shape))[1] == 0).all()
        mean = network.deep(network.shallow(x)).mean(dim=(2, 3))[:, None].expand(-1, SAMPLES, -1)
        torch.testing.assert_close(sampler.module(x, torch.full(shape, 0.999))[1], mean)


def test_describe_of_sites_names_each() -> None:
    _, sampler = sampled_case("DropBlock added behind dropout", "fixed")
    sites = [site.describe() for site in sampler.sites]
    assert [site["layer"] for site in sites] == ["drop1", "drop2", "drop3", "bottleneck"]
    assert [site["kind"] for site in sites] == ["channel-dropout", "dropout", "channel-dropout", "dropblock"]
    assert [site["drop_prob"] for site in sites] == [0.4, 0.4, 0.2, 0.6]
    assert [site["added"] for site in sites] == [False, False, False, True]
