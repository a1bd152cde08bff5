# SPDX-License-Identifier: Apache-2.0
"""Faulty tiles in what the commands print, write and draw."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from mcap.reader import make_reader
from PIL import Image

from lsood_runtime import Assessment, State
from lsood_runtime._cli.main import run
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._cli.tile_outline import tile_borders
from lsood_runtime._media.source_frame import SourceFrame
from tests.lsood_runtime.large_bundle import HEIGHT, WIDTH, half_dead, large_pictures, write_large_bundle

DEAD = "black: left half (16 of 32 tiles)"
DIGITS = " ".join(["11110000"] * 4)


@pytest.fixture
def large_bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "large"
    folder.mkdir()
    return write_large_bundle(folder)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Three frames of noise, then five of which the left half is black."""
    folder = tmp_path / "drive"
    folder.mkdir()
    for i, frame in enumerate(large_pictures(8, 1)):
        Image.fromarray(half_dead(frame) if i >= 3 else frame).save(folder / f"{i}.png")
    return folder


def test_score_shows_faulty_tiles_in_the_table_and_in_every_form(
    large_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", str(large_bundle), str(drive)]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()[1:]
    assert [line.endswith(f"  {DEAD}") for line in lines] == [False] * 3 + [True] * 5
    assert ["INVALID" in line for line in lines] == [False] * 3 + [True] * 5
    assert "5 invalid" in err
    run(["score", str(large_bundle), str(drive), "--json"])
    rows = json.loads(capsys.readouterr().out)
    run(["score", str(large_bundle), str(drive), "--csv"])
    table = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    for i, (row, line) in enumerate(zip(rows, table, strict=True)):
        assert row["tile_faults"] == line["tile_faults"] == (DEAD if i >= 3 else "")
        assert row["faulty_tiles"] == line["faulty_tiles"] == (DIGITS if i >= 3 else DIGITS.replace("1", "0"))
        assert (DEAD in row["reason"]) == (i >= 3)


def test_watch_writes_faulty_tiles_to_every_file_and_counts_them(
    large_bundle: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = [tmp_path / f"scores.{suffix}" for suffix in ("csv", "jsonl", "parquet", "mcap")]
    pictures = [flag for name in ("timeline", "thumbnails") for flag in (f"--{name}", str(tmp_path / f"{name}.png"))]
    files = [flag for out in outs for flag in ("--out", str(out))]
    assert run(["watch", str(large_bundle), str(drive), "--alarm", "3of3", *files, *pictures]) == 1
    out, err = capsys.readouterr()
    assert f"got {DEAD}, for 5 frames" in out
    assert "of 8 frames 3 without a picture in many tiles" in err
    with outs[0].open(newline="") as file:
        table = list(csv.DictReader(file))
    rows = [json.loads(line) for line in outs[1].read_text().splitlines()]
    parquet = pyarrow.parquet.read_table(outs[2]).to_pylist()
    with outs[3].open("rb") as file:
        messages = [
            (schema and schema.data, json.loads(message.data))
            for schema, _, message in make_reader(file).iter_messages()
        ]
    for i, values in enumerate(zip(table, rows, parquet, [row for _, row in messages], strict=True)):
        assert {row["tile_faults"] for row in values} == {DEAD if i >= 3 else ""}
        assert {row["faulty_tiles"] for row in values} == {DIGITS if i >= 3 else DIGITS.replace("1", "0")}
        assert {row["state"] == "invalid" for row in values} == {i >= 5}
    properties = json.loads(messages[0][0] or b"")["properties"]
    assert properties["faulty_tiles"]["type"] == properties["tile_faults"]["type"] == ["string", "null"]
    assert all((tmp_path / f"{name}.png").stat().st_size for name in ("timeline", "thumbnails"))


def test_commands_take_the_tiles_their_share_and_the_frames(
    large_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def states(*flags: str) -> list[str]:
        run([*flags[:1], str(large_bundle), str(drive), "--json", *flags[1:]])
        text = capsys.readouterr().out
        rows = json.loads(text) if flags[0] == "score" else [json.loads(line) for line in text.splitlines()]
        assert {len(row["faulty_tiles"]) for row in rows} == {0 if "never" in flags else 14 if "2x6" in flags else 35}
        return [row["state"] for row in rows]

    assert states("score").count("invalid") == 5
    assert states("score", "--tile-share", "0.5").count("invalid") == 5
    assert states("score", "--tile-share", "0.6").count("invalid") == 0
    assert states("score", "--tile-share", "never").count("invalid") == 0
    assert states("watch", "--alarm", "3of3", "--tile-frames", "1").count("invalid") == 5
    assert states("watch", "--alarm", "3of3", "--tile-frames", "5").count("invalid") == 1
    if WIDTH >= 6 * 8:
        run(["score", str(large_bundle), str(drive), "--json", "--tile-grid", "2x6"])
        row = json.loads(capsys.readouterr().out)[-1]
        assert (row["faulty_tiles"], row["tile_faults"]) == ("111000 111000", "black: left half (6 of 12 tiles)")


@pytest.mark.parametrize(
    ("flag", "values", "words"),
    [
        (
            "--tile-grid",
            ["4", "4x", "0x8", "17x4", "4x17", "4 x 8", "\u0664x8", "4x8x2"],
            "expected rows and columns of tiles",
        ),
        ("--tile-share", ["0", "1.1", "nan", "-0.2", "all", "inf"], "expected a share above 0, at most 1, or never"),
        ("--tile-frames", ["0", "-1", "1.5", "never"], "expected a whole number"),
    ],
)
def test_tile_flag_of_a_wrong_value_is_refused(
    flag: str, values: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in values:
        with pytest.raises(SystemExit) as caught:
            run(["watch", "monitor/", "a.png", f"{flag}={value}"])
        assert caught.value.code == 2
        assert words in capsys.readouterr().err


def test_tile_grid_too_fine_for_the_frames_is_refused_and_the_named_one_works(
    large_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", str(large_bundle), str(drive), "--tile-grid", "16x16"]) == 2
    err = capsys.readouterr().err
    named = re.search(r"take (\d+x\d+) or fewer", err)
    assert named is not None, err
    assert run(["score", str(large_bundle), str(drive), "--json", "--tile-grid", named[1]]) == 1
    row = json.loads(capsys.readouterr().out)[-1]
    assert row["tile_faults"].startswith("black: left half (")


@pytest.mark.parametrize("grid", ["4x8", "8x8"])
@pytest.mark.parametrize("command", ["score", "watch"])
def test_tile_grid_too_fine_that_was_stated_is_refused_though_it_is_the_default(
    toy_bundle: Path, drive: Path, command: str, grid: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, str(toy_bundle), str(drive), "--tile-grid", grid]) == 2
    assert f"lsood: error: expected tiles of at least 8x8 pixels, got {grid} tiles" in capsys.readouterr().err


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32))
def test_each_tile_that_is_meant_has_a_border_of_its_own_inside_of_it(rows: int, columns: int, seed: int) -> None:
    tiles = np.random.default_rng(seed).random((rows, columns)) < 0.5
    borders = tile_borders(tiles, np.linspace(0, 20.0 * rows, rows + 1), np.linspace(0, 10.0 * columns, columns + 1))
    held = np.zeros_like(tiles)
    for corners in borders:
        assert corners[0] == corners[-1]
        x, y = np.array(corners).T
        row, column = int((y[0] + 0.5) // 20), int((x[0] + 0.5) // 10)
        assert not held[row, column]
        held[row, column] = True
        assert sorted(set(corners)) == sorted((end, side) for end in (x.min(), x.max()) for side in (y.min(), y.max()))
        ends = np.array([x.min(), x.max(), y.min(), y.max()]) + 0.5
        away = np.abs(ends - [10 * column, 10 * column + 10, 20 * row, 20 * row + 20])
        assert away == pytest.approx(np.full(4, away[0]))
        assert 0 < away[0] <= 1
    assert np.array_equal(held, tiles)


def test_thumbnail_of_a_frame_with_faulty_tiles_has_their_outline_and_words() -> None:
    thumbnails = Thumbnails(2)
    (frame,) = large_pictures(1, 9)
    tiles = np.zeros((4, 8), bool)
    tiles[:, :4] = True
    for score, mask, words in ((2.0, tiles, DEAD), (1.0, np.zeros((4, 8), bool), "")):
        verdict = Assessment(
            score, 0.5, False, 2.0, None, State.OK, "", "cpu", 1.0, 0, faulty_tiles=mask, tile_faults=words
        )
        thumbnails.add(SourceFrame("a.png", "front", int(score), frame), frame, verdict)
    dead, sound = [axis for axis in thumbnails.figure().axes if axis.images]
    (outline,) = [each for each in dead.collections if isinstance(each, LineCollection)]
    assert len(outline.get_segments()) == 16
    ends = np.concatenate(outline.get_segments())
    inset = 0.1 * min(HEIGHT / 4, WIDTH / 8)
    assert ends.min(axis=0) == pytest.approx([-0.5, -0.5], abs=inset)
    assert ends.max(axis=0) == pytest.approx([WIDTH / 2 - 0.5, HEIGHT - 0.5], abs=inset)
    assert dead.get_title().endswith(f"\n{DEAD}")
    assert not sound.collections
    assert "tiles" not in sound.get_title()
