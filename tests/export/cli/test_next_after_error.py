# SPDX-License-Identifier: Apache-2.0
"""The command that is printed behind an error is never the one that failed: it is right, or has a placeholder to fill."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from export.cli.export import main
from export.errors import UsageError
from export.option_table import command_words, with_words, without_flags
from export.pipeline.culprits import culprit_words
from export.pipeline.options import ExportOptions

NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=4, width=6):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU())
        self.drop, self.head = nn.Dropout2d(0.5), nn.Conv2d(width, classes, 1)

    def forward(self, x):
        return self.head(self.drop(self.encoder(x)))

class Two(Net):
    def forward(self, x):
        logits = super().forward(x)
        return {"logits": logits, "edges": logits[:, :2]}

def renamed(classes, **others):
    return Net(classes)

def broken(classes=4):
    table = {}
    return table["encoder"]
"""

STATED = ["--model", "net.py:Net", "--input-size", "32", "32", "--dry-run"]
STATED += ["--mean", "0.4", "0.5", "0.6", "--std", "0.2", "0.2", "0.2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "syntax.py").write_text("import torch\n\ndef make(:\n    return 1\n")
    scope: dict[str, type] = {}
    exec(NETWORK, scope)
    torch.manual_seed(0)
    weights = scope["Net"]().state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    torch.save({"student": weights}, tmp_path / "keyed.pt")
    other = {name: 2 * value for name, value in weights.items()}
    both = {f"{head}.{name}": value for head, each in (("a", weights), ("b", other)) for name, value in each.items()}
    torch.save(both, tmp_path / "two.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    return tmp_path


def printed(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """Words of the command that a dry run prints behind an error, none where it prints none, and all that it says."""
    capsys.readouterr()
    typed = shlex.split(words)
    flags = {word for word in typed if word.startswith("--")}
    stated: list[str] = []
    for word in STATED:
        if word.startswith("--"):
            kept = word not in flags
        stated += [word] if kept else []
    assert main([*(["--ckpt", "weights.pt"] if "--ckpt" not in flags else []), *typed, *stated]) != 0
    said = capsys.readouterr()
    lines = [line for line in said.out.splitlines() if line.startswith("next: ")]
    assert len(lines) <= 1
    return shlex.split("".join(lines).removeprefix("next: python -m export ")), said.out + said.err


def behind(flag: str, words: list[str]) -> list[str]:
    start = words.index(flag) + 1
    end = next((i for i in range(start, len(words)) if words[i].startswith("--")), len(words))
    return words[start:end]


@pytest.mark.parametrize(
    ("typed", "flag", "value"),
    [
        ("--ckpt wieghts.pt", "--ckpt", "weights.pt"),
        ("--ckpt nowhere.ckpt", "--ckpt", "VALUE"),
        ("--tap encodr", "--tap", "encoder"),
        ("--tap zzz", "--tap", "VALUE"),
        ("--tap encoder zzz", "--tap", "encoder VALUE"),
        ("--ckpt keyed.pt --key studnet", "--key", "student"),
        ("--std 0 0.2 0.2", "--std", "VALUE VALUE VALUE"),
        ("--mean nan 0.2 0.2", "--mean", "VALUE VALUE VALUE"),
        ("--crop 0 0 0 32", "--crop", "VALUE VALUE VALUE VALUE"),
        ("--model net.py:Two --output edgs", "--output", "VALUE"),
        ("--model net.py:Nett", "--model", "net.py:Net"),
        ("--model nett.py:Net", "--model", "VALUE"),
        ("--model nowhere_at_all:Net", "--model", "VALUE"),
        ("--model-arg classes=5", "--model-arg", "classes=4"),
        ("--model net.py:renamed --model-arg clases=4", "--model-arg", "classes=4"),
        ("--model-arg widht=6 classes=4", "--model-arg", "classes=4 width=6"),
        ("--method forwards", "--method", "VALUE"),
        ("--mc-samples 4", "--mc-samples", "VALUE"),
        ("--feature-layers haed", "--feature-layers", "head"),
        ("--ckpt two.pt", "--prefix", "VALUE"),
    ],
)
def test_dry_run_of_a_wrong_value_prints_a_command_without_it(
    typed: str, flag: str, value: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, said = printed(typed, capsys)
    assert behind(flag, words) == value.split()
    if "VALUE" in value:
        assert "in place of VALUE" in said


@pytest.mark.parametrize(
    ("typed", "subject"),
    [
        ("--mc-samples 4 --neighbors 4", "options"),  # either may be the wrong one
        ("--false-alarm-rate 0.001", "frames"),  # more frames, or another rate
        ("--guarantee drives --group-by folder", "frames"),
        ("--model net.py:broken", "arguments"),
    ],
)
def test_dry_run_of_what_the_user_alone_can_decide_prints_no_command_and_says_on_what(
    typed: str, subject: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(folder / "day")
    words, said = printed(f"{typed} --frames day", capsys)
    assert words == []
    assert said.endswith(f"decide on {subject} as the table says, then type your command anew\n")
    assert "VALUE" not in said


@pytest.mark.parametrize("typed", ["--train-frames night", "--ood-frames night --detector kde-classifier"])
def test_dry_run_reads_which_frames_there_are_to_compare_with(
    typed: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(folder / "day")
    words, _ = printed(f"{typed} --frames day", capsys)
    assert behind(typed.split()[0], words) == ["VALUE"]


def write_pictures(folder: Path) -> None:
    folder.mkdir()
    for number, picture in enumerate(np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)):
        Image.fromarray(picture).save(folder / f"{number:02d}.png")


@pytest.mark.parametrize("typed", ["--output logits", "--output out --segmentation none"])
def test_dry_run_of_a_flag_that_has_to_go_prints_a_command_without_it(
    typed: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, _ = printed(typed, capsys)
    assert "--output" not in words


def test_dry_run_of_two_candidate_weights_lists_both(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = printed("--ckpt two.pt", capsys)
    assert "--prefix a." in said
    assert "--prefix b." in said


@pytest.mark.parametrize(
    ("typed", "subject", "place"),
    [
        ("--model net.py:broken", "arguments", 'net.py:24 (`return table["encoder"]`)'),
        ("--model syntax.py:make", "network", "syntax.py:3 (`def make(:`)"),
    ],
)
def test_dry_run_of_a_users_own_error_names_its_line(
    typed: str, subject: str, place: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = printed(typed, capsys)
    text = " ".join(said.split())
    assert place in text
    assert f"{subject} missing expected" in text
    assert "or install it" not in text


def test_dry_run_of_a_misspelt_argument_names_the_right_one_and_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = printed("--model net.py:renamed --model-arg clases=4", capsys)
    assert "clases (did you mean classes?)" in " ".join(said.split())


@given(st.sets(st.sampled_from(["--pad", "--crop", "--tap", "--key", "--seed"])), st.sets(st.sampled_from(["a", "b"])))
def test_culprit_words_are_the_one_typed_flag_that_the_message_names(named: set[str], keys: set[str]) -> None:
    typed = ["--pad", "32", "--crop", "1", "2", "3", "4", "--tap", "x", "y", "--model-arg", "a=1", "b=2", "--only-tap"]
    options = with_words(ExportOptions(Path("x"), (), Path("out")), typed)
    message = f"expected {' and '.join(named)} or --only-tap, --method, got {' '.join(keys)} of --model-arg: check them"
    words = culprit_words(UsageError(message), options)
    blanked = with_words_of(words)
    wrong = named & {"--pad", "--crop", "--tap"} | ({"--model-arg"} if keys else set())
    assert set(blanked) == (wrong if len(wrong) == 1 else set()), "of several the user alone knows which is wrong"
    assert blanked.get("--crop", ["VALUE"] * 4) == ["VALUE"] * 4
    assert blanked.get("--model-arg", []) == [f"{key}=VALUE" for key in sorted(keys) if len(wrong) == 1]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("expected --pad of 8, got 7: raise it, or lower --crop", ("--pad", "VALUE")),
        ("expected more, got 7: raise --pad, or lower --crop", ()),
        ("expected day: expected --pad of 8, got 7: raise --pad, or lower --crop", ("--pad", "VALUE")),
        ("expected --pad above --crop, got 7: raise it", ()),
        ("expected more, got 7: raise --pad or --block-size", ("--pad", "VALUE")),
    ],
)
def test_culprit_words_of_several_flags_are_those_in_front_of_the_remedy(message: str, words: tuple[str, ...]) -> None:
    typed = ["--pad", "32", "--crop", "1", "2", "3", "4"]
    assert culprit_words(UsageError(message), with_words(ExportOptions(Path("x"), (), Path("out")), typed)) == words


def with_words_of(words: tuple[str, ...]) -> dict[str, list[str]]:
    flags = [word for word in words if word.startswith("--")]
    return {flag: behind(flag, list(words)) for flag in flags}


@given(st.sets(st.sampled_from(["--pad", "--crop", "--tap", "--model-arg=a"])))
def test_without_flags_gives_the_options_that_were_not_typed(dropped: set[str]) -> None:
    typed = {"--pad": ["32"], "--crop": ["1", "2", "3", "4"], "--tap": ["x", "y"]}
    plain = ExportOptions(Path("x"), (Path("day"),), Path("out"))
    arguments = with_words(plain, ["--model-arg", "a=1", "b=2"])
    options = with_words(arguments, [word for flag, values in typed.items() for word in (flag, *values)])
    left = without_flags(options, dropped)
    kept = [word for flag, values in typed.items() if flag not in dropped for word in (flag, *values)]
    keys = ["b=2"] if "--model-arg=a" in dropped else ["a=1", "b=2"]
    assert left == with_words(plain, [*kept, "--model-arg", *keys])
    assert command_words(left) == command_words(with_words(plain, [*kept, "--model-arg", *keys]))
