# SPDX-License-Identifier: Apache-2.0
"""The layer that is sampled where none is named: in networks of libraries' shapes, and by the rule's own terms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from export.layers.dropblock import DropBlockRandomness
from export.models import DeepLabV3PlusModule
from export.sampling.default_tap import DROP_PROB, default_block_size, tap_candidates
from export.sampling.taps import list_layers
from tests.networks import DropoutUNet, NoDropout, TransformerSegmenter, block

SIZE = (96, 128)


class Stage(nn.Sequential):
    """Two blocks, the first of which halves the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(block(inputs, outputs, stride=2), block(outputs, outputs))


class Pyramid(nn.Module):
    """An encoder of three stages that gives a list, with a head of one of the usual shapes."""

    def __init__(self, head: str) -> None:
        super().__init__()
        self.stem, self.stages = block(3, 8, stride=2), nn.ModuleList([Stage(8, 16), Stage(16, 32), Stage(32, 64)])
        self.laterals = nn.ModuleList(nn.Conv2d(channels, 16, 1) for channels in (16, 32, 64))
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Conv2d(64, 64, 1)) if head == "pooled" else None
        self.up = block(64 + 32, 32) if head == "unet" else None
        self.classes = nn.Conv2d(32 if head == "unet" else 16, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        deep = features[-1]
        if self.pooled is not None:
            deep = deep + F.interpolate(self.pooled(deep), size=deep.shape[-2:])
        if self.up is not None:
            wide = F.interpolate(deep, size=features[-2].shape[-2:])
            return torch.as_tensor(self.classes(self.up(torch.cat([wide, features[-2]], dim=1))))
        maps = [lateral(each) for lateral, each in zip(self.laterals, [*features[1:-1], deep], strict=True)]
        fused = torch.stack([F.interpolate(each, size=maps[0].shape[-2:]) for each in maps]).sum(dim=0)
        return torch.as_tensor(self.classes(fused))


class ReducedAttention(nn.Module):
    """Keys and values of a lower resolution inside a block of a higher one, as in SegFormer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce, self.keys = nn.Conv2d(width, width, 2, stride=2), nn.Linear(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        keys, values = self.keys(self.reduce(x).flatten(2).mT).chunk(2, dim=-1)
        tokens = x.flatten(2).mT
        mixed = torch.softmax(tokens @ keys.mT, dim=-1) @ values
        return torch.as_tensor(x + mixed.mT.reshape(x.shape))


class Segformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.first = nn.Conv2d(3, 32, 4, stride=4), ReducedAttention(32)
        self.down, self.second, self.norm = nn.Conv2d(32, 48, 3, 2, 1), nn.Linear(48, 48), nn.LayerNorm(48)
        self.linears = nn.ModuleList([nn.Linear(32, 16), nn.Linear(48, 16)])
        self.head = nn.Conv2d(16, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.first(self.patches(x))
        coarse = self.down(fine)
        tokens = coarse.flatten(2).mT
        tokens = self.norm(tokens + self.second(tokens))
        wide = [self.linears[0](fine.flatten(2).mT), self.linears[1](tokens)]
        maps = [each.mT.reshape(-1, 16, *like.shape[-2:]) for each, like in zip(wide, (fine, coarse), strict=True)]
        return torch.as_tensor(self.head(maps[0] + F.interpolate(maps[1], size=fine.shape[-2:])))


class Swin(nn.Module):
    """Maps with their channels last; patches are merged by slices."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 4, stride=4)
        self.blocks = nn.Sequential(nn.LayerNorm(24), nn.Linear(24, 24))
        self.merge, self.deep = nn.Linear(96, 48), nn.Sequential(nn.LayerNorm(48), nn.Linear(48, 48))
        self.head = nn.Conv2d(48, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.blocks(self.patches(x).permute(0, 2, 3, 1))
        parts = [grid[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        return torch.as_tensor(self.head(self.deep(self.merge(torch.cat(parts, dim=-1))).permute(0, 3, 1, 2)))


class Wrapped(nn.Module):
    """As a LightningModule holds a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.model = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.model(x))


def chosen(network: nn.Module, size: tuple[int, int] = SIZE) -> str:
    layers = list_layers(network.eval(), torch.randn(2, 3, *size))
    return tap_candidates(layers, size)[0].name


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Pyramid("fpn"), "stages.2"),
        (Pyramid("unet"), "stages.2"),
        (Pyramid("pooled"), "stages.2"),
        (Segformer(), "norm"),
        (Swin(), "deep"),
        (NoDropout(), "encoder"),
    ],
)
def test_tap_candidates_of_any_shape_begin_with_the_end_of_the_encoder(network: nn.Module, expected: str) -> None:
    assert chosen(network) == expected
    assert chosen(Wrapped(network)) == f"model.{expected}"


@pytest.mark.parametrize(
    ("network", "expected"), [(DropoutUNet(), "bottleneck"), (TransformerSegmenter(), "encoder_end")]
)
def test_tap_candidates_of_networks_with_dropout_begin_with_the_deepest_layer(
    network: nn.Module, expected: str
) -> None:
    assert chosen(network, (24, 32)) == expected


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_default_of_a_deeplab_without_dropblock_is_the_guides_tap_and_constants(backbone: str) -> None:
    network = DeepLabV3PlusModule(backbone, n_class=5, width_multiplier=0.125)
    network.deeplab_v3plus_model.drop_block1 = nn.Identity()
    (first, second, *_) = tap_candidates(list_layers(network.eval(), torch.randn(2, 3, 256, 512)), (256, 512))
    assert (first.name, first.grid) == ("deeplab_v3plus_model.drop_block1", (16, 32))
    assert second.name == "deeplab_v3plus_model.backbone.layer4", "whose output an identity hands on"
    assert (DROP_PROB, default_block_size((16, 32))) == (0.5, 8)


class Refining(nn.Module):
    """All that works at the lowest resolution runs three times."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.step, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 32, 3, 2, 1), nn.Conv2d(8, 5, 1)
        self.up = nn.ConvTranspose2d(32, 8, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.first(x)
        for _ in range(3):
            fine = fine + self.up(torch.relu(self.step(fine)))
        return torch.as_tensor(self.head(fine))


def test_tap_candidates_where_the_lowest_resolution_runs_again_are_of_another_one() -> None:
    assert chosen(Refining()) == "first"


def test_tap_candidates_among_some_are_no_others() -> None:
    layers = list_layers(DropoutUNet().eval(), torch.randn(2, 3, 24, 32))
    got = tap_candidates(layers, (24, 32), ["drop1", "drop2", "drop3"])
    assert [layer.name for layer in got] == ["drop3"], "the lowest resolution"
    assert tap_candidates([], (24, 32)) == []


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 64), st.integers(1, 64))
def test_default_block_size_of_any_map_is_the_largest_that_nearly_always_drops(rows: int, columns: int) -> None:
    def nearly_always(block: int) -> bool:
        return (1 - DROP_PROB / block**2) ** (rows * columns) <= 0.02

    got = default_block_size((rows, columns))
    assert got == 1 or (nearly_always(got) and 2 * got <= min(rows, columns) and got <= 8)
    larger = [block for block in range(got + 1, 9) if 2 * block <= min(rows, columns)]
    assert not any(map(nearly_always, larger))
    probability = DropBlockRandomness(DROP_PROB, got).no_drop_probability(rows * columns)
    assert probability == pytest.approx((1 - DROP_PROB / got**2) ** (rows * columns))
