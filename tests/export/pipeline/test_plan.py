# SPDX-License-Identifier: Apache-2.0
"""The plan of an export: everything that is missing in one round, with the command that states it."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from export.cli.export import build_parser
from export.cli.flags import options_from
from export.errors import CheckpointError, ConversionError, ExportError, UsageError
from export.findings import SUBJECTS, Finding
from export.pipeline.export_monitor import export_monitor
from export.pipeline.options import ExportOptions
from export.pipeline.plan import ExportPlan, plan_export
from export.precision.options import PrecisionOptions
from tests.networks import block

STATED: dict[str, list[str]] = {
    "arguments": ["--model-arg", "channels=3", "classes=4"],
    "mean and deviation": ["--mean", "0.4", "0.5", "0.6", "--std", "0.2", "0.2", "0.25"],
    "tap": ["--tap", "deep"],
    "DropBlock": ["--drop-prob", "0.5", "--block-size", "2"],
    "output": ["--network-output", "probabilities"],
}


SIZE = ("--input-size", "32", "64")


class PlainUNet(nn.Module):
    """Nothing of what an export needs is stated: no dropout, two arguments without defaults, a softmax at the end."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.fine, self.deep, self.up = block(channels, 6), block(6, 8, stride=2), block(8 + 6, 6)
        self.head = nn.Conv2d(6, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        deep = nn.functional.interpolate(self.deep(fine), scale_factor=2.0)
        logits: Tensor = self.head(self.up(torch.cat([deep, fine], dim=1)))
        return logits.softmax(1)


def leaving(*_: object) -> nn.Module:
    raise SystemExit(0)


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("unet") / "my unet.ckpt"
    network = PlainUNet(3, 4).eval()
    for parameter in network.head.parameters():
        parameter.data *= 20  # so that classes differ
    torch.save({"state_dict": network.state_dict(), "hyper_parameters": {}}, path)
    return path


def options_of(unet: Path, out: Path, *words: str) -> ExportOptions:
    model = f"{PlainUNet.__module__}:PlainUNet"
    frames = [] if "--frames" in words else ["--frames", "nowhere"]
    flags = build_parser().parse(["--ckpt", str(unet), "--model", model, "--out", str(out), *frames, *SIZE, *words])
    options = options_from(flags, ExportOptions)
    return options if "--frames" in words else replace(options, frames=())


def missing(plan: ExportPlan) -> list[str]:
    return [finding.subject for finding in plan.findings if finding.origin == "missing"]


def filled(plan: ExportPlan) -> list[str]:
    """The completed command with what the user knows in place of each placeholder."""
    assert plan.command is not None
    known = {
        "--mean": "0.4 0.5 0.6",
        "--std": "0.2 0.2 0.25",
        "--drop-prob": "0.5",
        "--block-size": "2",
        "--tap": "deep",
    }
    words: list[str] = []
    values: Iterator[str] = iter([])
    for word in plan.command:
        if word.startswith("--"):
            values = iter(known.get(word, "").split())
        words.append(next(values) if word == "VALUE" else word)
    return words


GIVEN = [names for count in range(6) for names in itertools.combinations(STATED, count)]


@pytest.mark.parametrize("stated", random.Random(5).sample([names for names in GIVEN if "tap" in names], 6))
def test_plan_export_of_a_plain_network_misses_exactly_what_is_not_stated(
    stated: tuple[str, ...], unet: Path, tmp_path: Path
) -> None:
    words = [word for name in stated for word in STATED[name]]
    plan = plan_export(options_of(unet, tmp_path / "monitor", *words))
    assert missing(plan) == [name for name in SUBJECTS if name == "frames" or (name in STATED and name not in stated)]
    assert not plan.is_complete
    assert plan.command is not None
    assert {"channels=3", "classes=4"} <= {*plan.command}
    assert list(tmp_path.iterdir()) == []


def test_plan_export_whose_command_is_filled_in_exports(unet: Path, frames: Path, tmp_path: Path) -> None:
    words = [*STATED["arguments"], *STATED["tap"], "--frames", str(frames), "--mc-samples", "8"]
    plan = plan_export(
        options_of(unet, tmp_path / "my monitor", *words, "--false-alarm-rate", "0.1", "--detector", "kde")
    )
    assert missing(plan) == ["mean and deviation", "output", "DropBlock"]
    with pytest.raises(type(plan.problems[0]), match=r"got 3 problems: .*--mean and --std.*probabilities.*--drop-prob"):
        plan.ready()
    assert not plan.is_complete
    typed = options_from(build_parser().parse(filled(plan)), ExportOptions)
    again = plan_export(typed)
    assert (again.problems, again.is_complete) == ((), True)
    assert again.command is not None
    assert options_from(build_parser().parse(again.command), ExportOptions).network_output == "probabilities"
    result = export_monitor(typed)
    assert result.manifest.tap.layers == ("deep",)
    assert result.manifest.masks.block_size == 2


def test_export_monitor_with_several_problems_lists_them_and_reads_no_frame(
    unet: Path, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.pipeline.resolve.see_frames", None)
    words = [*STATED["arguments"], *STATED["tap"], *STATED["output"], "--frames", str(frames), "--max-flips", "2"]
    with pytest.raises(UsageError, match=r"got 3 problems: \(1\) .*--max-flips.*\(2\) .*--mean.*\(3\) .*--drop-prob"):
        export_monitor(options_of(unet, tmp_path / "monitor", *words))
    assert list(tmp_path.iterdir()) == []


def test_export_monitor_with_one_problem_raises_it_as_it_is(unet: Path, frames: Path, tmp_path: Path) -> None:
    given = ["arguments", "mean and deviation", "tap", "DropBlock"]
    words = [word for name in given for word in STATED[name]]
    with pytest.raises(ConversionError, match=r"^expected logits of the network, its outputs sum to 1") as caught:
        export_monitor(options_of(unet, tmp_path / "monitor", *words, "--frames", str(frames)))
    assert caught.value.words == ("--network-output", "probabilities")


def test_plan_export_without_a_network_says_what_cannot_be_looked_at(unet: Path, tmp_path: Path) -> None:
    plan = plan_export(replace(options_of(unet, tmp_path / "monitor"), model="nowhere_at_all:Net"))
    assert isinstance(plan.problems[0], CheckpointError)
    assert missing(plan) == ["network", "frames", "later"]
    assert (plan.inputs, plan.sampled) == (None, None)
    assert plan.findings[-1].value == "mean and deviation, output, tap, DropBlock"
    with pytest.raises(CheckpointError):
        plan.ready()


class Touching:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_plan_export_of_a_checkpoint_that_needs_trust_trusts_nothing(unet: Path, tmp_path: Path) -> None:
    sign, untrusted = tmp_path / "code has run", tmp_path / "untrusted.ckpt"
    torch.save({**torch.load(unet, weights_only=True), "hyper_parameters": {"loss": Touching(sign)}}, untrusted)
    words = [word for name in STATED for word in STATED[name]]
    plan = plan_export(options_of(untrusted, tmp_path / "monitor", *words))
    assert not sign.exists()
    (needs_trust, _) = plan.problems
    assert needs_trust.words == ("--trust-checkpoint",)
    assert plan.command is not None
    assert "--trust-checkpoint" not in plan.command
    assert plan.next_words is None
    assert plan.undecided == ("weights",)
    assert not plan.is_complete


def test_plan_export_of_code_that_exits_is_an_error(unet: Path, tmp_path: Path) -> None:
    given = replace(options_of(unet, tmp_path / "monitor"), model=f"{__name__}:leaving")
    assert any("sys.exit" in str(problem) for problem in plan_export(given).problems)


@pytest.mark.parametrize(
    ("given", "subject", "value"),
    [
        ({"mean": (102.0, 127.5, 153.0), "std": (51.0, 51.0, 63.75)}, "mean and deviation", "0.4 0.5 0.6 0.2 0.2 0.25"),
        ({"segmentation": "binary"}, "output", "classes"),
        ({"network_output": "log-probabilities"}, "output", "probabilities"),
        ({"precision": PrecisionOptions(max_flips=2)}, "options", ""),
        ({"mc_samples": 5}, "options", ""),
    ],
)
def test_plan_export_with_one_wrong_option_has_that_problem_alone(
    unet: Path, frames: Path, tmp_path: Path, given: dict[str, Any], subject: str, value: str
) -> None:
    words = [word for name in STATED for word in STATED[name]]
    right = options_of(unet, tmp_path / "monitor", *words, "--frames", str(frames))
    assert plan_export(right).problems == ()
    plan = plan_export(replace(right, **given))
    assert [
        finding.value for finding in plan.findings if finding.origin == "missing" and finding.subject == subject
    ] == [value]
    errors: list[ExportError] = list(plan.problems)
    assert len(errors) == 1
    assert all(error.words for error in errors)
    assert plan.is_complete == all("VALUE" not in error.words for error in errors)


def test_plan_export_with_frames_of_two_sizes_names_them_beside_what_else_is_missing(
    unet: Path, tmp_path: Path
) -> None:
    (tmp_path / "frames").mkdir()
    for i, width in enumerate((64, 64, 60, 64)):
        Image.fromarray(np.full((32, width, 3), 60 * i, np.uint8)).save(tmp_path / "frames" / f"{i}.png")
    stated = [word for words in STATED.values() for word in words]
    plan = plan_export(options_of(unet, tmp_path / "bundle", "--frames", str(tmp_path / "frames"), *stated))
    few, sizes = plan.problems
    assert "expected at least 19 frames" in str(few)
    assert "expected frames of one size, 32 x 64 (height x width) as in 0.png, got 32 x 60 in 2.png" in str(sizes)
    assert {finding.subject for finding in plan.findings if finding.origin == "missing"} == {"frames", "later"}


def test_plan_export_without_frames_guesses_no_size_that_an_export_would_not_take(unet: Path, tmp_path: Path) -> None:
    words = [word for name in STATED for word in STATED[name]]
    plan = plan_export(replace(options_of(unet, tmp_path / "monitor", *words), input_size=None))
    (size,) = [finding for finding in plan.findings if finding.subject == "input size"]
    assert size == Finding("input size", "256 x 512 (height x width) here", "guessed", size.reason)
    assert plan.command is not None
    assert "--input-size" not in plan.command
    assert plan.command[plan.command.index("--frames") + 1] == "VALUE"


def test_plan_export_without_a_size_leaves_guesses_that_depend_on_it_to_the_export(unet: Path, tmp_path: Path) -> None:
    given = options_of(
        unet, tmp_path / "monitor", *STATED["arguments"], *STATED["mean and deviation"], *STATED["output"]
    )
    pinned = {"--tap", "--drop-prob", "--block-size"}
    shown = {finding.subject: finding.value for finding in plan_export(replace(given, input_size=None)).findings}
    assert shown["DropBlock"] == "p = 0.5, b left open"
    assert " x " not in shown["tap"], "cells of a size that nothing states"
    sized, sizeless = plan_export(given), plan_export(replace(given, input_size=None))
    for plan in (sized, sizeless):
        assert [f.origin for f in plan.findings if f.subject in ("tap", "DropBlock")] == ["guessed", "guessed"]
    assert sized.command is not None
    assert sizeless.command is not None
    assert pinned <= {*sized.command}
    assert pinned.isdisjoint(sizeless.command)


@pytest.mark.parametrize("given", ["mean", "std"])
def test_plan_export_with_one_of_mean_and_deviation_asks_for_the_other_alone(
    given: str, unet: Path, tmp_path: Path
) -> None:
    words = [word for name in STATED if name != "mean and deviation" for word in STATED[name]]
    plan = plan_export(options_of(unet, tmp_path / "monitor", *words, f"--{given}", "0.5", "0.5", "0.5"))
    assert plan.command is not None
    other = {"mean": "--std", "std": "--mean"}[given]
    at = {flag: plan.command.index(flag) for flag in (f"--{given}", other)}
    assert plan.command[at[f"--{given}"] + 1] == "0.5"
    assert plan.command[at[other] + 1 : at[other] + 4] == ("VALUE",) * 3
