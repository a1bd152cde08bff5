# SPDX-License-Identifier: Apache-2.0
"""The table of ``--list-layers``."""

from pathlib import Path

import pytest

from export.checkpoint.load import Checkpoint
from export.cli.layer_table import layer_table, network_layers
from export.errors import ConversionError, UsageError
from tests.networks import HEIGHT, WIDTH, Classifier, DropBlockAtTap


def checkpoint(**hyper_parameters: object) -> Checkpoint:
    return Checkpoint(DropBlockAtTap().eval(), hyper_parameters, Path("x.ckpt"))


def test_layer_table_of_a_network_has_a_line_for_each_layer() -> None:
    lines = layer_table(network_layers(checkpoint(), (HEIGHT, WIDTH))).splitlines()
    assert lines[0].split() == ["layer", "class", "output", "parameters", "so", "far", "stochastic"]
    (tap,) = [line for line in lines if line.startswith("drop_block1 ")]
    assert "DropBlock2D" in tap
    assert "1 x 12 x 6 x 8" in tap
    assert tap.endswith("dropblock(p=0.8, b=3)")
    column = lines[0].index("class")
    assert all(line[column - 1] == " " != line[column] for line in lines), "the columns stand below one another"


def test_network_layers_of_a_checkpoint_with_a_size_take_it(frames: Path) -> None:
    own = network_layers(checkpoint(input_size=(HEIGHT, WIDTH)))
    assert own == network_layers(checkpoint(), (HEIGHT, WIDTH))
    assert own != network_layers(checkpoint(), None, [frames])


def test_network_layers_without_a_size_are_refused() -> None:
    with pytest.raises(UsageError, match="--input-size or --frames to list the layers"):
        network_layers(checkpoint())


@pytest.mark.parametrize("size", [(0, WIDTH), (HEIGHT, -1)])
def test_network_layers_of_an_impossible_size_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=f"--input-size of at least 1 x 1, got {size[0]} x {size[1]}"):
        network_layers(checkpoint(), size)


def test_network_layers_of_a_size_too_small_for_the_network_are_refused() -> None:
    with pytest.raises(ConversionError, match="it raised RuntimeError"):
        network_layers(Checkpoint(Classifier().eval(), {}, Path("x.ckpt")), (2, 2))
