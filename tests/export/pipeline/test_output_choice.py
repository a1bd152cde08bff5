# SPDX-License-Identifier: Apache-2.0
"""Networks that return more than one tensor, or that are called by another method: exported, listed and searched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

from export.calibration.options import CalibrationOptions
from export.cli.export import main
from export.frames.files import FrameFiles
from export.pipeline.export_monitor import export_monitor
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export
from export.search.options import SearchOptions
from export.search.search import export_command, search
from lsood_runtime import OoDMonitor, read_manifest
from tests.export.pipeline.told_reporter import ToldReporter
from tests.networks import ColourClasses, settled
from tests.returning_networks import Inner, OnlyPart, Returning, SqueezedInDict, WithoutForward

MEAN, STD = (0.46, 0.45, 0.44), (0.5, 0.5, 0.5)
NETWORKS: dict[str, Callable[..., torch.nn.Module]] = {
    "Returning": Returning,
    "Inner": Inner,
    "WithoutForward": WithoutForward,
    "SqueezedInDict": SqueezedInDict,
    "OnlyPart": OnlyPart,
}


def saved(folder: Path, name: str, **arguments: object) -> torch.nn.Module:
    torch.manual_seed(3)
    network = settled(NETWORKS[name](**arguments))
    torch.save(network.state_dict(), folder / "network.pt")
    return network


def logits_of(network: torch.nn.Module, rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
    """Of the network inside each of them, by plain Python, ``(3, H, W)``."""
    images = torch.from_numpy(((rgb / 255 - np.array(MEAN)) / np.array(STD)).transpose(2, 0, 1)[None]).float()
    inside = network.model if isinstance(network, WithoutForward) else network
    assert isinstance(inside, ColourClasses)
    with torch.no_grad():
        return ColourClasses.forward(inside, images)[0]


@pytest.mark.parametrize(
    ("name", "arguments", "given", "recorded", "said"),
    [
        ("Returning", {"container": "library"}, {}, "logits", ("logits (1, 3, 32, 64)", "guessed")),
        ("Returning", {"container": "tuple"}, {"output": "1", "fuse": True}, "1", ("1 (1, 3, 32, 64)", "given")),
        ("Returning", {"container": "dict"}, {"format": "torchscript"}, "out", ("out (1, 3, 32, 64)", "guessed")),
        ("Inner", {}, {"method": "predict", "masks": "fresh"}, "mask", ("mask (1, 3, 32, 64)", "found")),
        ("WithoutForward", {}, {"method": "model", "tap": ("model.drop_block1",)}, None, ("(1, 3, 32, 64)", "found")),
        ("SqueezedInDict", {}, {"segmentation": "binary"}, "mask", ("mask (1, 32, 64)", "guessed")),
    ],
)  # fmt: skip
def test_export_of_a_network_with_several_outputs_has_the_segmentation_of_the_chosen_one(
    name: str,
    arguments: dict[str, object],
    given: dict[str, Any],
    recorded: str | None,
    said: tuple[str, str],
    tmp_path: Path,
    own_size_frames: Path,
) -> None:
    told = ToldReporter()
    network = saved(tmp_path, name, **arguments)
    options = ExportOptions(
        tmp_path / "network.pt",
        (own_size_frames,),
        tmp_path / "bundle",
        model=f"tests.returning_networks:{name}",
        model_args=arguments,
        mean=MEAN,
        std=STD,
        mc_samples=8,
        **{"calibration": CalibrationOptions(detector="kde"), **given},
    )
    manifest = export_monitor(options, told).manifest
    assert manifest.name == name
    assert (manifest.config["output"], manifest.config["method"]) == (recorded, given.get("method"))
    assert [(one.value, one.origin) for one in told.told if one.subject == "output"] == [said]
    files = FrameFiles((own_size_frames,))
    with OoDMonitor(tmp_path / "bundle") as monitor:
        for i in (5, 20):
            logits = logits_of(network, files[i])
            wanted = (logits[2] > logits[0]).numpy() if name == "SqueezedInDict" else logits.argmax(0).numpy()
            assert 0.02 < np.mean(wanted == 0) < 0.98  # the map is not all of one class
            assert np.mean(np.asarray(monitor.assess(files[i]).segmentation) != wanted) < 0.002
    if given.get("fuse"):
        fused = ort.InferenceSession(tmp_path / "bundle" / "monitor.onnx", providers=["CPUExecutionProvider"])
        (classes,) = fused.run(["segmentation"], {"frame": np.array(files[5])[None]})
        assert np.mean(classes[0] != logits_of(network, files[5]).argmax(0).numpy()) < 0.002
    if "format" in given:
        traced = torch.jit.load(tmp_path / "bundle" / "monitor.pt")  # type: ignore[no-untyped-call]
        _, classes, *_ = traced(torch.from_numpy(np.array(files[5])[None]))
        assert np.mean(classes[0].numpy() != logits_of(network, files[5]).argmax(0).numpy()) < 0.002


def test_export_command_of_an_ambiguous_output_is_completed_by_its_own_message(
    tmp_path: Path, own_size_frames: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, "Returning", container="list")
    monkeypatch.chdir(tmp_path)
    words = (
        "--ckpt network.pt --model tests.returning_networks:Returning --model-arg container=list --out m --mc-samples 8 "
        f"--mean 0.46 0.45 0.44 --std 0.5 0.5 0.5 --frames {own_size_frames}"
    ).split()
    assert main(words) == 4
    error = capsys.readouterr().err.splitlines()[-1]
    assert "it returned 0 (1, 3, 32, 64), 1 (1, 3, 32, 64): give --output 0 or --output 1, or leave" in error
    way = error.partition("give ")[2].partition(",")[0].split(" or ")[-1].split()
    assert main([*words, *way]) == 0
    assert read_manifest(tmp_path / "m").config["output"] == "1"


def test_list_layers_of_a_network_without_a_forward_lists_them_by_the_method_that_its_message_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, "WithoutForward")
    monkeypatch.chdir(tmp_path)
    words = [
        "--ckpt",
        "network.pt",
        "--model",
        "tests.returning_networks:WithoutForward",
        "--list-layers",
        "--input-size",
        "32",
        "64",
    ]
    assert main(words) == 4
    error = capsys.readouterr().err.splitlines()[-1]
    way = error.partition("give ")[2].partition(",")[0].split(" or ")[0].split()
    assert way == ["--method", "encode_decode"]
    assert main([*words, *way]) == 0
    assert any(line.startswith("model.drop_block1 ") for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("name", "words"), [("OnlyPart", ("--method", "model")), ("SqueezedInDict", ("--segmentation", "binary"))]
)
def test_plan_export_of_a_network_that_is_called_otherwise_completes_the_command(
    name: str, words: tuple[str, str], tmp_path: Path
) -> None:
    saved(tmp_path, name)
    options = ExportOptions(
        tmp_path / "network.pt",
        (),
        tmp_path / "bundle",
        model=f"tests.returning_networks:{name}",
        mean=MEAN,
        std=STD,
        input_size=(32, 64),
    )
    command = plan_export(options).command
    assert command is not None
    assert command[command.index(words[0]) + 1] == words[1]


@pytest.mark.parametrize(
    ("name", "arguments", "given", "reason"),
    [
        ("Returning", {"container": "dict"}, {}, ""),
        ("Returning", {"container": "tuple"}, {"output": "1"}, ""),
        ("Returning", {"container": "list"}, {"segmentation": "none"}, ""),
        ("Inner", {}, {"method": "predict"}, "called by --method predict"),
        ("WithoutForward", {}, {"method": "model"}, "called by --method model"),
        ("SqueezedInDict", {}, {"segmentation": "binary"}, ""),
    ],
)
def test_plan_export_of_a_network_whose_output_is_chosen_names_the_users_class_and_the_method(
    name: str, arguments: dict[str, object], given: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    saved(tmp_path, name, **arguments)
    options = ExportOptions(
        tmp_path / "network.pt",
        (),
        tmp_path / "bundle",
        model=f"tests.returning_networks:{name}",
        model_args=arguments,
        mean=MEAN,
        std=STD,
        input_size=(32, 64),
        **given,
    )
    plan = plan_export(options)
    found = [(each.value, each.origin, each.reason) for each in plan.findings if each.subject == "network"]
    assert found == [(name, "given", reason)]
    assert not [each.sentence for each in plan.findings if "ChosenOutput" in each.sentence]


@pytest.mark.slow  # a search and an export; what a search prints is tested by test_search
def test_search_of_a_network_with_several_outputs_prints_the_export_that_takes_the_same_one(
    tmp_path: Path, own_size_frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = saved(tmp_path, "Returning", container="tuple")
    options = SearchOptions(
        tmp_path / "network.pt",
        (own_size_frames,),
        model="tests.returning_networks:Returning",
        model_args={"container": "tuple"},
        output="1",
        segmentation="logits",
        only_tap=True,
        mean=MEAN,
        std=STD,
        samples=(8,),
        detectors=("kde",),
        kinds=("fog", "night"),
        severity=(5,),
        every=6,
        timed=1,
        guide=False,
    )
    result = search(options)
    assert result.best is not None
    words = export_command(result.best.candidate, options)
    assert {"--output", "--only-tap"} <= {*words}
    assert words[words.index("--segmentation") + 1] == "logits"
    monkeypatch.chdir(tmp_path)
    assert main(words) == 0
    logits = logits_of(network, FrameFiles((own_size_frames,))[5])
    with OoDMonitor(tmp_path / "monitor") as monitor:
        found = np.asarray(monitor.assess(FrameFiles((own_size_frames,))[5]).segmentation)
    np.testing.assert_allclose(found, logits.numpy(), atol=2e-3)
