# SPDX-License-Identifier: Apache-2.0
"""Merging files of summaries: the same bytes by one merge and by any tree, and no more files open than allowed."""

from pathlib import Path

import pytest

from export.fleet import merge
from export.fleet.merge import merge_files, merge_group
from lsood_runtime import MediaError, read_summaries, write_summaries
from tests.lsood_runtime.fleet.drawn_summaries import drawn_frames, summary_of


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Nine files of three vehicles, whose days are cut into parts."""
    folder = tmp_path / "summaries"
    folder.mkdir()
    for number in range(9):
        parts = [summary_of(drawn_frames(10 * number + i, 20), f"car-{(number + i) % 3}") for i in range(2)]
        write_summaries(parts, folder / f"{number}.parquet")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("at_once", [2, 3, 8])
def test_any_tree_of_merges_gives_the_bytes_of_one_merge(
    files: list[Path], tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert merge_group(files, tmp_path / "one.parquet") == 3
    monkeypatch.setattr(merge, "FILES_AT_ONCE", at_once)
    assert merge_files(files[::-1], tmp_path / "tree.parquet") == 3
    assert (tmp_path / "tree.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.parquet", "summaries", "tree.parquet"]
    parts = [summary for path in files for summary in read_summaries(path)]
    merged = list(read_summaries(tmp_path / "tree.parquet"))
    assert sum(summary.counts.frames for summary in merged) == sum(part.counts.frames for part in parts)
    for summary in merged:
        of_vehicle = [part.counts for part in parts if part.vehicle == summary.vehicle]
        assert summary.counts.alarms == sum(counts.alarms for counts in of_vehicle)


def test_damaged_file_among_many_ends_the_merge_without_a_trace(files: list[Path], tmp_path: Path) -> None:
    files[4].write_bytes(files[4].read_bytes()[:-9])
    with pytest.raises(MediaError, match=f"got {files[4]}: "):
        merge_files(files, tmp_path / "merged.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["summaries"]
