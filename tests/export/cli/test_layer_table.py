# SPDX-License-Identifier: Apache-2.0
"""The table of ``--list-layers``."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from export.checkpoint.load import Checkpoint
from export.cli.export import main
from export.cli.layer_table import example_input, layer_table, observed_layers
from export.errors import ConversionError, TapError, UsageError
from export.findings import Finding
from export.pipeline.listed_tap import listed_taps
from export.pipeline.options import ExportOptions
from export.sampling.taps import list_layers
from tests.export.pipeline.test_default_tap import TwoBlocks
from tests.networks import HEIGHT, WIDTH, Classifier, DropBlockAtTap, NoDropout, settled


def checkpoint(**hyper_parameters: object) -> Checkpoint:
    return Checkpoint(DropBlockAtTap().eval(), hyper_parameters, Path("x.ckpt"))


def test_layer_table_of_a_network_has_a_line_for_each_layer() -> None:
    example = example_input(checkpoint(), (HEIGHT, WIDTH))
    names = [layer.name for layer in list_layers(DropBlockAtTap().eval(), example)]
    network = DropBlockAtTap().eval()
    observed = observed_layers(network, example, ["drop_block1"], ())
    why = Finding("tap", "drop_block1", "found", "the network's one DropBlock layer")
    *lines, reason = layer_table(list_layers(network, example), {"drop_block1": why}, observed).splitlines()
    assert lines[0].split() == ["layer", "class", "output", "parameters", "so", "far", "tap", "moments", "stochastic"]
    (tap,) = [line for line in lines if line.startswith("drop_block1 ")]
    assert [line.split()[0] for line in lines if " default " in line] == ["drop_block1"]
    assert reason == "default tap: drop_block1 (found: the network's one DropBlock layer)"
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
    with pytest.raises(TapError, match="expected the name of a layer, got 'dep'"):
        observed_layers(network, example, (), ("dep",))


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


@pytest.mark.parametrize("network", [TwoBlocks, NoDropout, DropBlockAtTap, Classifier])
@pytest.mark.parametrize("with_frames", [False, True])
def test_list_layers_marks_the_tap_that_an_export_takes_with_its_reason(
    network: type[nn.Module], with_frames: bool, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    path = tmp_path / "network.pt"
    torch.save(settled(network()).state_dict(), path)
    words = ["--ckpt", str(path), "--model", f"{network.__module__}:{network.__name__}"]
    words += ["--input-size", str(HEIGHT), str(WIDTH), *(["--frames", str(frames)] if with_frames else [])]
    if network is Classifier:
        words += ["--segmentation", "none"]
    assert main([*words, "--list-layers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    marked = [line.split()[0] for line in lines if " default " in line]
    constants = ["--mean", "0.5", "0.5", "0.5", "--std", "0.2", "0.2", "0.2"]
    main([*words, *constants, "--dry-run"])
    (taken,) = re.findall(r"^tap +(?:found|guessed) +(\S+?),", capsys.readouterr().out, re.MULTILINE)
    assert marked == [taken]
    assert lines[-1].startswith(f"default tap: {taken}")
    assert re.search(r"\((found|guessed): .{20}", lines[-1])
    assert sum("taken" in line for line in lines if line.startswith(f"{taken} ")) == 1
    assert main([*words, "--list-layers", "--tap", "encoder" if network is NoDropout else taken]) == 0
    assert " given " in capsys.readouterr().out


def test_listed_taps_of_a_name_that_is_no_layer_are_refused_with_the_nearest() -> None:
    options = ExportOptions(Path("x.ckpt"), (), Path("m"), tap=("dep",))
    with pytest.raises(TapError, match="expected the name of a layer, got 'dep': the nearest are deep"):
        listed_taps(options, checkpoint())
