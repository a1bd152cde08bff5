# SPDX-License-Identifier: Apache-2.0
from collections import OrderedDict

import pytest
import torch
from torch import nn

from export.errors import TapError
from export.layers.dropblock import DropBlock2D
from export.sampling.taps import list_layers, resolve_taps
from tests.networks import (
    HEIGHT,
    WIDTH,
    DropBlockAtTap,
    DropoutUNet,
    NoDropout,
    TransformerSegmenter,
)

EXAMPLE = torch.zeros(1, 3, HEIGHT, WIDTH)


def test_list_layers_of_a_network_gives_them_in_order_with_parameters_so_far() -> None:
    network = DropBlockAtTap().eval()
    layers = list_layers(network, EXAMPLE)
    names = [layer.name for layer in layers]
    assert names[:5] == ["shallow.0", "shallow.1", "shallow.2", "shallow", "deep.0"]
    assert names.index("deep") < names.index("drop_block1") < names.index("head.0")
    by_name = {layer.name: layer for layer in layers}
    encoder = sum(p.numel() for p in [*network.shallow.parameters(), *network.deep.parameters()])
    assert by_name["drop_block1"].parameters_so_far == encoder
    assert layers[-1].parameters_so_far == sum(p.numel() for p in network.parameters())
    assert by_name["drop_block1"].output_shape == (1, 12, 6, 8)
    assert by_name["drop_block1"].class_name == "DropBlock2D"
    assert by_name["drop_block1"].stochastic == "dropblock(p=0.8, b=3)"
    assert by_name["deep"].stochastic is None


def test_list_layers_of_a_layer_that_runs_twice_lists_it_twice() -> None:
    network = TransformerSegmenter().eval()
    layers = list_layers(network, EXAMPLE)
    assert [layer.name for layer in layers].count("dropout") == 2
    held = sum(p.numel() for p in network.parameters()) - network.token.numel() - network.positions.numel()
    assert layers[-1].parameters_so_far == held


def test_list_layers_of_torchs_attention_dropout_marks_it_not_sampled() -> None:
    network = nn.ModuleDict({"attention": nn.MultiheadAttention(4, 2, dropout=0.25)}).eval()
    network.forward = lambda x: network["attention"](x, x, x)
    (layer,) = [layer for layer in list_layers(network, torch.zeros(3, 1, 4)) if layer.name == "attention"]
    assert layer.stochastic == "attention dropout(p=0.25), not sampled"
    assert layer.output_shape is None


class AsksForValues(nn.Module):
    """Goes another way where the picture is dark, and keeps the grid of the last frame."""

    def __init__(self) -> None:
        super().__init__()
        self.bright, self.dark = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 8, 3)
        self.grid: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.grid = torch.arange(x.shape[-1])
        output: torch.Tensor = self.bright(x) if float(x.mean()) > 0.5 else self.dark(x)
        return output + self.grid[: output.shape[-1]]


class Normalised(nn.Sequential):
    """Batch norms by what they have learnt and by their input, of maps and of vectors."""

    def __init__(self) -> None:
        by_input = nn.BatchNorm2d(4, affine=False, track_running_stats=False)
        pooled = nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.BatchNorm1d(16)
        super().__init__(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), by_input, *pooled, nn.Linear(16, 5))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "make", [DropBlockAtTap, DropoutUNet, NoDropout, TransformerSegmenter, AsksForValues, Normalised]
)
def test_list_layers_gives_the_layers_and_shapes_of_a_run(make: type[nn.Module], batch: int) -> None:
    network, ran = make().eval(), list[tuple[str, object]]()
    for name, module in network.named_modules():
        if name:
            module.register_forward_hook(
                lambda _, __, output, name=name: ran.append(
                    (name, tuple(output.shape) if isinstance(output, torch.Tensor) else None)
                )
            )
    frames = torch.rand(batch, 3, HEIGHT, WIDTH)
    with torch.no_grad():
        network(frames)
    expected = ran.copy()
    listed = list_layers(network, frames)
    assert [(layer.name, layer.output_shape) for layer in listed] == expected


def test_list_layers_of_a_network_that_asks_for_values_goes_the_way_of_the_example() -> None:
    network = AsksForValues().eval()
    assert [layer.name for layer in list_layers(network, torch.zeros(1, 3, HEIGHT, WIDTH))] == ["dark"]
    assert [layer.name for layer in list_layers(network, torch.ones(1, 3, HEIGHT, WIDTH))] == ["bright"]


class KeepsItsGrid(nn.Module):
    """Makes a grid for the first frame and takes it for the next ones."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, padding=1)
        self.grids: dict[int, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grid = self.grids.setdefault(x.shape[-1], torch.arange(x.shape[-1]))
        output: torch.Tensor = self.layer(x) + grid
        return output


def test_list_layers_of_a_network_that_keeps_tensors_leaves_it_as_it_was() -> None:
    network = KeepsItsGrid().eval()
    list_layers(network, EXAMPLE)
    assert network.grids == {}
    with torch.no_grad():
        assert torch.isfinite(network(EXAMPLE)).all()


def test_list_layers_in_training_mode_is_refused_and_else_leaves_no_hook() -> None:
    network = NoDropout().eval()
    list_layers(network, EXAMPLE)
    assert not any(module._forward_hooks for module in network.modules())
    network.encoder[1].train()
    with pytest.raises(ValueError, match=r"encoder\.1 is in training mode: call eval"):
        list_layers(network, EXAMPLE)


def test_resolve_taps_without_names_takes_the_only_drop_block() -> None:
    assert resolve_taps(DropBlockAtTap(), None) == ("drop_block1",)
    assert resolve_taps(DropBlockAtTap(DropBlock2D(0.0, 3)), []) == ("drop_block1",)
    assert resolve_taps(DropBlockAtTap(), ["deep", "shallow"]) == ("deep", "shallow")


@pytest.mark.parametrize(
    ("network", "names", "message"),
    [
        (nn.Sequential(DropBlock2D(), DropBlock2D()), None, r"found 2: choose by --tap among 0, 1$"),
        (DropoutUNet(), None, r"found none: choose by --tap a layer at or behind drop1, drop2, drop3$"),
        (NoDropout(), None, r"no stochastic layer: .* parts are encoder, pool, head$"),
        (DropBlockAtTap(), ["drop_block"], r"got 'drop_block': the nearest are drop_block1"),
        (NoDropout(), ["backbone.encoder"], r"the nearest are encoder"),
        (NoDropout(), ["xyz"], r"got 'xyz': the network has 11 layers"),
        (DropoutUNet(), ["drop1", "drop1"], r"'drop1' twice"),
    ],
)
def test_resolve_taps_of_what_is_not_there_is_refused_with_candidates(
    network: nn.Module, names: list[str] | None, message: str
) -> None:
    with pytest.raises(TapError, match=message):
        resolve_taps(network, names)


@pytest.mark.parametrize(
    ("typed", "right"), [("layr3", "backbone.layer3"), ("laier2", "backbone.layer2"), ("layer7", "VALUE")]
)
def test_resolve_taps_misspelt_last_part_is_corrected_where_one_layer_is_near(typed: str, right: str) -> None:
    backbone = nn.Sequential(OrderedDict((f"layer{i}", nn.Identity()) for i in range(1, 5)))
    network = nn.Sequential(OrderedDict(backbone=backbone, head=nn.Identity()))
    with pytest.raises(TapError, match=r"the nearest are backbone\.layer") as caught:
        resolve_taps(network, [typed])
    assert tuple(caught.value.words) == ("--tap", right)
    if right != "VALUE":
        assert resolve_taps(network, [right]) == (right,)
