# SPDX-License-Identifier: Apache-2.0
"""``lsood summary``: rows of ``score`` and ``watch`` in every format become the same daily summary, or one clear line."""

import json
import os
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest

from lsood_runtime import read_summaries
from lsood_runtime._cli.main import run
from lsood_runtime._fleet.summary_columns import summary_row
from tests.lsood_runtime.answers_bundle import frame_of_level, write_answers_bundle
from tests.lsood_runtime.cli.test_watch import START, drive
from tests.lsood_runtime.recordings import write_recording

FORMATS = ("csv", "jsonl", "parquet", "mcap")


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    return write_answers_bundle(folder)


@pytest.fixture(scope="module")
def rows(answering: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rows of a drive in each format, by ``watch``."""
    folder = tmp_path_factory.mktemp("rows")
    frames = [frame_of_level(level, seed) for seed, level in enumerate((0.5, 0.5, 0.9, 0.1, 0.5, 0.01))]
    records = [*drive(8, 6), *(("/front/image_raw", START + (40 + i) * 10**8, START, f) for i, f in enumerate(frames))]
    recording = write_recording(folder, "mcap file", records)
    outs = [word for suffix in FORMATS for word in ("--out", str(folder / f"rows.{suffix}"))]
    assert run(["watch", str(answering), str(recording), "--alarm", "1of1", *outs]) == 1
    return folder


def summarised(bundle: Path, out: Path, *words: str) -> int:
    return run(["summary", str(bundle), *words, "--vehicle", "car-17", "--out", str(out)])


def test_each_format_of_rows_gives_the_same_summary(
    answering: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for suffix in FORMATS:
        out = tmp_path / f"{suffix}.parquet"
        assert summarised(answering, out, str(rows / f"rows.{suffix}")) == 0
        (summary,) = read_summaries(out)
        found.append(summary)
    assert found[0] == found[1] == found[2] == found[3]
    lines = [json.loads(line) for line in (rows / "rows.jsonl").read_text().splitlines()]
    counts = found[0].counts
    assert {state: count for state, count in counts.states.items() if count} == Counter(row["state"] for row in lines)
    assert counts.causes == Counter(row["cause"] for row in lines if row["state"] != "invalid")
    assert len(counts.causes) >= 2
    assert counts.alarms == sum(row["onset"] for row in lines) >= 1
    known = [row["expected_quality"] for row in lines if row["expected_quality"] is not None]
    assert (sum(counts.qualities), counts.followed) == (len(known), len(lines))
    assert (found[0].camera, str(found[0].day)) == ("/front/image_raw", "2023-11-14")
    printed, err = capsys.readouterr()
    assert printed.splitlines()[0].startswith(f"car-17 /front/image_raw 2023-11-14: {len(lines)} frames, ")
    assert err == ""


def test_rows_cut_in_two_files_give_the_summary_of_the_whole(answering: Path, rows: Path, tmp_path: Path) -> None:
    lines = (rows / "rows.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_text("".join(lines[:9]))
    (tmp_path / "b.jsonl").write_text("".join(lines[9:]))
    for name, words in (("whole", [rows / "rows.jsonl"]), ("parts", [tmp_path / "b.jsonl", tmp_path / "a.jsonl"])):
        assert summarised(answering, tmp_path / f"{name}.parquet", *map(str, words)) == 0
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "parts.parquet").read_bytes()


def test_file_that_is_named_twice_counts_once(answering: Path, rows: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(rows / "rows.jsonl")
    for name, words in (("once", ["rows.jsonl"]), ("twice", ["rows.jsonl", f"../{rows.name}/rows.jsonl", str(link)])):
        assert summarised(answering, tmp_path / f"{name}.parquet", *(str(rows / word) for word in words)) == 0
    assert (tmp_path / "once.parquet").read_bytes() == (tmp_path / "twice.parquet").read_bytes()


def test_row_groups_of_parquet_are_read_one_by_one(answering: Path, rows: Path, tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(rows / "rows.parquet")
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=3)
    for name, path in (("one", rows / "rows.parquet"), ("groups", tmp_path / "rows.parquet")):
        assert summarised(answering, tmp_path / f"{name}-day.parquet", str(path)) == 0
    assert (tmp_path / "one-day.parquet").read_bytes() == (tmp_path / "groups-day.parquet").read_bytes()


def test_rows_of_score_have_no_alarms_and_take_the_stated_day(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, frame in enumerate(frame for *_, frame in drive(2, 2)):
        from PIL import Image

        Image.fromarray(frame).save(tmp_path / f"{i}.png")
    run(["score", str(toy_bundle), *map(str, sorted(tmp_path.glob("*.png"))), "--out", str(tmp_path / "rows.csv")])
    out = tmp_path / "day.parquet"
    capsys.readouterr()
    assert summarised(toy_bundle, out, str(tmp_path / "rows.csv")) == 2
    assert "state the day by --day" in capsys.readouterr().err
    assert not out.exists()
    assert summarised(toy_bundle, out, str(tmp_path / "rows.csv"), "--day", "2026-11-23") == 0
    assert "no alarm rule" in capsys.readouterr().out
    (summary,) = read_summaries(out)
    assert (str(summary.day), summary.counts.frames, summary.counts.followed) == ("2026-11-23", 6, 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "expected rows of verdicts, got files without any"),
        ('{"state": "ok"}\n', "{path}: row 1: expected a value of stamp_ns, got none"),
        ("[1]\n", "{path}: row 1: expected a JSON object"),
        ("{\n", "{path}: row 1: it is no JSON"),
        ('{good}\n{"state": "good"}\n', "{path}: row 2: expected ok, late, low_quality, out_of_distribution, invalid as"),
        ('{good, "stamp_ns": 1.5}\n', "the name 'stamp_ns' stands twice"),
        ("{other}\n", "expected rows that this bundle scored, with a threshold of"),
        ("{no_p}\n", "expected a value of p_value, got none"),
        ("{good}\n{sharp}\n", "{path}: row 2: expected a number from 0 to 1 as expected_quality, got 1.2"),
        ("{good}\n{state}\n", "{path}: row 2: expected ok, late, low_quality, out_of_distribution, invalid as state, got ["),
        ("{good}\n{huge}\n", "{path}: row 2: expected a number from 0 to 1 as p_value, got 1000"),
        ('{good}\n{good, "camera": "\\ud800"}\n', "{path}: row 2: expected text as camera, got '\\ud800'"),
        ('{good}\n{good, "object_words": "x", "object_count": 9223372036854775808}\n', "row 2: expected a whole number as"),
        ("{causes}\n", "expected at most 64 causes in a summary, got one more, 'c64', in row 65 of {path}"),
    ],
)  # fmt: skip
def test_rows_of_another_kind_are_refused_with_their_place(
    toy_bundle: Path, tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from lsood_runtime import read_manifest

    threshold = read_manifest(toy_bundle).operating_points["5%"].value
    good = {"state": "ok", "stamp_ns": START, "threshold": threshold, "is_late": False, "p_value": 0.5}
    text = json.dumps(good)[:-1]
    for name, row in {
        "good": good,
        "other": {**good, "threshold": 9.25},
        "no_p": {**good, "p_value": None},
        "state": {**good, "state": [1]},
        "huge": {**good, "p_value": 10**400},
    }.items():
        content = content.replace(f"{{{name}}}", json.dumps(row))
    sharp = {**good, "quality_measure": "sharpness", "expected_quality": 1.2}
    content = content.replace("{sharp}", json.dumps(sharp))
    content = content.replace("{causes}", "\n".join(json.dumps({**good, "cause": f"c{i}"}) for i in range(65)))
    path = tmp_path / "rows.jsonl"
    path.write_text(content.replace("{good", text))
    assert summarised(toy_bundle, tmp_path / "day.parquet", str(path)) == 2
    err = capsys.readouterr().err
    assert words.format(path=path) in err
    assert err.count("\n") == 1
    assert [each.name for each in tmp_path.glob("*")] == ["rows.jsonl"] or toy_bundle.parent == tmp_path


@pytest.mark.parametrize("suffix", FORMATS)
def test_file_of_rows_that_is_cut_off_is_refused_in_one_line(
    answering: Path, rows: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"rows.{suffix}"
    whole = (rows / f"rows.{suffix}").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert summarised(answering, tmp_path / "day.parquet", str(path)) == 2
    err = capsys.readouterr().err
    assert err.startswith("lsood: error: expected rows of verdicts, got ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", FORMATS)
def test_pipe_in_place_of_a_file_of_rows_is_refused_at_once(
    toy_bundle: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"rows.{suffix}"
    os.mkfifo(path)
    assert summarised(toy_bundle, tmp_path / "day.parquet", str(path)) == 2
    assert f"got {path}: a pipe, a socket or a device, no file; pass a whole file" in capsys.readouterr().err


def test_command_refuses_wrong_usage_before_it_reads(
    answering: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row_file = rows / "rows.parquet"
    before = row_file.read_bytes()
    for words, message in (
        ([str(row_file), "--day", "yesterday"], "expected a date such as 2026-11-23, got 'yesterday'"),
        ([str(row_file), "--vehicle", " "], "expected the name of a vehicle"),
    ):
        with pytest.raises(SystemExit, match="2"):
            summarised(answering, tmp_path / "day.parquet", *words)
        assert message in capsys.readouterr().err
    for out, path, message in (
        (row_file, row_file, "expected another file than those that are read"),
        (tmp_path / "none" / "day.parquet", row_file, "to exist; make it"),
        (tmp_path / "day.parquet", tmp_path / "rows.txt", "expected rows in a file that ends in .csv or .jsonl"),
        (tmp_path / "day.parquet", tmp_path / "none.csv", "No such file or directory"),
    ):
        assert summarised(answering, out, str(path)) == 2
        assert message in capsys.readouterr().err
    assert row_file.read_bytes() == before


def test_summary_opens_in_other_programs(answering: Path, rows: Path, tmp_path: Path) -> None:
    assert summarised(answering, tmp_path / "day.parquet", str(rows / "rows.csv")) == 0
    (row,) = pyarrow.parquet.read_table(tmp_path / "day.parquet").to_pylist()
    (summary,) = read_summaries(tmp_path / "day.parquet")
    assert row == summary_row(summary)
