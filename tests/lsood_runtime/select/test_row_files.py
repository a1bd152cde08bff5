# SPDX-License-Identifier: Apache-2.0
"""Rows of each format are read alike, in bounded memory, and what is no row is refused."""

import csv
import gc
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from lsood_runtime import FrameSelector, MediaError
from tests.lsood_runtime.select.rows import Rows, make_rows, selected, write_csv, write_parquet


def test_rows_of_every_format_give_the_same_selection(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rows = make_rows(2500, 5)
    selector = FrameSelector(10, min_distance=0.0)
    counts: list[int] = []
    selector.read(write_parquet(tmp_path / "rows.parquet", rows), counts.append)
    assert selector.select() == selected(tmp_path, rows)
    lines = FrameSelector(10, min_distance=0.0)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines.read(tmp_path / "rows.jsonl")
    assert lines.select() == selector.select()
    assert counts[-1] == 2500
    assert len(counts) > 1


def test_rows_of_parquet_hold_no_block_once_they_are_read(tmp_path: Path) -> None:
    """Features are copied: a view of one frame's would keep two thousand rows in memory."""
    pyarrow = pytest.importorskip("pyarrow")
    before = pyarrow.total_allocated_bytes()
    selector, held = FrameSelector(3, per_drive=1, candidates=5), list[int]()
    rows = write_parquet(tmp_path / "rows.parquet", make_rows(3000, 5, drives=40, width=16), row_group=300)
    selector.read(rows, lambda _: held.append(pyarrow.total_allocated_bytes() - before))
    assert len(held) == 10
    assert max(held) < 2 * held[0]
    gc.collect()
    assert pyarrow.total_allocated_bytes() == before


def test_memory_of_a_candidate_is_what_is_promised(tmp_path: Path) -> None:
    """4 bytes a feature and 1,000 more, by each term; names of a hundred letters."""
    rows = [
        {"frame": f"{'a' * 80}/{number:020}", "score": number, "state": "ok", "features": [0.5] * 200}
        for number in range(1600)
    ]
    file, selector = write_csv(tmp_path / "rows.csv", rows), FrameSelector(500, per_drive=500)
    tracemalloc.start()
    selector.read(file)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert 1500 * 4 * 200 < held < 1500 * (4 * 200 + 1000)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Four times the rows, from two blocks on: the peak of what Python and NumPy allocate stays."""
    peaks = []
    for count in (4200, 16800):
        rows = [
            {
                "frame": f"{number % 50}/{number}",
                "score": float(number * 7919 % 9973),
                "state": "ok",
                "features": [0.5] * 16,
            }
            for number in range(count)
        ]
        file = write_csv(tmp_path / f"{count}.csv", rows)
        selector = FrameSelector(5)
        tracemalloc.start()
        selector.read(file)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"frame": "a", "score": 1, "state": "ok"}], {}, "expected rows with the column features"),
        ([{"a": 1, "features": [1.0]}], {}, "lacks frame, score, state"),
        (
            [{"frame": "a", "score": 1, "state": "ok", "features": [1.0]}],
            {"by": ["quality"]},
            "expected_quality for the term",
        ),
        ([{"frame": "a", "score": 1, "state": "ok", "features": [1.0]}], {"group_by": "camera"}, "the column camera"),
        (
            [{"frame": "a", "score": "high", "state": "ok", "features": [1.0]}],
            {},
            "row 1: expected a number as score, got 'high'",
        ),
        (
            [{"frame": f, "score": 1, "state": "ok", "features": [1.0] * n} for f, n in (("a", 1), ("b", 2))],
            {},
            r"expected 1 features a frame, as in the rows before, got 2 in row 2 of .*rows\.csv: select among",
        ),
        (
            [{"frame": "a", "score": 1, "state": "ok", "cause": f"c{n}", "features": [1.0]} for n in range(65)],
            {},
            "expected at most 64 causes",
        ),
    ],
)
def test_rows_that_cannot_be_selected_from_are_refused(
    tmp_path: Path, rows: Rows, options: dict[str, Any], message: str
) -> None:
    file = tmp_path / "rows.csv"
    write_csv(file, [{**row, "features": row.get("features")} for row in rows])
    if "features" not in rows[0]:
        file.write_text(file.read_text().replace(",features", ",other"))
    with pytest.raises(MediaError, match=message):
        FrameSelector(5, **options).read(file)


_TEXTS = (
    ("score", "abc", "a number"),
    ("largest_peak", "abc", "a number"),
    ("object_count", "abc", "a whole number"),
    ("stamp_ns", "1.5", "a whole number"),
)
_OTHERS = (
    ("score", [1], "a number"),
    ("score", 10**400, "a number"),
    ("expected_quality", {"a": 1}, "a number"),
    ("frame", "\ud800", "text"),
    ("cause", "\udce9", "text"),
    ("object_count", 2**63, "a whole number"),
    ("stamp_ns", -(10**30), "a whole number"),
    ("features", "1.0 bad", "a list of numbers"),
    ("features", {"a": 1}, "a list of numbers"),
    ("features", 3, "a list of numbers"),
    ("features", [[1]], "a list of numbers"),
    ("features", [10**400], "a list of numbers"),
)


@pytest.mark.parametrize(
    ("suffix", "column", "value", "kind"),
    [
        *((suffix, *case) for suffix in ("csv", "jsonl", "parquet") for case in _TEXTS),
        *(("jsonl", *case) for case in _OTHERS),
    ],
)
def test_value_that_cannot_be_read_is_told_with_its_row(
    tmp_path: Path, suffix: str, column: str, value: object, kind: str
) -> None:
    """Rows of two blocks, of which the last but one has a wrong value."""
    rows = [{**row, "state": "ok", "score": 1.0, "features": [0.5]} for row in make_rows(2100, 3)]
    rows[-2] |= {"score": 99.0, column: value}
    path = tmp_path / f"rows.{suffix}"
    if suffix == "csv":
        write_csv(path, rows)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pytest.importorskip("pyarrow")
        write_parquet(path, [{**row, column: None if row[column] is None else str(row[column])} for row in rows])
    expected = rf"got .*rows\.{suffix}: row 2099: expected {kind} as {column}, got .*; pass a whole file that lsood"
    with pytest.raises(MediaError, match=expected):
        FrameSelector(5).read(path)


def test_features_of_csv_that_are_no_numbers_are_told_with_their_row(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("frame,score,state,features\na,1,ok,1.0\nb,1,ok,1.0 bad\n")
    with pytest.raises(MediaError, match=r"rows\.csv: row 2: expected a list of numbers as features, got '1\.0 bad'"):
        FrameSelector(5).read(tmp_path / "rows.csv")


@pytest.mark.parametrize("header", [False, True])
def test_field_that_is_too_long_for_csv_is_told_with_what_to_do(tmp_path: Path, header: bool) -> None:
    longest = csv.field_size_limit()
    (tmp_path / "rows.csv").write_text(f"frame,score,state,features\na,1,ok,{'1 ' * (longest // 2)}\n")
    FrameSelector(5).read(tmp_path / "rows.csv")
    rows = ["frame,score,state,features", "a,1,ok,1.0", f'"{"b" * (longest + 1)}",1,ok,1.0']
    (tmp_path / "rows.csv").write_text("\n".join(rows[2:] if header else rows) + "\n")
    row = "" if header else "row 2: "
    told = (
        rf"{row}expected at most {longest:,} characters in a field, got more: close its quotation mark, or keep lists"
    )
    with pytest.raises(MediaError, match=rf"rows\.csv: {told} as long in \.jsonl or \.parquet; pass a whole"):
        FrameSelector(5).read(tmp_path / "rows.csv")


@pytest.mark.parametrize("error", [MemoryError, AttributeError, AssertionError, KeyError, ValueError])
def test_fault_of_the_program_is_not_told_as_one_of_the_rows(
    tmp_path: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_csv(tmp_path / "rows.csv", make_rows(3, 0))

    def fail(*_: object) -> None:
        raise error("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(FrameSelector, "_frame", fail)
        with pytest.raises(error, match="a fault"):
            FrameSelector(5).read(file)
    for where in ("RowsBlock.has_features", "RowsBlock.texts"):
        with monkeypatch.context() as patch:
            patch.setattr(f"lsood_runtime._rows.row_block.{where}", fail)
            with pytest.raises(error, match="a fault"):
                FrameSelector(5).read(file)


def test_memory_that_is_short_while_rows_are_read_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    rows = make_rows(3, 0)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr("lsood_runtime._rows.row_files.parse_json", fail)
    monkeypatch.setattr("csv.reader", lambda lines, **_: map(fail, lines))
    for file in (tmp_path / "rows.jsonl", write_csv(tmp_path / "rows.csv", rows)):
        with pytest.raises(MemoryError):
            FrameSelector(5).read(file)


@pytest.mark.parametrize("kind", ["list_", "large_list", "fixed"])
@pytest.mark.parametrize("number", ["float32", "float64", "int16"])
def test_every_list_of_numbers_of_parquet_gives_the_same_selection(tmp_path: Path, kind: str, number: str) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = make_rows(50, 6)
    for place, row in enumerate(rows):
        row["features"] = None if row["features"] is None else [place % 7, place % 5, place % 3]
    value = getattr(pyarrow, number)()
    lists = pyarrow.list_(value, 3) if kind == "fixed" else getattr(pyarrow, kind)(value)
    table = pyarrow.Table.from_pylist(rows)
    place = table.schema.get_field_index("features")
    column = pyarrow.array([row["features"] for row in rows], lists)
    parquet.write_table(table.set_column(place, "features", column), tmp_path / "rows.parquet")
    selector = FrameSelector(10, min_distance=0.0)
    selector.read(tmp_path / "rows.parquet")
    assert selector.select() == selected(tmp_path, rows)


def test_files_that_are_no_rows_are_refused(tmp_path: Path) -> None:
    selector = FrameSelector(5)
    for name, contents, message in (
        ("a.json", b"{}", "ends in .parquet or .csv or .jsonl"),
        ("nowhere.csv", None, "No such file"),
        ("a.csv", b"frame,score,state,features\n\xff\xfe,1,ok,1\n", "invalid start byte"),
        ("b.csv", b"frame,score,state,features\na,1\n", "row 1: expected 4 values, got 2"),
        ("c.csv", b"frame,score,state,features\na,1,ok,1\na,1,ok,1,2\n", "row 2: expected 4 values, got 5"),
        ("d.csv", b"", "lacks frame, score, state, features"),
        ("e.csv", b"frame,score,state,features\na,1,ok,1", "it is cut off"),
        ("f.csv", b'frame,score,state,features\na,1,ok,1\n"b,1,ok', "f.csv: row 2: expected a last line that ends"),
        ("a.jsonl", b"3\n", "row 1: expected a JSON object"),
        (
            "b.jsonl",
            b'{"frame": "a", "score": 1, "state": "ok", "features": [1]}\n{"a": 1}\n',
            "row 2: expected rows of the same columns",
        ),
        ("c.jsonl", b'{"frame": "a", "score": NaN, "state": "ok", "features": [1]}\n', "row 1: NaN is no number"),
        ("d.jsonl", b'{"frame": "a", "score": 1, "state": "ok", "features": [1]}\n{', "row 2: .* it is cut off"),
        (
            "e.jsonl",
            b'{"frame": "a", "score": [1], "state": "ok", "features": [1]}\n',
            r"got .*/e.jsonl: row 1: expected a number as score, got \[1\]",
        ),
        (
            "g.jsonl",
            b'{"frame": "a", "score": 1, "state": "ok", "features": [[1]]}\n',
            "row 1: expected a list of numbers as features",
        ),
        (
            "f.csv",
            b"frame,score,state,features,object_count,largest_peak\na,1,ok,1,inf,1\n",
            "got .*/f.csv: row 1: expected a whole number as object_count, got 'inf'",
        ),
        (
            "f.jsonl",
            b'{"frame": "a", "score": 1, "state": "ok", "features": [1], "object_count": 1e999, "largest_peak": 1}\n',
            "got .*/f.jsonl: row 1: ",
        ),
        ("h.csv", b'frame,score,state,features\na,1,ok,1\n"a"b,1,ok,1\n', "got .*/h.csv: row 2: "),
        (
            "i.csv",
            b"frame,score,state,features,score\na,1,ok,1,2\n",
            "expected columns of different names, got one twice",
        ),
    ):
        if contents is not None:
            (tmp_path / name).write_bytes(contents)
        with pytest.raises(MediaError, match=message):
            selector.read(tmp_path / name)
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(MediaError, match=r"expected rows of verdicts, got .*/a\.parquet: "):
        selector.read(tmp_path / "a.parquet")
    rows = [{**row, "features": [1.0]} for row in make_rows(3, 0)]
    file = write_parquet(tmp_path / "b.parquet", rows)
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(file)
    place = table.schema.get_field_index("features")
    pyarrow.parquet.write_table(table.set_column(place, "features", table["frame"]), file)
    with pytest.raises(MediaError, match="expected lists of numbers as features"):
        selector.read(file)
