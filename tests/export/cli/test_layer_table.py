# SPDX-License-Identifier: Apache-2.0
"""The table of ``--list-layers``."""

from pathlib import Path

import pytest
import torch

from export.checkpoint.load import Checkpoint
from export.cli.layer_table import example_input, layer_table, observed_layers
from export.errors import ConversionError, TapError, UsageError
from export.sampling.taps import list_layers
from tests.networks import HEIGHT, WIDTH, Classifier, DropBlockAtTap, NoDropout


def checkpoint(**hyper_parameters: object) -> Checkpoint:
    return Checkpoint(DropBlockAtTap().eval(), hyper_parameters, Path("x.ckpt"))


def test_layer_table_of_a_network_has_a_line_for_each_layer() -> None:
    example = example_input(checkpoint(), (HEIGHT, WIDTH))
    names = [layer.name for layer in list_layers(DropBlockAtTap().eval(), example)]
    network = DropBlockAtTap().eval()
    observed = observed_layers(network, example, (), ())
    lines = layer_table(list_layers(network, example), observed).splitlines()
    assert lines[0].split() == ["layer", "class", "output", "parameters", "so", "far", "moments", "stochastic"]
    (tap,) = [line for line in lines if line.startswith("drop_block1 ")]
    assert "DropBlock2D" in tap
    assert "1 x 12 x 6 x 8" in tap
    assert tap.endswith("dropblock(p=0.8, b=3)")
    assert [line.split()[0] for line in lines if " taken" in line] == [name for name in names if name in observed]
    assert "drop_block1" in observed
    column = lines[0].index("class")
    assert all(line[column - 1] == " " != line[column] for line in lines), "the columns stand below one another"


def test_example_input_of_a_checkpoint_with_a_size_take_it(frames: Path) -> None:
    own = example_input(checkpoint(input_size=(HEIGHT, WIDTH)))
    assert own.shape == example_input(checkpoint(), (HEIGHT, WIDTH)).shape == (1, 3, HEIGHT, WIDTH)
    assert own.shape != example_input(checkpoint(), None, [frames]).shape


def test_observed_layers_are_the_taps_and_those_that_are_named() -> None:
    example, network = torch.zeros(1, 3, HEIGHT, WIDTH), DropBlockAtTap().eval()
    assert observed_layers(network, example, ("deep",), ("head.0",)) == {"deep", "head.0"}
    assert observed_layers(NoDropout().eval(), example, (), ()) >= {"head"}, "a table without any tap"
    for taps, layers in ((("dep",), ()), ((), ("dep",))):
        with pytest.raises(TapError, match="expected the name of a layer, got 'dep'"):
            observed_layers(network, example, taps, layers)


def test_example_input_without_a_size_are_refused() -> None:
    with pytest.raises(UsageError, match="--input-size or --frames to list the layers"):
        example_input(checkpoint())


@pytest.mark.parametrize("size", [(0, WIDTH), (HEIGHT, -1)])
def test_example_input_of_an_impossible_size_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=f"--input-size of at least 1 x 1, got {size[0]} x {size[1]}"):
        example_input(checkpoint(), size)


def test_example_input_of_a_size_too_small_for_the_network_are_refused() -> None:
    with pytest.raises(ConversionError, match="it raised RuntimeError"):
        example_input(Checkpoint(Classifier().eval(), {}, Path("x.ckpt")), (2, 2))
