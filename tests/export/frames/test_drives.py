# SPDX-License-Identifier: Apache-2.0
"""Drives that frames belong to, and the frames of named drives."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.errors import CalibrationError, UsageError
from export.frames.drives import draw_drives, drive_doubts, drive_names, frames_of_drives, read_drive_names

PATHS = [Path("/data/day/front/a_1.png"), Path("/data/day/front/b_2_x.png"), Path("/data/night/front/b_3.png")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("none", ("all", "all", "all")),
        ("folder", ("day/front", "day/front", "night/front")),
        ("prefix", ("a", "b", "b")),
    ],
)
def test_drive_names_by_a_rule_are_those_of_the_rule(rule: str, expected: tuple[str, ...]) -> None:
    assert drive_names(PATHS, rule) == expected


def test_drive_names_by_folders_of_different_names_are_their_last_parts() -> None:
    assert drive_names([Path("/x/one/1.png"), Path("/x/two/1.png")], "folder") == ("one", "two")
    assert drive_names([Path("/x/one/1.png")], "folder") == ("one",)


def test_drive_names_by_a_table_are_found_by_file_name_or_path(tmp_path: Path) -> None:
    table = tmp_path / "drives.csv"
    table.write_text(f"drive,frame,note\nmorning,a_1.png,x\nnoon,{PATHS[1]},\nnoon,b_3.png,y\n")
    assert drive_names(PATHS, str(table)) == ("morning", "noon", "noon")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "none, folder, prefix or a CSV table"),
        ("frame,name\na_1.png,x\n", "columns frame and drive"),
        ("", "columns frame and drive"),
        ("frame,drive\na_1.png,x\na_1.png,y\n", r"each frame once in .*, got a_1\.png 2 times"),
        ("frame,drive\na_1.png,x\n", "got none for 2, first"),
        (
            f"frame,drive\na_1.png,{'x' * 131_073}\n",
            "at most 131,072 characters in a field, got more: .* or shorten it",
        ),
        ("frame,drive\na_1.png,\nb_2_x.png,y\nb_3.png,y\n", r"got none for a_1\.png"),
    ],
)
def test_drive_names_by_an_unusable_table_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    table = tmp_path / "drives.csv"
    if text is not None:
        table.write_text(text)
    with pytest.raises(UsageError, match=message):
        drive_names(PATHS, str(table))


def test_drive_names_by_prefix_of_a_name_without_one_are_refused() -> None:
    with pytest.raises(UsageError, match=r"underscore, got 0001\.png"):
        drive_names([Path("a_1.png"), Path("0001.png")], "prefix")


def test_frames_of_drives_named_marks_these_alone() -> None:
    drives = ["a", "b", "c", "a"]
    np.testing.assert_array_equal(frames_of_drives(drives, ["a"]), [True, False, False, True])
    assert frames_of_drives(drives).all(), "no name: every frame"
    with pytest.raises(CalibrationError, match=r"among a, b, c, got d"):
        frames_of_drives(drives, ["d"])
    with pytest.raises(CalibrationError, match="left to fit"):
        frames_of_drives(drives, ["a", "b", "c"])


def test_drive_names_of_a_file_leave_out_comments_and_empty_lines(tmp_path: Path) -> None:
    file = tmp_path / "drives.txt"
    file.write_text("# by day\n006\n\n  010 \n", encoding="utf-8")
    assert read_drive_names(file) == ("006", "010")


@pytest.mark.parametrize(
    ("contents", "message"),
    [(None, "cannot read"), ("\n# none\n", "found none"), ("006\n010\n006\n", "got 006 more than once")],
)
def test_drive_names_of_an_unusable_file_are_refused(tmp_path: Path, contents: str | None, message: str) -> None:
    file = tmp_path / "drives.txt"
    if contents is not None:
        file.write_text(contents)
    with pytest.raises(UsageError, match=message):
        read_drive_names(file)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=20),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_drawn_drives_hold_the_share_and_no_drive_more(sizes: list[int], share: float, seed: int) -> None:
    drives = [f"{number}" for number, size in enumerate(sizes) for _ in range(size)]
    drawn = draw_drives(drives, share, seed)
    assert drawn == draw_drives(drives[::-1], share, seed)
    assert 0 < len(drawn) < len(sizes)
    held = sum(drive in drawn for drive in drives)
    assert held >= share * len(drives) or len(drawn) == len(sizes) - 1
    assert held - max(sizes[int(name)] for name in drawn) < share * len(drives)


def test_drawn_drives_of_equal_sizes_come_up_equally_often() -> None:
    """A draw that went by size or by name would hold out the same drives for every seed."""
    drives = ["a"] * 2 + ["b"] * 6 + ["c"] * 6
    first = Counter(name for seed in range(300) for name in draw_drives(drives, 0.01, seed))
    assert set(first) == {"a", "b", "c"}
    assert min(first.values()) > 60


@pytest.mark.parametrize(
    ("drives", "share", "message"),
    [
        (["a", "a"], 0.1, "two drives or more"),
        ([], 0.1, "two drives or more"),
        (["a", "b"], 1.0, "share of the frames"),
    ],
)
def test_drives_that_cannot_be_drawn_are_refused(drives: list[str], share: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        draw_drives(drives, share, 0)


def test_drive_names_by_a_table_of_bare_names_that_several_frames_have_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "drives.csv"
    table.write_text("frame,drive\n0.png,a\n1.png,a\n")
    paths = [Path("monday/0.png"), Path("monday/1.png"), Path("tuesday/0.png")]
    with pytest.raises(UsageError, match=r"got 0\.png for 2 frames of that name: write paths in the table"):
        drive_names(paths, str(table))
    table.write_text("frame,drive\nmonday/0.png,a\n1.png,a\ntuesday/0.png,b\n")
    assert drive_names(paths, str(table)) == ("a", "a", "b")


def test_drive_doubts_name_drives_of_one_frame_and_of_several_folders() -> None:
    numbered = [Path(f"drive/{i:04d}_clean.png") for i in range(20)]
    (single,) = drive_doubts(numbered, drive_names(numbered, "prefix"))
    assert single.startswith("20 of 20 drives have one frame")
    folders = [Path(f"{folder}/{i}_{part}.png") for folder in "ab" for i in range(4) for part in range(3)]
    (spread,) = drive_doubts(folders, drive_names(folders, "prefix"))
    assert spread.startswith("4 of 4 drives have frames in several folders, the first is 0")
    assert drive_doubts(folders, drive_names(folders, "folder")) == []
    assert drive_doubts(folders, drive_names(folders, "none")) == []
