# SPDX-License-Identifier: Apache-2.0
"""Questions for what an export misses, answered on a terminal."""

import io
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from export.cli import export, interactive
from export.cli.console import ConsoleReporter
from export.cli.flags import options_from
from export.errors import CheckpointError, ExportError, TapError, UsageError
from export.findings import Finding
from export.pipeline.options import ExportOptions
from tests.default_signals import hear_signals
from tests.paths import ROOT

OPTIONS = ExportOptions(Path("x.ckpt"), (Path("day"),), Path("monitor"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def plans(*problems: Sequence[ExportError], guesses: Sequence[Finding] = ()) -> Iterator[SimpleNamespace]:
    """One plan after the other, each with its problems, then one with guesses and one without."""
    for each in problems:
        findings = tuple(Finding("subject", "", "missing", str(error), error.words) for error in each)
        yield SimpleNamespace(findings=findings, problems=tuple(each))
    for left in (guesses, ()):
        yield SimpleNamespace(findings=tuple(left), problems=())


def ask(
    monkeypatch: pytest.MonkeyPatch,
    answers: str,
    *problems: Sequence[ExportError],
    guesses: Sequence[Finding] = (),
    asks_out: bool = False,
) -> ExportOptions:
    rounds = plans(*problems, guesses=guesses)
    monkeypatch.setattr(interactive, "plan_export", lambda *_: next(rounds))
    monkeypatch.setattr(sys, "stdin", Terminal(answers))
    return interactive.complete_options(OPTIONS, ConsoleReporter(quiet=False), asks_out=asks_out)


def test_complete_options_asks_for_each_flag_until_its_answer_can_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mean = UsageError("expected --mean", words=["--mean", *["VALUE"] * 3, "--std", "0.2", "0.2", "0.2"])
    arguments = CheckpointError("expected arguments", words=["--model-arg", "depth=VALUE", "classes=4"])
    answers = "0.4 0.5\n0.4 half 0.6\n\n0.4 0.5 0.6\n\n\n[1\n3\n\n"
    options = ask(monkeypatch, answers, [mean, arguments])
    assert (options.mean, options.std) == ((0.4, 0.5, 0.6), (0.2, 0.2, 0.2))
    assert options.model_args == {"depth": 3, "classes": 4}
    printed = capsys.readouterr().err
    assert "expected another number of values behind --mean, got 2: it takes R G B" in printed
    assert "expected a value that --mean takes, got 0.4 half 0.6" in printed
    assert "--std [0.2 0.2 0.2] " in printed
    assert "--model-arg classes= [4] " in printed
    assert "expected a value of depth" in printed
    assert (
        "command: python -m export --ckpt x.ckpt --model-arg depth=3 classes=4 --mean 0.4 0.5 0.6 --std 0.2 0.2 0.2"
        in printed
    )


def test_complete_options_asks_again_for_what_a_plan_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    tap = TapError("expected the name of a layer", words=["--tap", "VALUE"])
    options = ask(monkeypatch, "deeep\n'my deep' low\n", [tap], [tap])
    assert options.tap == ("my deep", "low")


GUESSES = [
    Finding("tap", "deep, 4 x 4 cells", "guessed", "by a rule", ("--tap", "deep", "--only-tap")),
    Finding("DropBlock", "p = 0.5, b = 2", "guessed", "fits", ("--drop-prob", "0.5", "--block-size", "2")),
    Finding("channels", "rgb", "guessed", "nothing states another order"),
    Finding("weights", "all", "guessed", "harmless", ("--trust-checkpoint",)),
]


def test_complete_options_asks_for_guesses_with_the_guess_as_default_and_states_what_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ask(monkeypatch, "\n\n0.3\n\n", guesses=GUESSES)
    assert (options.tap, options.only_tap, options.drop_prob, options.block_size) == (("deep",), True, 0.3, 2)
    assert not options.trust_checkpoint, "what needs consent is no guess to confirm"
    printed = capsys.readouterr().err
    for question in ("--tap [deep] ", "--only-tap? y or n [y] ", "--drop-prob [0.5] ", "--block-size [2] "):
        assert printed.count(question) == 1
    assert "command: python -m export --ckpt x.ckpt --only-tap --drop-prob 0.3 --block-size 2" in printed


def test_complete_options_leaves_a_guessed_switch_off_for_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ask(monkeypatch, "head\nn\n\n\n", guesses=GUESSES[:2])
    assert (options.tap, options.only_tap) == (("head",), False)


def test_complete_options_asks_for_a_folder_that_can_be_written_and_proposes_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert ask(monkeypatch, "\n", asks_out=True).out == Path("monitor")
    assert ask(monkeypatch, "full\nfree\n", asks_out=True).out == Path("free")
    printed = capsys.readouterr().err
    assert printed.count("--out [monitor] ") == 3
    assert "full" in printed


def test_complete_options_prints_its_table_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tap = TapError("expected the name of a layer", words=["--tap", "VALUE"])
    missing = UsageError("expected a mean", words=["--mean", "VALUE", "VALUE", "VALUE"])
    ask(monkeypatch, "deep\n1 1 1\n\n\n", [tap, missing], guesses=GUESSES[1:2])
    assert len(re.findall(r"^subject +missing", capsys.readouterr().err, flags=re.MULTILINE)) == 2, "two rows, once"


@pytest.mark.parametrize(("answer", "thrown"), [("y\n", True), ("\n", False), ("n\n", False)])
def test_complete_options_throws_a_switch_for_a_yes_alone(
    answer: str, thrown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = CheckpointError("it may run any code", words=["--trust-checkpoint"])
    if thrown:
        assert ask(monkeypatch, answer, [trust]).trust_checkpoint
    else:
        with pytest.raises(UsageError, match="--trust-checkpoint or something in its place"):
            ask(monkeypatch, answer, [trust])


def test_complete_options_of_a_problem_beyond_flags_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="cut off"):
        ask(monkeypatch, "", [CheckpointError("cut off"), UsageError("expected --mean", words=["--mean", "VALUE"])])


def test_complete_options_at_the_end_of_the_input_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(monkeypatch, "", [TapError("expected a layer", words=["--tap", "VALUE"])])


def test_ask_for_checkpoint_takes_a_file_that_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my net.ckpt").touch()
    monkeypatch.setattr(sys, "stdin", Terminal(f"\n{tmp_path}\n'open\n'{tmp_path}/my net.ckpt'\n"))
    assert interactive.ask_for_checkpoint() == tmp_path / "my net.ckpt"


def test_export_command_interactive_without_a_terminal_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("x.ckpt\n"))
    assert export.main(["--interactive"]) == 2
    assert "expected a terminal for --interactive, got none: give what --dry-run names" in capsys.readouterr().err


NETWORK = """
from torch import nn

class Plain(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.deep = nn.Sequential(nn.Conv2d(channels, 8, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Sequential(nn.Conv2d(8, classes, 1), nn.Upsample(scale_factor=2))

    def forward(self, x):
        return self.head(self.deep(x))
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file of a network's class, and one of its weights alone."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "plain_network.py").write_text(NETWORK)
    scope: dict[str, Any] = {}
    exec(NETWORK, scope)
    torch.save(scope["Plain"](3, 4).state_dict(), folder / "weights.pt")
    return folder


class Typist:
    """A command on a pseudo-terminal, and somebody who answers its questions as they come."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._terminal, end = pty.openpty()
        environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        command = [sys.executable, "-m", "export", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=end, stdout=end, stderr=end, preexec_fn=hear_signals
        )
        os.close(end)
        self.shown = ""

    def answer(self, question: str, words: str) -> None:
        """Wait for a question and type words."""
        seen = len(self.shown)
        while question not in self.shown[seen:]:
            self.shown += os.read(self._terminal, 4096).decode()
        os.write(self._terminal, words.encode())

    def leave(self) -> int:
        """Read on to the end; the exit code."""
        with suppress(OSError):  # by which Linux tells that the other end is closed
            while more := os.read(self._terminal, 4096):
                self.shown += more.decode()
        os.close(self._terminal)
        return self.process.wait()


def test_export_command_interactive_on_a_terminal_asks_and_prints_a_command_that_misses_nothing(
    plain: Path, frames: Path
) -> None:
    before = sorted(plain.rglob("*"))
    typist = Typist(plain, "--interactive", "--dry-run", "--model", "plain_network:Plain", "--tap", "deep")
    typist.answer("--ckpt FILE ", "nowhere.pt\n")
    typist.answer("--ckpt FILE ", "weights.pt\n")
    typist.answer("--model-arg channels= ", "3\n")
    typist.answer("--model-arg classes= ", "4\n")
    typist.answer("--frames ", f"'{frames}'\n")
    typist.answer("--mean ", "0.4 0.4 0.4\n")
    typist.answer("--std ", "51 51 51\n")
    typist.answer("--drop-prob ", "0.5\n")
    typist.answer("--block-size ", "2\n")
    typist.answer("--mean [", "\n")
    typist.answer("--std [", "\n")
    typist.answer("--out [monitor] ", "weights.pt\n")
    typist.answer("--out [monitor] ", "mine\n")
    assert typist.leave() == 0, typist.shown
    assert len(re.findall(r"^weights +found", typist.shown, flags=re.MULTILINE)) <= 2, "a table before, one behind"
    (command,) = re.findall(r"^command: python -m export (.*?)\r$", typist.shown, flags=re.MULTILINE)
    options = options_from(export.build_parser().parse(shlex.split(command)), ExportOptions)
    assert options.frames == (frames,)
    assert options.std == (0.2, 0.2, 0.2)
    assert options.out == Path("mine")
    assert {path for path in plain.rglob("*") if "__pycache__" not in path.parts} == {*before}


@pytest.mark.parametrize("ending", ["end of input", "interrupt"])
def test_export_command_interactive_that_is_left_writes_nothing(ending: str, plain: Path) -> None:
    before = {path for path in plain.rglob("*") if "__pycache__" not in path.parts}
    typist = Typist(plain, "--interactive")
    typist.answer("--ckpt FILE ", "\x04" if ending == "end of input" else "weights")
    if ending == "interrupt":
        typist.process.send_signal(signal.SIGINT)
    assert typist.leave() == 130
    assert "nothing is half written" in typist.shown
    assert {path for path in plain.rglob("*") if "__pycache__" not in path.parts} == before
