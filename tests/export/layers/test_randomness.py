# SPDX-License-Identifier: Apache-2.0
"""Kinds of randomness: which layers are of which kind, what their masks do, and one kind that is registered nowhere else."""

import math
from typing import Self

import numpy as np
import pytest
import torch
from dropblock import DropBlock2D as PackageDropBlock2D
from torch import Tensor, nn

from export.layers import stochastic
from export.layers.alpha_dropout import AlphaDropoutRandomness
from export.layers.channel_dropout import ChannelDropoutRandomness
from export.layers.channel_means import channel_means
from export.layers.dropblock import DropBlock2D, DropBlockRandomness
from export.layers.dropout import DropoutRandomness
from export.layers.feature_layout import channel_dim
from export.layers.gaussian_dropout import GaussianDropout, GaussianDropoutRandomness
from export.layers.randomness import MaskedRandomness, MaskShapes, Randomness
from export.layers.stochastic import KINDS, recognise
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from export.sampling.taps import list_layers
from tests.networks import HEIGHT, WIDTH, NoDropout, settled


class DropBlock2d(nn.Module):
    """Named and equipped as torchvision's and timm's are."""

    def __init__(self, p: float, block_size: int) -> None:
        super().__init__()
        self.p, self.block_size = p, block_size

    def forward(self, x: Tensor) -> Tensor:
        return x


class GaussianDropoutOfAnotherPackage(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p


GaussianDropoutOfAnotherPackage.__name__ = "GaussianDropout"


class ScheduledDropBlock(DropBlock2d):
    """A subclass under another name."""


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (DropBlock2D(0.5, 8), DropBlockRandomness(0.5, 8)),
        (PackageDropBlock2D(block_size=7, drop_prob=0.1), DropBlockRandomness(0.1, 7)),
        (ScheduledDropBlock(0.1, 7), DropBlockRandomness(0.1, 7)),
        (DropBlock2d(0.3, 5), DropBlockRandomness(0.3, 5)),
        (nn.Dropout(0.2), DropoutRandomness(0.2)),
        (nn.Dropout2d(0.2), ChannelDropoutRandomness(0.2)),
        (nn.AlphaDropout(0.2), AlphaDropoutRandomness(0.2)),
        (GaussianDropout(0.2), GaussianDropoutRandomness(0.2)),
        (GaussianDropoutOfAnotherPackage(0.0), None),
        (nn.Dropout(0.0), None),
        (nn.Dropout2d(0.0), None),
        (nn.AlphaDropout(0.0), None),
        (DropBlock2D(0.0, 8), None),
        (nn.Conv2d(3, 3, 1), None),
    ],
)
def test_recognise_of_each_kind_gives_its_constants(module: nn.Module, expected: Randomness | None) -> None:
    assert recognise(module) == expected


