# SPDX-License-Identifier: Apache-2.0
"""The layers whose moments are features by default."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.errors import TapError
from export.models import DeepLabV3PlusModule
from export.sampling.feature_layers import last_of_each_resolution, resolve_feature_layers
from export.sampling.taps import list_layers
from tests.networks import (
    HEIGHT,
    WIDTH,
    Classifier,
    DropBlockAtTap,
    DropoutUNet,
    SkipAcrossTheCut,
    TransformerSegmenter,
    block,
)

EXAMPLE = torch.zeros(2, 3, HEIGHT, WIDTH)


class SqueezeAndExcitation(nn.Module):
    """Scales channels by what a map of one cell says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool, self.scale = nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = x * self.scale(self.pool(x)).sigmoid()
        return scaled


class InvertedBlock(nn.Module):
    """Begins at its input's resolution, leaves it inside, and has a shortcut that runs first or last."""

    def __init__(self, inputs: int, outputs: int, *, shortcut_first: bool) -> None:
        super().__init__()
        self.expand, self.reduce = block(inputs, 2 * inputs), block(2 * inputs, outputs, stride=2)
        self.squeeze = SqueezeAndExcitation(outputs)
        self.shortcut, self.first = nn.Conv2d(inputs, outputs, 1, stride=2), shortcut_first

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut(x) if self.first else None
        main: Tensor = self.squeeze(self.reduce(self.expand(x)))
        return main.add(self.shortcut(x) if shortcut is None else shortcut)


class ChannelsLast(nn.Module):
    """Works on ``(B, H, W, C)`` inside, as ConvNeXt does."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.linear(self.norm(x.permute(0, 2, 3, 1)))
        return x + mixed.permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """A stem, blocks in a list, a pyramid's pooling, a head; wrapped as a LightningModule wraps its network."""

    def __init__(self, *, shortcut_first: bool) -> None:
        super().__init__()
        self.stem = block(3, 8)
        self.blocks = nn.Sequential(
            InvertedBlock(8, 8, shortcut_first=shortcut_first),
            ChannelsLast(8),
            InvertedBlock(8, 8, shortcut_first=shortcut_first),
        )
        self.pooled, self.shared = nn.AdaptiveAvgPool2d(1), nn.ReLU()
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        deep = self.shared(self.shared(self.blocks(self.stem(x))))
        logits: Tensor = self.head(deep + self.pooled(deep))
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear")


class Wrapper(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.network(x)
        return output


class Stages(nn.Module):
    """A stem, and blocks of four layers each that stay at a quarter of the input, to which the first one or ``down`` goes."""

    def __init__(self, blocks: int, *, down_in_front: bool) -> None:
        super().__init__()
        self.stem = block(3, 8, stride=2)
        self.down = block(8, 8, stride=2) if down_in_front else nn.Identity()
        strides = [1 if down_in_front else 2, *[1] * (blocks - 1)]
        self.stage = nn.Sequential(*(block(8, 8, stride=stride) for stride in strides))
        self.tap, self.head = nn.Dropout2d(0.5), nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.tap(self.stage(self.down(self.stem(x)))))
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear")


def ends(network: nn.Module, example: Tensor = EXAMPLE) -> tuple[str, ...]:
    return last_of_each_resolution(list_layers(network, example))


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_last_of_each_resolution_of_a_resnet_are_the_ends_of_its_stages(backbone: str) -> None:
    network = DeepLabV3PlusModule(backbone, n_class=5, width_multiplier=0.0625).eval()
    got = ends(network, torch.zeros(2, 3, 64, 128))
    stages = [f"backbone.{layer}" for layer in ("relu", "layer1", "layer2")]
    assert got == tuple(f"deeplab_v3plus_model.{name}" for name in (*stages, "drop_block1"))


@pytest.mark.parametrize("shortcut_first", [True, False])
def test_last_of_each_resolution_of_blocks_that_leave_one_inside_are_the_ones_before_them(
    shortcut_first: bool,
) -> None:
    network = Wrapper(Encoder(shortcut_first=shortcut_first)).eval()
    got = ends(network)
    assert got == ("network.stem", "network.blocks.1", "network.head"), "squeezed and shared layers are passed over"


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (DropBlockAtTap(), ("shallow", "drop_block1")),
        (DropoutUNet(), ("drop1", "drop2", "bottleneck")),
        (SkipAcrossTheCut(), ("down1", "down2", "bottleneck")),
        (TransformerSegmenter(), ("patches",)),
        (Classifier(), ("features",)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_last_of_each_resolution_of_other_networks_end_where_the_decoder_begins(
    network: nn.Module, expected: tuple[str, ...]
) -> None:
    assert ends(network.eval()) == expected


def test_last_of_each_resolution_of_a_network_without_maps_are_none() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * HEIGHT * WIDTH, 4)).eval()
    assert ends(network) == ()
    assert resolve_feature_layers(network, EXAMPLE, (), ()) == ()


def test_feature_layers_by_default_lie_between_a_quarter_of_the_input_and_the_tap() -> None:
    network = DeepLabV3PlusModule("resnet50", n_class=5, width_multiplier=0.0625).eval()
    tap = "deeplab_v3plus_model.drop_block1"
    got = resolve_feature_layers(network, torch.zeros(1, 3, 64, 128), (), (tap,))
    stages = [name.removeprefix("deeplab_v3plus_model.backbone.") for name in got]
    assert stages[:2] == ["layer1", "layer2"]
    assert [stage.partition(".")[0] for stage in stages[2:]] == ["layer3"], "the tap stands for the end of layer4"


def test_feature_layers_that_are_named_are_taken_once_each() -> None:
    network = DropBlockAtTap().eval()
    assert resolve_feature_layers(network, EXAMPLE, ["deep", "head"], ["drop_block1"]) == ("deep", "head")
    with pytest.raises(TapError, match="expected the name of a layer, got 'dep': the nearest are deep"):
        resolve_feature_layers(network, EXAMPLE, ["dep"], ())
    with pytest.raises(TapError, match="expected each layer once, got 'deep' twice"):
        resolve_feature_layers(network, EXAMPLE, ["deep", "deep"], ())


@pytest.mark.parametrize(("blocks", "middle"), [(2, "stage.0"), (6, "stage.2"), (8, "stage.3")])
def test_feature_layers_of_a_long_stage_hold_the_last_block_of_its_first_half(blocks: int, middle: str) -> None:
    """Of n blocks the k-th ends 4 k + 4 layers behind the stage's begin; the tap lies 4 n + 1 behind it."""
    network = Stages(blocks, down_in_front=False).eval()
    assert resolve_feature_layers(network, EXAMPLE, (), ("tap",)) == (middle,)


def test_feature_layers_of_blocks_at_several_depths_hold_the_least_nested() -> None:
    network = Stages(6, down_in_front=True).eval()
    assert resolve_feature_layers(network, EXAMPLE, (), ("tap",)) == ("down",)


def test_feature_layers_of_a_network_that_is_fine_throughout_are_fine_ones() -> None:
    """Nothing is as coarse as a quarter of the input: a map that is there tells more than none."""
    network = nn.Sequential(block(3, 6), block(6, 6), nn.Dropout2d(0.5), nn.Conv2d(6, 4, 1)).eval()
    assert resolve_feature_layers(network, EXAMPLE, (), ("2",)) == ("0",)
