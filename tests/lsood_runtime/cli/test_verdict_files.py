# SPDX-License-Identifier: Apache-2.0
"""Files of verdicts: what was written is kept whatever ends a run, and nothing is left beside."""

import csv
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader

from lsood_runtime import MediaError
from lsood_runtime._cli.verdict_files import VerdictFile
from lsood_runtime._cli.verdict_row import Row
from lsood_runtime._command_start import Stopped
from lsood_runtime._partial_file import PartialFile


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of verdicts, read by another library than wrote them where there is one."""
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_table(path).to_pylist())
    if path.suffix == ".mcap":
        with path.open("rb") as file:
            return [json.loads(message.data) for _, _, message in make_reader(file).iter_messages(log_time_order=False)]
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        kinds = {"camera": str, "stamp_ns": int, "score": float}
        return [{name: kinds[name](value) for name, value in row.items()} for row in csv.DictReader(file)]


SUFFIXES = ("csv", "jsonl", "parquet", "mcap")
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "camera": st.sampled_from(["a", "/front, left", 'say "x"', "b\nc"]),
            "stamp_ns": st.integers(-(2**62), 2**62),
            "score": st.floats(-1e9, 1e9),
        }
    ),
    max_size=30,
)
ENDS = (None, KeyboardInterrupt(), Stopped(15), RuntimeError("power cut"), BrokenPipeError(), SystemExit(3))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, end=st.sampled_from(ENDS), suffix=st.sampled_from(SUFFIXES))
def test_verdict_file_whatever_ends_it_keeps_the_rows(
    tmp_path: Path, rows: list[Row], end: BaseException | None, suffix: str
) -> None:
    path = tmp_path / f"scores.{suffix}"
    path.write_bytes(b"old")
    with suppress(*map(type, ENDS[1:])), VerdictFile(path) as file:
        for row in rows:
            file.write(row)
            assert path.read_bytes() == b"old", "an older file stays until the new one is whole"
        if end is not None:
            raise end
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    if rows:
        assert read_rows(path) == rows
    else:
        assert (path.read_bytes() == b"old") == (end is not None), "an end before the first row leaves the older file"
    path.unlink()


def test_verdict_file_without_a_place_or_a_format_is_refused(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        with pytest.raises(MediaError, match="cannot write"):
            VerdictFile(tmp_path / "no" / f"x.{suffix}")
    with pytest.raises(MediaError, match=r"ends in \.csv"):
        VerdictFile(tmp_path / "x.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("limit", [700, 5_000, 20_001])
def test_verdict_file_on_a_full_disk_keeps_whole_rows(tmp_path: Path, suffix: str, limit: int) -> None:
    """A limit on the size of files is to a program what a full disk is: a write that is taken in part, then none."""
    path, written = tmp_path / f"scores.{suffix}", 0

    def fill() -> None:
        nonlocal written
        with VerdictFile(path) as file:
            for i in range(100_000):
                file.write({"camera": f"{i * 2**40:x}", "stamp_ns": i, "score": i / 3})
                written += 1

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(MediaError, match="cannot write") as caught:
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (kept,) = tmp_path.iterdir()
    assert written
    if kept == path:
        assert str(caught.value).endswith(f"; it holds {written} rows")
        assert [row["stamp_ns"] for row in read_rows(path)] == list(range(written))
    else:
        assert suffix in ("parquet", "mcap"), "others need no room for their end"
        assert str(caught.value).endswith(f"; what could be written of its {written} rows is in {kept}")
    if kept.suffix == ".jsonl":
        assert [row["stamp_ns"] for row in read_rows(kept)] == list(range(written)), (
            "the rows of Parquet are never lost"
        )


def test_verdict_file_that_cannot_take_its_place_names_where_the_rows_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    path = tmp_path / "scores.csv"
    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(MediaError, match=r"not permitted; the verdicts are in (.*)") as caught,
        VerdictFile(path) as file,
    ):
        file.write({"camera": "a", "stamp_ns": 1})
    assert Path(str(caught.value).rpartition(" in ")[2]).read_text() == "camera,stamp_ns\na,1\n"


def test_verdict_file_over_a_link_writes_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "scores.csv").symlink_to(tmp_path / "elsewhere" / "real.csv")
    with VerdictFile(tmp_path / "scores.csv") as file:
        file.write({"camera": "a"})
    assert (tmp_path / "elsewhere" / "real.csv").read_text() == "camera\na\n"
    assert (tmp_path / "scores.csv").is_symlink()


def test_partial_file_of_a_killed_process_is_removed_and_of_a_living_one_keeps_the_place(tmp_path: Path) -> None:
    place = tmp_path / "scores.csv"
    killed, other = tmp_path / ".scores.csv.99999.partial", tmp_path / ".other.csv.1.partial"
    for path in (killed, other):
        path.write_text("rows")
    living = PartialFile(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([other.name, living.path.name])
    command = "import sys; from pathlib import Path; from lsood_runtime._partial_file import PartialFile\n"
    command += "partial = PartialFile(Path(sys.argv[1])); partial.file.write(b'theirs'); partial.move_into_place()"
    refused = subprocess.run([sys.executable, "-c", command, str(place)], check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert f"another run, process {os.getpid()}, writes it" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([other.name, living.path.name])
    living.file.write(b"ours")
    living.move_into_place()
    assert place.read_bytes() == b"ours"
    subprocess.run([sys.executable, "-c", command, str(place)], check=True)
    assert place.read_bytes() == b"theirs"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_verdict_files_of_runs_that_begin_at_once_are_of_one_of_them(tmp_path: Path, suffix: str) -> None:
    """Whoever opens the place first keeps it until its end; all others are told so, and leave nothing."""
    place, ready = tmp_path / f"scores.{suffix}", tmp_path / "go"
    command = (
        "import sys, time; from pathlib import Path; from lsood_runtime._cli.verdict_files import VerdictFile\n"
        "while not Path(sys.argv[2]).exists(): time.sleep(0.001)\n"
        "with VerdictFile(Path(sys.argv[1])) as file:\n"
        "    file.write({'frame': sys.argv[3], 'camera': 'a', 'stamp_ns': 0})\n"
        "    print('open', flush=True); input()"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", command, str(place), str(ready), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    time.sleep(1)
    ready.touch()
    opened = [run.stdout.readline() for run in runs if run.stdout is not None]
    assert sorted(opened) == ["", "", "", "open\n"]
    said = [run.communicate("\n")[1] for run in runs]
    assert [run.returncode for run in runs] == [0 if line else 1 for line in opened]
    assert all(f"cannot write {place}: another run, process" in said[i] for i in range(4) if not opened[i])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["go", place.name]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "mcap"])
def test_verdict_file_without_frames_is_written(tmp_path: Path, suffix: str) -> None:
    with VerdictFile(tmp_path / f"scores.{suffix}"):
        pass
    assert (tmp_path / f"scores.{suffix}").exists()


def test_verdict_file_parquet_with_gaps_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    rows = [
        {"camera": "a", "stamp_ns": i, "score": None if i < 5000 else i / 3, "ok": i % 2 == 0, "since_ns": None}
        for i in range(9000)
    ]
    with VerdictFile(path) as file:
        for row in rows:
            file.write(row)
    assert pyarrow.parquet.read_table(path).to_pylist() == rows


def test_verdict_file_parquet_of_whole_blocks_comes_back(tmp_path: Path) -> None:
    """As many rows as are written at once: nothing is left to write at the end."""
    path = tmp_path / "scores.parquet"
    rows: list[Row] = [{"camera": "a", "stamp_ns": i} for i in range(4096)]
    with VerdictFile(path) as file:
        for row in rows:
            file.write(row)
    assert pyarrow.parquet.read_table(path).to_pylist() == rows
