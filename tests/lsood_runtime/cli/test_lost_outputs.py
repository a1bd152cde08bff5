# SPDX-License-Identifier: Apache-2.0
"""Outputs that a full disk, a broken disk or an early end takes: the others go on, and what was there before stays."""

import errno
import io
import os
import subprocess
import sys
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsood_runtime import OoDMonitor, ProviderError
from lsood_runtime import _partial_file as partial_file
from lsood_runtime._cli.main import run
from lsood_runtime._cli.rerun_file import RerunFile
from lsood_runtime._cli.terminal import VerdictStream
from tests.lsood_runtime.cli.test_run_ends import COMMANDS, write_drive
from tests.lsood_runtime.cli.test_verdict_files import SUFFIXES

pytestmark = pytest.mark.usefixtures("signals_that_stop")

FRAMES = 6


class SmallDisk:
    """Files that take no more than so many bytes, by the suffix of their place."""

    def __init__(self, room: dict[str, int], number: int) -> None:
        self.room, self.number = room, number

    def open(self, path: Path, mode: str = "r") -> FileIO:
        disk = self

        class File(FileIO):
            def write(self, data: Any) -> int:
                left = disk.room.get(path.name.split(".")[2], 10**9) - self.tell()
                if left <= 0:
                    raise OSError(disk.number, os.strerror(disk.number))
                return super().write(memoryview(data)[:left])

        return File(path, mode)


def rows_in(path: Path) -> int:
    return max(0, path.read_text().count("\n") - (path.suffix == ".csv")) if path.exists() else 0


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    room=st.dictionaries(st.sampled_from(["csv", "jsonl", "parquet"]), st.integers(0, 3000), min_size=1),
    number=st.sampled_from([errno.ENOSPC, errno.EIO, errno.EDQUOT]),
    command=st.sampled_from(COMMANDS),
)
def test_run_that_loses_outputs_goes_on_with_the_others(
    toy_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    room: dict[str, int],
    number: int,
    command: str,
) -> None:
    drive = tmp_path / "drive"
    if not drive.exists():
        write_drive(drive, FRAMES)
        (tmp_path / "out").mkdir()
    for left in (tmp_path / "out").iterdir():
        left.unlink()
    outs = {suffix: tmp_path / "out" / f"scores.{suffix}" for suffix in ("csv", "jsonl", "parquet")}
    flags = [flag for out in outs.values() for flag in ("--out", str(out))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_file, "FileIO", SmallDisk(room, number).open)
        code = run([command, str(toy_bundle), str(drive), *flags, "--json"])
    out, err = capsys.readouterr()
    lost = [
        suffix for suffix, path in outs.items() if f"lsood: error: cannot write {path}: {os.strerror(number)}; " in err
    ]
    assert set(lost) <= set(room)
    assert out.count('"score"') == FRAMES, "the terminal goes on"
    assert f"{FRAMES} frames, " in err, "the summary comes"
    assert code == (
        1 if "out of distribution" in err and " 0 out of" not in err and command == "score" else 4 if lost else 0
    )
    assert ("not every output is whole" in err) == bool(lost)
    for suffix, path in outs.items():
        if suffix not in lost:
            assert suffix == "parquet" or rows_in(path) == FRAMES
        elif f"cannot write {path}: {os.strerror(number)}; it holds " in err and suffix != "parquet":
            assert f"it holds {rows_in(path)} row" in err
        elif f"cannot write {path}: {os.strerror(number)}; what stood there" in err:
            assert not path.exists()