def test_kinds_of_randomness_have_distinct_names() -> None:
    assert len({kind.kind for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(
    ("randomness", "frame_shape", "batch_dim", "expected"),
    [
        (DropoutRandomness(0.3), (1, 6, 4, 5), 0, MaskShapes((6, 4, 5), (1, 6, 4, 5))),
        (DropoutRandomness(0.3), (2, 7, 7), 0, MaskShapes((2, 7, 7), (2, 7, 7))),  # two heads in the batch
        (DropoutRandomness(0.3), (9, 1, 4), 1, MaskShapes((9, 4), (9, 1, 4))),
        (GaussianDropoutRandomness(0.3), (1, 6), 0, MaskShapes((6,), (1, 6))),
        (ChannelDropoutRandomness(0.3), (1, 6, 4, 5), 0, MaskShapes((6,), (1, 6, 1, 1))),
        (ChannelDropoutRandomness(0.3), (1, 6, 4), 0, MaskShapes((6,), (1, 6, 1))),
        (ChannelDropoutRandomness(0.3), (1, 6), 0, None),
        (ChannelDropoutRandomness(0.3), (6, 1, 4), 1, None),
        (DropBlockRandomness(0.3, 2), (1, 6, 4, 5), 0, MaskShapes((4, 5), (1, 1, 4, 5))),
        (DropBlockRandomness(0.3, 2), (1, 6, 4), 0, None),
        (DropBlockRandomness(0.3, 2), (2, 6, 4, 5), 0, None),
    ],
)
def test_shapes_of_an_output_follow_its_kind(
    randomness: MaskedRandomness, frame_shape: tuple[int, ...], batch_dim: int, expected: MaskShapes | None
) -> None:
    assert randomness.shapes(frame_shape, batch_dim) == expected


MASKED = [
    DropoutRandomness(0.3),
    ChannelDropoutRandomness(0.3),
    DropBlockRandomness(0.5, 2),
    GaussianDropoutRandomness(0.3),
]


@pytest.mark.parametrize(
    ("randomness", "shape"),
    [
        *((randomness, (2, 3, 4, 5)) for randomness in MASKED),
        (MASKED[0], (2, 6, 3)),
        (MASKED[0], (2, 3)),
        (MASKED[1], (2, 3, 6)),
    ],
    ids=str,
)
@pytest.mark.parametrize("of_each_frame", [False, True])
def test_masked_mean_is_the_mean_of_what_the_layer_gives(
    randomness: MaskedRandomness, shape: tuple[int, ...], of_each_frame: bool
) -> None:
    """Two implementations: the one that graphs take and the one that they are compared with."""
    torch.manual_seed(0)
    features = torch.randn(shape)
    shapes = randomness.shapes((1, *shape[1:]), 0)
    assert shapes is not None
    keep = randomness.keep(torch.rand(2, 6, *shapes.noise))
    keep = keep if of_each_frame else keep[:1].expand(2, *keep.shape[1:])
    weights = randomness.weights(keep if of_each_frame else keep[0])
    got = randomness.masked_mean(features, weights, 6, shapes.mask, channel_dim(len(shape)))
    expected = [
        [channel_means(randomness.drop(features[b : b + 1], mask.reshape(shapes.mask)))[0] for mask in keep[b]]
        for b in range(2)
    ]
    torch.testing.assert_close(got, torch.stack([torch.stack(row) for row in expected]))


@pytest.mark.parametrize("randomness", MASKED, ids=str)
def test_weights_on_average_leave_features_as_they_are(randomness: MaskedRandomness) -> None:
    torch.manual_seed(0)
    shapes = randomness.shapes((1, 3, 8, 10), 0)
    assert shapes is not None
    weights = randomness.weights(randomness.keep(torch.rand(4000, *shapes.noise)))
    assert weights.mean().item() == pytest.approx(1, abs=0.02)


class HalvingLayer(nn.Module):
    """Halves single elements in training: a layer of a kind that this project does not have."""

    p = 0.5

    def forward(self, x: Tensor) -> Tensor:
        return x


class HalvingRandomness(MaskedRandomness):
    """Halves elements with probability p, and scales so that the mean is kept."""

    kind = "halving"
    noun = "a halving layer"

    @classmethod
    def recognise(cls, module: nn.Module) -> Self | None:
        return cls(module.p) if isinstance(module, HalvingLayer) else None

    def weights(self, keep: Tensor) -> Tensor:
        return (0.5 + keep / 2) / (1 - self.drop_prob / 2)

    def drop(self, features: Tensor, keep: Tensor) -> Tensor:
        return torch.where(keep > 0, features, features / 2) / (1 - self.drop_prob / 2)


class Halved(NoDropout):
    def __init__(self) -> None:
        super().__init__()
        self.halving = HalvingLayer()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.halving(self.encoder(x)))
        return logits


def test_new_kind_in_a_network_is_listed_and_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stochastic, "KINDS", (*KINDS, HalvingRandomness))
    network, x = settled(Halved()), torch.randn(2, 3, HEIGHT, WIDTH)
    assert [layer.stochastic for layer in list_layers(network, x) if layer.name == "halving"] == ["halving(p=0.5)"]
    for tap in ("halving", "head"):
        sampler = build_sampler(network, x, [tap], mc_samples=4)
        assert [site.describe()["kind"] for site in sampler.sites] == ["halving"]
        with torch.no_grad():
            _, latent_samples = sampler.module(x)
        assert latent_samples.std(dim=1).max() > 0
        torch.testing.assert_close(latent_samples, sample_passes(network, x, sampler), rtol=0, atol=1e-5)
    (keep,) = sampler.bank.keep if sampler.bank is not None else ()
    assert keep.dtype == np.bool_
    assert sampler.sites[0].randomness.no_drop_probability(3) == pytest.approx(math.pow(0.5, 3))
