# SPDX-License-Identifier: Apache-2.0
"""A search without what it needs, without a tap, and of a module of the user's own program."""

import copy
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from export.cli import export as export_command
from export.cli import search as command
from export.cli.flags import options_from
from export.errors import CalibrationError, ExportError, TapError, UsageError
from export.option_table import options_of
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export
from export.search.flag_names import flags_of_search
from export.search.options import SearchOptions
from export.search.plan import plan_search
from export.search.search import export_command as words_of_export
from export.search.search import search
from tests.networks import block, settled


class PlainColours(nn.Module):
    """Nothing stochastic; the class of a pixel is mostly the largest of its channels, so that classes vary."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = nn.Sequential(block(3, 6, stride=2), block(6, 8, stride=2)), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return 8 * x + nn.functional.interpolate(self.head(self.encoder(x)), size=x.shape[-2:])


MODEL = f"{__name__}:PlainColours"
STATED: dict[str, Any] = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.2, 0.25), "input_size": (24, 32)}
FLAGS = {option.name for option in options_of(SearchOptions)}
SMALL: dict[str, Any] = {
    "samples": (8,),
    "detectors": ("kde",),
    "kinds": ("night",),
    "severity": (5,),
    "every": 3,
    "timed": 0,
}
"""Of a search that takes seconds."""


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return settled(PlainColours())


@pytest.fixture(scope="module")
def plain(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network that states nothing and has no dropout."""
    path = tmp_path_factory.mktemp("plain") / "my network.pt"
    torch.save(network.state_dict(), path)
    return path


def test_search_dry_run_prints_a_command_that_needs_nothing_but_what_stands_open(
    plain: Path, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--ckpt", str(plain), "--model", MODEL, "--dry-run", "--input-size", "24", "32"]
    assert command.main(words) == 2
    said = capsys.readouterr()
    assert re.search(r"^frames +missing ", said.out, re.MULTILINE)
    assert re.search(r"^tap +guessed ", said.out, re.MULTILINE)
    assert "put what you know in place of VALUE in the command above" in said.err
    *_, line = said.out.strip().splitlines()
    known = {
        "--frames": iter([str(frames)]),
        "--mean": iter(["0.4", "0.5", "0.6"]),
        "--std": iter(["0.2", "0.2", "0.2"]),
    }
    filled: list[str] = []
    for word in shlex.split(line.removeprefix("next: python -m export search ")):
        flag = word if word in known else next((w for w in reversed(filled) if w in known), "")
        filled.append(next(known[flag]) if word == "VALUE" else word)
    assert {"--taps", "--only-tap", "--drop-prob", "--block-size"} <= {*filled}
    assert command.main([*filled, "--dry-run"]) == 0
    assert options_from(command.build_parser().parse(filled), SearchOptions).taps


def test_plan_search_finds_what_the_plan_of_an_export_finds(plain: Path, frames: Path, tmp_path: Path) -> None:
    options = SearchOptions(plain, (frames,), model=MODEL, samples=(8, 16), drop_prob=1.5, block_size=2)
    searched, exported = plan_search(options), plan_export(replace(options.export_options((), 16), out=tmp_path / "m"))
    wanted = [finding for finding in exported.findings if finding.subject != "cost"]
    assert [replace(finding, words=()) for finding in searched.findings] == [
        replace(finding, words=()) for finding in wanted
    ]
    assert [flags_of_search(" ".join(finding.words)) for finding in wanted] == [
        " ".join(finding.words) for finding in searched.findings
    ]
    assert [str(problem) for problem in searched.problems] == [str(problem) for problem in exported.problems]
    assert searched.command is not None
    assert searched.command[0] == "search"
    assert list(tmp_path.iterdir()) == []


def test_search_without_taps_exports_the_default_tap_as_an_export_would_choose_it(
    plain: Path, frames: Path, tmp_path: Path
) -> None:
    options = SearchOptions(plain, (frames,), model=MODEL, **STATED, **SMALL)
    result = search(options)
    assert result.best is not None
    assert result.options.taps == (result.best.candidate.tap,)
    typed = options_from(
        export_command.build_parser().parse(words_of_export(result.best.candidate, result.options)), ExportOptions
    )
    assert plan_export(replace(typed, out=tmp_path / "m")).problems == ()
    plan = plan_export(ExportOptions(plain, (frames,), tmp_path / "m", model=MODEL, **STATED))
    assert plan.inputs is not None
    chosen = plan.inputs.options
    assert (typed.tap, typed.only_tap, typed.drop_prob, typed.block_size) == (
        chosen.tap,
        chosen.only_tap,
        chosen.drop_prob,
        chosen.block_size,
    )


def test_search_of_a_live_network_ranks_as_that_of_its_checkpoint_and_leaves_it_as_it_was(
    network: nn.Module, plain: Path, frames: Path
) -> None:
    options = SearchOptions(
        plain, (frames,), model=MODEL, taps=("encoder",), drop_prob=0.5, block_size=2, **STATED, **SMALL
    )
    before = copy.deepcopy(network.state_dict())
    network.train()
    live = search(replace(options, ckpt=None, model=None), network=network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.eval()
    assert live.ranked == search(options).ranked
    with pytest.raises(UsageError, match="expected a checkpoint or a live network, got both"):
        search(options, network=network)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"samples": (5,)}, UsageError),
        ({"taps": ("nowhere",)}, TapError),
        ({"frames": ()}, UsageError),
        ({"few": True}, CalibrationError),
        ({"segmentation": "none"}, UsageError),
        ({"drop_prob": 0.5}, UsageError),
        ({"mean": (123.0, 117.0, 104.0)}, UsageError),
    ],
)
def test_search_that_is_refused_names_flags_of_a_search_alone(
    wrong: dict[str, Any], error: type[ExportError], plain: Path, frames: Path
) -> None:
    if "few" in wrong:
        wrong = {"frames": tuple(sorted(frames.iterdir())[:39])}
    given: dict[str, Any] = {"frames": (frames,), "model": MODEL, **STATED, **SMALL} | wrong
    with pytest.raises(error) as caught:
        search(SearchOptions(plain, **given))
    named = re.findall(r"(?<![\w-])--[a-z][a-z-]*", f"{caught.value} {' '.join(caught.value.words)}")
    assert {*named} <= FLAGS | {"--list-layers"}


@given(st.lists(st.sampled_from(sorted(option.name for option in options_of(ExportOptions))), max_size=6))
def test_flags_of_search_of_a_text_changes_flags_that_a_search_has_under_another_name_alone(names: list[str]) -> None:
    text = " ".join(f"({name})" for name in names)
    changed = re.findall(r"--[a-z-]+", flags_of_search(text))
    assert len(changed) == len(names)
    for name, new in zip(names, changed, strict=True):
        assert new == name or (name not in FLAGS and new in FLAGS)
    assert flags_of_search(flags_of_search(text)) == flags_of_search(text)
