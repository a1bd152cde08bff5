# SPDX-License-Identifier: Apache-2.0
"""How a run ends: by its input, by a signal, by a fault. What was scored is kept, and the exit code says which it was."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lsood_runtime import MediaError, OoDMonitor, ProviderError
from lsood_runtime._cli import diff, inspect, score, selftest, watch
from lsood_runtime._cli.main import run
from lsood_runtime._cli.timeline import Timeline
from lsood_runtime._command_start import Stopped
from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.stream.test_stream import shifted_frame

pytestmark = pytest.mark.usefixtures("signals_that_stop")

COMMANDS = ("score", "watch")
ENDLESS = 6_000
"""Frames whose rows fill a pipe many times over: a run that nobody reads stands still long before the last."""


def write_drive(folder: Path, count: int = 12, broken: tuple[int, ...] = ()) -> Path:
    """Numbered frames of which some are no image."""
    folder.mkdir(exist_ok=True)
    for i, frame in enumerate(random_frames(count, seed=1)):
        path = folder / f"frame_{i}.png"
        Image.fromarray(frame).save(path)
        if i in broken:
            path.write_bytes(path.read_bytes()[: 30 + i])
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(broken=st.sets(st.integers(0, 11), max_size=12).map(sorted), command=st.sampled_from(COMMANDS))
def test_run_over_unreadable_pictures_scores_the_others(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: list[int], command: str
) -> None:
    drive, out = write_drive(tmp_path / "drive", broken=tuple(broken)), tmp_path / "scores.jsonl"
    code = run([command, str(toy_bundle), str(drive), "--out", str(out)])
    err = capsys.readouterr().err
    found = rows(out)
    assert [Path(row["frame"]).name for row in found] == [f"frame_{i}.png" for i in range(12)]
    for i, row in enumerate(found):
        assert (row["state"] == "invalid") == (i in broken)
        assert (f"cannot read {drive / f'frame_{i}.png'}" in row["reason"]) == (i in broken)
    assert [row["stamp_ns"] for row in found] == [i * 10**8 for i in range(12)]
    assert (f"{len(broken)} of 12 frames could not be read, the first: " in err) == bool(broken)
    assert ("; no frame was read for CPUExecutionProvider" in err) == (len(broken) == 12)
    assert (" ms a frame on CPUExecutionProvider" in err) == (len(broken) < 12)
    if command == "score":
        assert code == (1 if any(row["is_ood"] for row in found) else 0)
    else:
        assert code == (1 if any(row["alarm"] for row in found) else 0)
    drive_strict = run([command, str(toy_bundle), str(drive), "--out", str(out), "--strict"])
    err = capsys.readouterr().err
    if broken:
        assert drive_strict == 2
        assert f"lsood: error: expected an image, cannot read {drive / f'frame_{broken[0]}.png'}" in err
        if broken[0]:
            assert len(rows(out)) == broken[0], "what was scored before is kept"
    else:
        assert drive_strict == code


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("size", [(9, 9), (8, 5), (300, 2)])
def test_run_over_a_frame_of_another_size_goes_on(
    toy_bundle: Path, tmp_path: Path, command: str, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    drive, out = write_drive(tmp_path / "drive", 6), tmp_path / "scores.jsonl"
    Image.fromarray(np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(size[1], size[0], 3)).save(
        drive / "frame_2.png"
    )
    run([command, str(toy_bundle), str(drive), "--out", str(out)])
    assert [row["state"] == "invalid" for row in rows(out)] == [i == 2 for i in range(6)]
    assert f"{size[0]}x{size[1]}" in rows(out)[2]["reason"]
    assert run([command, str(toy_bundle), str(drive), "--out", str(out), "--strict"]) == 2
    assert "frame_2.png" in capsys.readouterr().err.splitlines()[-1]
    assert len(rows(out)) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_run_over_a_failing_source_reads_the_others_and_ends_with_2(
    toy_bundle: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    drive, out = write_drive(tmp_path / "drive", 4), tmp_path / "scores.csv"
    for name in ("broken.mp4", "broken.bag", "broken.mcap"):
        (tmp_path / name).write_bytes(b"no video, no bag" * 9)
    sources = [str(tmp_path / "broken.mp4"), str(tmp_path / "broken.bag"), str(drive), str(tmp_path / "broken.mcap")]
    assert run([command, str(toy_bundle), *sources, "--out", str(out)]) == 2
    err = capsys.readouterr().err.splitlines()
    failures = [line for line in err if line.startswith("lsood: error: ")]
    assert len(failures) == 3
    for name, line in zip(("broken.mp4", "broken.bag", "broken.mcap"), failures, strict=True):
        assert name in line
    assert any(line.startswith("4 frames") for line in err)
    with out.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert run([command, str(toy_bundle), *sources, "--strict", "--out", str(out)]) == 2
    assert run([command, str(toy_bundle), str(tmp_path / "broken.mp4"), "--out", str(tmp_path / "none.csv")]) == 2
    assert not (tmp_path / "none.csv").exists(), "a run without a single frame writes no file"


@pytest.mark.parametrize("command", COMMANDS)
def test_run_with_something_found_and_something_unread_ends_with_1(
    toy_bundle: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    for i in range(5):
        Image.fromarray(shifted_frame(i)).save(drive / f"{i}.png")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    rule = ["--alarm", "3of5"] if command == "watch" else []
    assert run([command, str(toy_bundle), str(drive), str(tmp_path / "broken.mp4"), *rule]) == 1
    assert "lsood: error: expected a video" in capsys.readouterr().err


STOPS: dict[str, tuple[BaseException, dict[str, int]]] = {
    "Ctrl-C": (KeyboardInterrupt(), {"score": 130, "watch": 0}),
    "SIGTERM": (Stopped(signal.SIGTERM), {"score": 143, "watch": 143}),
    "SIGHUP": (Stopped(signal.SIGHUP), {"score": 129, "watch": 129}),
    "our own error": (ProviderError("the GPU fell off"), {"score": 2, "watch": 2}),
    "unexpected": (AssertionError(), {"score": 3, "watch": 3}),
    "memory": (MemoryError(), {"score": 3, "watch": 3}),
    "closed pipe": (BrokenPipeError(), {"score": 141, "watch": 141}),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("stop", "codes"), STOPS.values(), ids=STOPS)
@pytest.mark.parametrize("at", [0, 1, 7])
def test_run_that_is_ended_keeps_what_was_scored(
    toy_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    stop: BaseException,
    codes: dict[str, int],
    at: int,
) -> None:
    drive, original, calls = write_drive(tmp_path / "drive"), OoDMonitor.assess_since, iter(range(100))

    def until_then(self: OoDMonitor, *arguments: Any, **options: Any) -> Any:
        if next(calls) == at:
            raise stop
        return original(self, *arguments, **options)

    monkeypatch.setattr(OoDMonitor, "assess_since", until_then)
    outs = {suffix: tmp_path / "out" / f"scores.{suffix}" for suffix in ("csv", "jsonl", "parquet", "mcap")}
    (tmp_path / "out").mkdir()
    flags = [flag for out in outs.values() for flag in ("--out", str(out))]
    flags += ["--timeline", str(tmp_path / "out" / "t.png")]
    assert run([command, str(toy_bundle), str(drive), *flags]) == codes[command]
    err = capsys.readouterr().err
    assert "Traceback" not in err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    if at == 0 and not (command == "watch" and codes["watch"] == 0):
        assert names in ([], sorted(out.name for out in outs.values()))
    if at:
        assert names == sorted([*(out.name for out in outs.values()), "t.png"])
        assert len(rows(outs["jsonl"])) == at
        assert pyarrow.parquet.read_table(outs["parquet"]).num_rows == at


@pytest.mark.parametrize("words", [["score"], ["score", "--json"], ["watch", "--alarm", "3of5", "--json"]])
@pytest.mark.parametrize("read", [0, 1, 5])
def test_run_into_a_pipe_that_is_closed_says_what_was_scored(
    toy_bundle: Path, tmp_path: Path, words: list[str], read: int
) -> None:
    """As `| head` does; with ``--out`` what was scored is kept. The pipe holds less than the command has to say."""
    command, *flags = words
    drive, out = write_drive(tmp_path / "drive"), tmp_path / "kept.jsonl"
    for i in range(12, 600):
        os.link(drive / f"frame_{i % 12}.png", drive / f"frame_{i}.png")
    typed = [sys.executable, "-m", "lsood_runtime", command, str(toy_bundle), str(drive), *flags, "--out", str(out)]
    with subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pipesize=4096) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(read):
            process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 141
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    scored = len(rows(out)) if out.exists() else 0
    assert scored >= min(read - 1, 1), "a table begins with its head"
    if scored:
        assert re.search(rf"^{scored} frames?, ", said, re.MULTILINE)
        assert "lsood: nobody reads the standard output any more; the results so far are kept" in said


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_score_interrupted_prints_what_can_be_read(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    drive, original, calls = write_drive(tmp_path / "drive"), OoDMonitor.assess_since, iter(range(100))

    def until_then(self: OoDMonitor, *arguments: Any, **options: Any) -> Any:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return original(self, *arguments, **options)

    monkeypatch.setattr(OoDMonitor, "assess_since", until_then)
    assert run(["score", str(toy_bundle), str(drive), form]) == 130
    out, err = capsys.readouterr()
    assert len(json.loads(out) if form == "--json" else list(csv.DictReader(out.splitlines()))) == 5
    assert "5 frames, " in err
    assert err.endswith("lsood: interrupted; the results so far are kept\n")


def fail(*_: Any, **__: Any) -> None:
    raise ValueError("the picture has\nno room")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("error", [ValueError("no room"), MediaError("no room"), RuntimeError("no room")])
def test_run_with_a_picture_that_cannot_be_drawn_keeps_the_rest(
    toy_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    error: Exception,
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    drive, out = write_drive(tmp_path / "drive", 5), tmp_path / "scores.jsonl"
    monkeypatch.setattr(Timeline, "draw", refuse)
    flags = ["--timeline", str(tmp_path / "t.png"), "--thumbnails", str(tmp_path / "h.png"), "--out", str(out)]
    clean = run([command, str(toy_bundle), str(drive), "--out", str(out)])
    assert run([command, str(toy_bundle), str(drive), *flags]) == (clean or 4)
    assert "no room" in capsys.readouterr().err
    assert len(rows(out)) == 5
    assert (tmp_path / "h.png").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--timeline", "OUT/no/t.png"], "expected the folder"),
        (["--thumbnails", "OUT/t.xyz"], "expected a picture that ends in"),
        (["--timeline", "OUT/t.png", "--thumbnails", "OUT/./t.png"], "twice"),
        (["--out", "OUT/a.csv", "--out", "OUT/../out/a.csv"], "twice"),
        (["--out", "OUT/a.csv", "--timeline", "OUT/a.png", "--out", "OUT/x.doc"], "expected a file that ends in .csv"),
        (["--out", "OUT/no/a.csv"], "expected the folder"),
    ],
)
def test_run_with_an_impossible_output_is_refused_before_the_first_frame(
    toy_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    flags: list[str],
    message: str,
) -> None:
    (tmp_path / "out").mkdir()
    drive = write_drive(tmp_path / "drive", 1)
    monkeypatch.setattr(OoDMonitor, "assess_since", fail)
    words = [flag.replace("OUT", str(tmp_path / "out")) for flag in flags]
    assert run([command, str(toy_bundle), str(drive), *words]) == 2
    assert message in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


class PanicError(BaseException):
    """As extensions in Rust raise it: no Exception."""


@pytest.mark.parametrize("module", [diff, inspect, score, selftest, watch], ids=lambda module: module.__name__[-8:])
@pytest.mark.parametrize("error", [ValueError("bad\nnumber"), AssertionError(), MemoryError(), PanicError("Rust")])
def test_lsood_unexpected_error_is_one_line_and_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: Any, error: BaseException
) -> None:
    def raise_it(_: Any) -> int:
        raise error

    monkeypatch.setattr(module, "run", raise_it)
    name = module.__name__.rpartition(".")[2]
    arguments = {"diff": ["old", "new"], "inspect": ["b"], "selftest": ["b"]}.get(name, ["b", "f"])
    assert run([name, *arguments]) == 3
    err = capsys.readouterr().err
    assert err.startswith(f"lsood: unexpected error: {type(error).__name__}: ")
    assert err.count("\n") == 1
    assert "test_run_ends.py, line " in err
    monkeypatch.setenv("LSOOD_TRACEBACK", "1")
    assert run([name, *arguments]) == 3
    assert "Traceback" in capsys.readouterr().err


def start(command: str, bundle: Path, drive: Path, *flags: str, **options: Any) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "lsood_runtime", command, str(bundle), str(drive), "--threads", "1", *flags]
    return subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.fixture(scope="module")
def endless_drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More frames than a run scores before it is ended."""
    folder = write_drive(tmp_path_factory.mktemp("endless") / "drive", 2)
    for i in range(2, ENDLESS):
        os.link(folder / f"frame_{i % 2}.png", folder / f"frame_{i}.png")
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", COMMANDS)
def test_run_stopped_by_a_signal_keeps_what_was_scored(
    toy_bundle: Path, endless_drive: Path, tmp_path: Path, number: signal.Signals, command: str
) -> None:
    outs = [tmp_path / "out" / f"scores.{suffix}" for suffix in ("jsonl", "parquet")]
    (tmp_path / "out").mkdir()
    flags = [flag for out in outs for flag in ("--out", str(out))]
    with start(command, toy_bundle, endless_drive, *flags, "--json") as process:
        assert process.stdout is not None
        for _ in range(40):
            process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    interrupted = {"score": 130, "watch": process.returncode if process.returncode in (0, 1) else -1}[command]
    assert process.returncode == (interrupted if number == signal.SIGINT else 128 + number)
    words = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    assert f"lsood: {words}; the results so far are kept" in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["scores.jsonl", "scores.parquet"]
    kept = rows(outs[0])
    assert 1 <= len(kept) < ENDLESS
    assert pyarrow.parquet.read_table(outs[1]).num_rows == len(kept)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_run_killed_leaves_the_rows_and_the_next_run_removes_them(
    toy_bundle: Path, endless_drive: Path, tmp_path: Path, command: str, suffix: str
) -> None:
    out = tmp_path / "out" / f"scores.{suffix}"
    out.parent.mkdir()
    with start(command, toy_bundle, endless_drive, "--out", str(out), "--json") as process:
        assert process.stdout is not None
        for _ in range(60):
            process.stdout.readline()
        process.kill()
        process.communicate(timeout=60)
    (left,) = out.parent.iterdir()
    assert left.name == f".scores.{suffix}.{process.pid}.partial{'.jsonl' if suffix == 'parquet' else ''}"
    printed = 60 if command == "watch" else 2  # a list in JSON has a line for each value
    assert len(rows(left)) >= printed, "what was printed is in the file"
    assert run([command, str(toy_bundle), str(endless_drive / "frame_0.png"), "--out", str(out)]) in (0, 1)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize(("stream", "code"), [("stdout", 2), ("stderr", 0)])
def test_lsood_with_a_full_disk_behind_a_stream_has_an_exit_code_of_its_own(
    toy_bundle: Path, stream: str, code: int
) -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "lsood_runtime", "inspect", str(toy_bundle)]
        out, err = (full, subprocess.PIPE) if stream == "stdout" else (subprocess.PIPE, full)
        done = subprocess.run(words, stdout=out, stderr=err, check=False, text=True)
    assert done.returncode == code
    if stream == "stdout":
        assert done.stderr.startswith("lsood: error: cannot write the standard output: No space left on device;")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_lsood_help_on_a_full_disk_has_its_own_exit_code(flag: str) -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "lsood_runtime", flag]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
