# SPDX-License-Identifier: Apache-2.0
"""The table of ``--list-layers``."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from export.checkpoint.load import Checkpoint
from export.cli.export import main
from export.cli.layer_table import black_input, layer_table, listed_input, observed_layers
from export.errors import ConversionError, TapError, UsageError
from export.findings import Finding
from export.frames.files import FrameFiles
from export.pipeline.listed_tap import listed_taps
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.options import ExportOptions
from export.sampling.taps import list_layers
from tests.export.pipeline.test_default_tap import TwoBlocks
from tests.networks import HEIGHT, WIDTH, Classifier, DropBlockAtTap, NoDropout, settled


def checkpoint(**hyper_parameters: object) -> Checkpoint:
    return Checkpoint(DropBlockAtTap().eval(), hyper_parameters, Path("x.ckpt"))


def options(folder: Path = Path(), **given: Any) -> ExportOptions:
    return ExportOptions(folder / "x.ckpt", out=Path("m"), **({"frames": ()} | given))


def test_layer_table_of_a_network_has_a_line_for_each_layer() -> None:
    example = black_input(DropBlockAtTap().eval(), (3, HEIGHT, WIDTH))
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


def test_listed_input_of_a_checkpoint_with_a_size_takes_it(frames: Path) -> None:
    own = listed_input(options(), checkpoint(input_size=(HEIGHT, WIDTH))).shape
    assert own == listed_input(options(input_size=(HEIGHT, WIDTH)), checkpoint()).shape == (3, HEIGHT, WIDTH)
    assert own != listed_input(options(frames=(frames,)), checkpoint()).shape


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.none() | st.fixed_dictionaries({"height": st.integers(9, 90), "width": st.integers(9, 90)}),
    padding=st.sampled_from([{}, {"do_pad": True, "size_divisor": 32}, {"do_pad": True, "pad_size": 8}]),
    flags=st.sampled_from(
        [{}, {"pad": 1}, {"pad": 16}, {"crop": (3, 5, 31, 43)}, {"input_size": (30, 50)}, {"network_channels": "grey"}]
    ),
)
def test_listed_input_is_the_shape_to_which_an_export_brings_a_frame(
    size: dict[str, int] | None, padding: dict[str, Any], flags: dict[str, Any], frames: Path, tmp_path: Path
) -> None:
    config = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3} | padding | ({"size": size} if size else {})
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    grey = {"mean": (0.5,) * 3, "std": (0.25,) * 3} if "network_channels" in flags else {}
    chosen = options(tmp_path, frames=(frames,), **flags, **grey)
    loaded = replace(checkpoint(), path=chosen.ckpt)
    prepare = resolve_preprocessing(chosen, loaded, files := FrameFiles([frames]))
    expected = prepare(torch.from_numpy(np.array(files[0]))[None]).shape[1:]
    assert listed_input(chosen, loaded).shape == tuple(expected)


def test_list_layers_beside_a_file_that_pads_runs_the_padded_input_and_says_so(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(settled(NoDropout()).state_dict(), tmp_path / "network.pt")
    config = {"do_pad": True, "size_divisor": 64, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    words = ["--list-layers", "--ckpt", str(tmp_path / "network.pt"), "--model", "tests.networks:NoDropout"]
    assert main([*words, "--frames", str(frames)]) == 0
    shown = capsys.readouterr().out
    assert "1 x 6 x 64 x 96" in shown, "half of 128 x 192"
    assert "padding: to multiples of 64 (found: by preprocessor_config.json beside the checkpoint)" in shown


def test_observed_layers_are_the_taps_and_those_that_are_named() -> None:
    example, network = torch.zeros(1, 3, HEIGHT, WIDTH), DropBlockAtTap().eval()
    assert observed_layers(network, example, ("deep",), ("head.0",)) == {"deep", "head.0"}
    assert observed_layers(NoDropout().eval(), example, (), ()) >= {"head"}, "a table without any tap"
    with pytest.raises(TapError, match="expected the name of a layer, got 'dep'"):
        observed_layers(network, example, (), ("dep",))


def test_listed_input_without_a_size_is_refused() -> None:
    with pytest.raises(UsageError, match="--input-size or --frames to list the layers"):
        listed_input(options(), checkpoint())


@pytest.mark.parametrize("size", [(0, WIDTH), (HEIGHT, -1)])
def test_listed_input_of_an_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=f"--input-size of at least 1 x 1, got {size[0]} x {size[1]}"):
        listed_input(options(input_size=size), checkpoint())


def test_black_input_of_a_size_too_small_for_the_network_is_refused() -> None:
    with pytest.raises(ConversionError, match="it raised RuntimeError"):
        black_input(Classifier().eval(), (3, 2, 2))


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
    with pytest.raises(TapError, match="expected the name of a layer, got 'dep': the nearest are deep"):
        listed_taps(options(tap=("dep",)), checkpoint())
