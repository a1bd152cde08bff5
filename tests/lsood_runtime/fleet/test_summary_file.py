# SPDX-License-Identifier: Apache-2.0
"""Files of daily summaries: read back as they were written, whole or not at all, and refused where they are damaged."""

import os
import re
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsood_runtime import DailySummary, MediaError, read_summaries, write_summaries
from lsood_runtime._fleet import summary_file
from lsood_runtime._fleet.frame_facts import FrameFacts
from tests.lsood_runtime.fleet.drawn_summaries import DAY, FRAMES, drawn_frames, summary_of


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(st.sampled_from("abc"), FRAMES), max_size=5))
def test_summaries_are_read_as_they_were_written_in_order_and_merged(
    tmp_path: Path, parts: list[tuple[str, list[FrameFacts]]]
) -> None:
    path = tmp_path / "day.parquet"
    write_summaries([summary_of(frames, name) for name, frames in parts], path)
    read = list(read_summaries(path))
    assert [summary.vehicle for summary in read] == sorted({name for name, _ in parts})
    for summary in read:
        whole = summary_of([frame for name, frames in parts if name == summary.vehicle for frame in frames])
        assert summary.counts == whole.counts
        assert (summary.day, summary.bundle, summary.threshold) == (DAY, "a" * 64, 1.5)


def written(path: Path, **changed: Any) -> Path:
    """A file of one summary, some of whose columns hold another value."""
    write_summaries([summary_of(drawn_frames(3, 40))], path)
    table = pyarrow.parquet.read_table(path)
    rows = [{**table.to_pylist()[0], **changed}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=table.schema), path)
    return path


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("state.ok", -1, "expected a count of at least 0 as state.ok, got -1"),
        ("state.ok", 10**6, "expected p-values of 1"),
        ("p_values", [0, 1], "expected 16 counts as p_values, got [0, 1]"),
        ("qualities", [10**6] * 20, "expected qualities of at most"),
        ("causes", [("fog", 10**6)], "expected causes of at most"),
        ("objects_known", 10**6, "expected numbers of objects of at most"),
        ("object_frames", 10**6, "expected no more frames with objects than objects, nor than frames of which"),
        ("objects", 0, "expected no more frames with objects than objects, nor than frames of which"),
        ("alarms", 10**6, "expected no more alarms than frames with one"),
        ("alarm_spans", [{"since_ns": 0, "first_ns": 5, "last_ns": 4}], "expected alarms that end after they begin"),
        ("vehicle", "", "expected a name as vehicle"),
    ],
)
def test_damaged_values_are_refused_with_their_column(tmp_path: Path, column: str, value: Any, words: str) -> None:
    path = written(tmp_path / "day.parquet", **{column: value})
    with pytest.raises(MediaError, match=re.escape(words)) as refused:
        list(read_summaries(path))
    assert str(refused.value).startswith(f"expected a whole file of daily summaries, got {path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("keep", [0, 4, 200, -1])
def test_file_that_is_cut_off_is_refused_in_one_line(tmp_path: Path, keep: int) -> None:
    path = written(tmp_path / "day.parquet")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MediaError, match="expected a whole file of daily summaries") as refused:
        list(read_summaries(path))
    assert "\n" not in str(refused.value)


def test_missing_file_and_folder_are_told_by_the_system(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.parquet", "No such file"), (tmp_path, "")):
        with pytest.raises(MediaError, match=f"expected a whole file of daily summaries, got .*{words}"):
            list(read_summaries(path))


def test_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "day.parquet")
    with pytest.raises(MediaError, match="a pipe, a socket or a device, no file"):
        list(read_summaries(tmp_path / "day.parquet"))


def test_other_parquet_later_version_and_other_columns_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path / "day.parquet")
    table = pyarrow.parquet.read_table(path)
    for changed, words in (
        (table.replace_schema_metadata({}), "another Parquet file: make them of rows with lsood summary"),
        (
            table.replace_schema_metadata({"lsood.summaries": "2"}),
            "expected daily summaries of version 1, got version 2",
        ),
        (table.drop_columns(["gaps"]), "its columns are others than those of this version"),
    ):
        pyarrow.parquet.write_table(changed, path)
        with pytest.raises(MediaError, match=words):
            list(read_summaries(path))


def test_rows_out_of_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    write_summaries([summary_of([], "a"), summary_of([], "b")], path)
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.take([1, 0]), path)
    with pytest.raises(MediaError, match="expected rows sorted by their key"):
        list(read_summaries(path))


def test_older_file_stays_where_writing_fails(tmp_path: Path) -> None:
    path = written(tmp_path / "day.parquet")
    before, too_large = path.read_bytes(), summary_of([])
    too_large.counts.dropped = 2**63
    with pytest.raises(MediaError, match=f"expected to write {path}, got: "):
        write_summaries([too_large], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(MediaError, match="No such file or directory; choose another file"):
        write_summaries([], tmp_path / "none" / "day.parquet")


def test_file_of_many_summaries_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary_file, "_ROWS_AT_ONCE", 4)
    names = [f"{i:02}" for i in range(11)]
    write_summaries([summary_of(drawn_frames(i, 3), name) for i, name in enumerate(names)], tmp_path / "day.parquet")
    assert pyarrow.parquet.ParquetFile(tmp_path / "day.parquet").num_row_groups == 3
    assert [summary.vehicle for summary in read_summaries(tmp_path / "day.parquet")] == names


def test_arguments_of_another_type_are_refused(tmp_path: Path) -> None:
    wrong: list[Any] = [3, DailySummary]
    with pytest.raises(TypeError, match="expected a DailySummary, got 3"):
        write_summaries(wrong, tmp_path / "day.parquet")
    for call in (lambda: list(read_summaries(3)), lambda: write_summaries([], 3)):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="expected the path of a file of daily summaries"):
            call()