def lsood(*words: str, **streams: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lsood_runtime", *words, "--threads", "1"], check=False, text=True, **streams
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_run_whose_standard_output_is_full_goes_on_while_an_output_is_left(
    toy_bundle: Path, tmp_path: Path, command: str
) -> None:
    drive, out = write_drive(tmp_path / "drive", 40), tmp_path / "scores.jsonl"
    for flags in ([], ["--out", str(out)]):
        with Path("/dev/full").open("w") as full:
            done = lsood(command, str(toy_bundle), str(drive), "--json", *flags, stdout=full, stderr=subprocess.PIPE)
        assert "lsood: error: cannot write the standard output: No space left on device" in done.stderr
        assert "median" in done.stderr
        assert "unexpected" not in done.stderr
        assert done.returncode in (1, 4)
        if flags:
            assert (rows_in(out), "40 frames" in done.stderr) == (40, True)
        else:
            assert "lsood: error: no output is left: the run ended after " in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_run_whose_standard_error_is_full_has_the_exit_code_of_its_verdicts(
    toy_bundle: Path, tmp_path: Path, command: str
) -> None:
    drive, out = write_drive(tmp_path / "drive", 3, broken=(1,)), tmp_path / "scores.csv"
    words = (command, str(toy_bundle), str(drive), "--out", str(out))
    expected = lsood(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with Path("/dev/full").open("w") as full:
        done = lsood(*words, stdout=subprocess.PIPE, stderr=full)
        refused = lsood(command, str(tmp_path / "none"), str(drive), stdout=subprocess.PIPE, stderr=full)
    assert (done.returncode, rows_in(out)) == (expected.returncode, 3)
    assert refused.returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ProviderError("the GPU fell off")], ids=["Ctrl-C", "error"])
@pytest.mark.parametrize("at", [0, 3])
def test_run_ended_early_keeps_older_files_and_says_so_or_ends_with_its_summary(
    toy_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    stop: BaseException,
    at: int,
) -> None:
    drive, original, calls = write_drive(tmp_path / "drive", FRAMES), OoDMonitor.assess_since, iter(range(100))

    def until_then(self: OoDMonitor, *arguments: Any, **options: Any) -> Any:
        if next(calls) == at:
            raise stop
        return original(self, *arguments, **options)

    monkeypatch.setattr(OoDMonitor, "assess_since", until_then)
    outs = [tmp_path / f"scores.{suffix}" for suffix in SUFFIXES] + [tmp_path / "t.png"]
    for out in outs:
        out.write_bytes(b"old")
    flags = [flag for out in outs[:-1] for flag in ("--out", str(out))]
    run([command, str(toy_bundle), str(drive), *flags, "--timeline", str(outs[-1])])
    err = capsys.readouterr().err
    said = f"lsood: note: no frame was scored: {', '.join(map(str, outs))} "
    assert (said in err) == (at == 0)
    assert [out.read_bytes() == b"old" for out in outs] == [at == 0] * len(outs)
    assert (f"{at} frames, " in err) == (at > 0 or (command == "watch" and isinstance(stop, KeyboardInterrupt)))
    assert (err.splitlines()[-1] == f"lsood: error: {stop}") == isinstance(stop, ProviderError)


def test_run_whose_rerun_recording_fails_goes_on_without_it(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Recording(RerunFile):
        def __init__(self, *_: Any) -> None:
            self.ended = 0

        def add(self, *_: Any) -> None:
            raise RuntimeError("the viewer's format has no room")

        def __exit__(self, *_: Any) -> None:
            self.ended += 1
            assert self.ended == 1

    monkeypatch.setattr("lsood_runtime._cli.outputs.RerunFile", Recording)
    drive = write_drive(tmp_path / "drive", FRAMES)
    assert run(["watch", str(toy_bundle), str(drive), "--rerun", str(tmp_path / "d.rrd"), "--alarm", "duration:9"]) == 4
    err = capsys.readouterr().err
    assert err.count("lsood: error: RuntimeError: the viewer's format has no room") == 1
    assert f"{FRAMES} frames, " in err


def test_verdict_stream_of_a_gone_reader_passes_that_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Pipe())
    stream = VerdictStream()
    with pytest.raises(BrokenPipeError):
        stream.write("verdict")
    assert not stream.failed


class FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("words", [["inspect"], ["inspect", "--json"], ["selftest"], ["selftest", "--json"], ["diff"]])
def test_answer_that_the_standard_output_does_not_take_is_an_error_of_one_line(
    toy_bundle: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", FullDisk())
    bundles = [str(toy_bundle)] * (2 if words[0] == "diff" else 1)
    assert run([words[0], *bundles, *words[1:]]) == 2
    told = "cannot write the standard output: No space left on device; send it elsewhere, and type the command anew"
    assert capsys.readouterr().err == f"lsood: error: {told}\n"


def test_command_whose_standard_streams_are_closed_ends_as_with_open_ones(toy_bundle: Path) -> None:
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", "lsood_runtime"]
    assert subprocess.run([*closed, "inspect", str(toy_bundle)], check=False).returncode == 0
