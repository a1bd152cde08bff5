# SPDX-License-Identifier: Apache-2.0
"""A command that writes, stopped at any time by Ctrl-C, SIGTERM or SIGHUP: the old or the new, whole, nothing beside it."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.default_signals import hear_signals
from tests.paths import ROOT
from tests.power_loss import Tree, tree
from tests.writing_commands import WRITING_COMMANDS, WritingCommand

pytestmark = pytest.mark.usefixtures("signals_that_stop")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TWICE = (signal.SIGTERM, signal.SIGHUP)
"""Sent to a process, and once more to its group, as ``timeout`` does."""
_SAID = {
    "export": {
        number: rf"export: (interrupted|stopped by {number.name}); nothing is half written" for number in _SIGNALS
    },
    "lsood_runtime": {number: rf"lsood: (interrupted|stopped by {number.name}).*" for number in _SIGNALS},
}


@dataclass(frozen=True)
class Stop:
    """How a command ended.

    Attributes:
        code: its exit code.
        lines: on stderr.
        left: the folder of its outputs.
    """

    code: int
    lines: tuple[str, ...]
    left: Tree


def handles(process: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status, re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def stopped(words: list[str], folder: Path, number: signal.Signals | None, after: float) -> tuple[Stop, float]:
    """Run a command and send it a signal: how it ended, and how long it ran from its first line of code on.

    Args:
        words: behind ``python -m``.
        folder: of the outputs.
        number: of the signal; None to let it run.
        after: the first line of code, in seconds.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=hear_signals,
    ) as process:
        while process.poll() is None and not handles(process.pid, signal.SIGTERM):
            time.sleep(0.001)
        begun = time.monotonic()
        try:
            _, err = process.communicate(timeout=None if number is None else after)
        except subprocess.TimeoutExpired:
            assert number is not None
            process.send_signal(number)
            if number in _TWICE:
                process.send_signal(number)
            _, err = process.communicate(timeout=300)
        ran = time.monotonic() - begun
    return Stop(process.returncode, tuple(err.splitlines()), tree(folder)), ran


def stop_often(command: WritingCommand, words: list[str], folder: Path, before: Path, stops: int, seed: int) -> None:
    """Stop a command so often at random times, and look at what is left each time."""

    def anew() -> list[str]:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(before, folder)
        return [word.replace("OUT", str(folder)) for word in words]

    whole, length = stopped(anew(), folder, None, 0.0)
    assert whole.code in ((0, 1) if words[0] == "lsood_runtime" else (0,)), whole.lines
    rng, old, count = random.Random(seed), tree(before), 0
    while count < stops:
        number = _SIGNALS[count % len(_SIGNALS)]
        after = rng.uniform(0, length)
        end, ran = stopped(anew(), folder, number, after)
        when = f"{number.name} after {after:.3f} s of {length:.3f}: {end.code}, {end.lines}"
        assert old.keys() <= end.left.keys() <= old.keys() | whole.left.keys(), f"nothing hidden, {when}"
        said = sum(bool(re.fullmatch(_SAID[words[0]][number], line)) for line in end.lines)
        if end.code == -number and not said:  # all is done, and the interpreter clears up
            assert all(end.left.get(name) != old.get(name) for name in command.outs), when
        elif end.code == whole.code:  # it was faster than the first run
            length = min(length, ran)
        else:
            count += 1
            # Python ends itself by SIGINT where that came within exec() of text, as of dataclasses; a shell reports 130.
            assert end.code == 128 + number or end.code == -signal.SIGINT, when
            assert said == 1, when
            assert "Traceback" not in "".join(end.lines), when
        if words[:2] != ["lsood_runtime", "score"] and words[:2] != [
            "lsood_runtime",
            "watch",
        ]:  # these keep the rows so far
            for name in command.outs:
                assert shape(end.left.get(name)) in (shape(old.get(name)), shape(whole.left[name])), f"{name}, {when}"


def shape(node: Tree | bytes | None) -> object:
    """Names and sizes: bundles of two runs differ in the time that is written in them."""
    if isinstance(node, dict):
        return {name: shape(each) for name, each in node.items()}
    return None if node is None else "empty" if not node else "old" if node == b"old" else "filled"


@pytest.fixture
def before(tmp_path: Path, bundle: Path) -> Path:
    folder = tmp_path / "before"
    shutil.copytree(bundle, folder / "monitor")
    for name in ("r.csv", "s.csv", "t.png", "features.npz"):
        (folder / name).write_bytes(b"old")
    return folder


def test_command_stopped_at_a_few_random_times_leaves_the_old_or_the_new(
    tmp_path: Path, before: Path, bundle: Path, frames: Path, checkpoint: Path
) -> None:
    words = WRITING_COMMANDS["watch"].with_inputs(bundle, frames, checkpoint)
    stop_often(WRITING_COMMANDS["watch"], words, tmp_path / "outputs", before, stops=3, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", WRITING_COMMANDS)
def test_command_stopped_at_many_random_times_leaves_the_old_or_the_new(
    name: str, tmp_path: Path, before: Path, bundle: Path, frames: Path, checkpoint: Path
) -> None:
    words = WRITING_COMMANDS[name].with_inputs(bundle, frames, checkpoint)
    stop_often(WRITING_COMMANDS[name], words, tmp_path / "outputs", before, stops=9, seed=1)
