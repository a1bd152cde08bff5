# SPDX-License-Identifier: Apache-2.0
"""Files of verdicts and pictures of drives, apart from where the frames come from."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lsood_runtime import MediaError, OoDMonitor, State
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._cli.timeline import Point, Timeline, alarm_spans
from lsood_runtime._cli.verdict_files import VerdictFile
from lsood_runtime._cli.verdict_row import Row


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "mcap"])
def test_verdict_file_cut_off_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scores.{suffix}"
    path.write_bytes(b"old")
    with VerdictFile(path) as file:
        file.write({"camera": "a", "stamp_ns": 1, "score": 0.5})
        assert path.read_bytes() == b"old"
    assert path.read_bytes() != b"old"
    path.write_bytes(b"old")

    def be_cut_off() -> None:
        with VerdictFile(path) as file:
            file.write({"camera": "a", "stamp_ns": 1, "score": 0.5})
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        be_cut_off()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(MediaError, match="cannot write"):
        VerdictFile(tmp_path / "no" / f"x.{suffix}")
    with pytest.raises(MediaError, match=r"ends in \.csv"):
        VerdictFile(tmp_path / "x.xlsx")


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


@given(st.lists(st.booleans(), max_size=30))
def test_alarm_spans_any_alarms_cover_them(alarms: list[bool]) -> None:
    spans = alarm_spans(alarms)
    covered = {i for start, end in spans for i in range(start, end + 1)}
    assert covered == {i for i, alarm in enumerate(alarms) if alarm}
    assert all(b[0] - a[1] > 1 for a, b in pairwise(spans))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1000)), min_size=1, max_size=40), st.integers(1, 5))
def test_thumbnails_any_drive_keep_the_highest_scores_apart(frames: list[tuple[int, int]], count: int) -> None:
    moments = Thumbnails(count)
    image = np.zeros((2, 2, 3), np.uint8)
    for tenths, score in frames:
        moments.add("a", tenths * 10**8, float(score), f"{tenths}:{score}", image)
    kept = [tuple(map(int, title.split(":"))) for title in moments.titles]
    assert kept[0][1] == max(score for _, score in frames)
    assert [score for _, score in kept] == sorted((score for _, score in kept), reverse=True)
    assert len(kept) <= count
    assert all(abs(a - b) >= 10 for i, (a, _) in enumerate(kept) for b, _ in kept[:i])


TIMELINES = (
    [Point(0, 1.0, State.OK, False)],
    [Point(i * 10**8, math.inf if i == 2 else 1e6 * i, list(State)[i % 4], i > 2) for i in range(9)],
    [Point(5, math.inf, State.INVALID, True)] * 2,
)


@pytest.mark.parametrize("points", TIMELINES)
def test_timeline_any_drive_is_drawn(toy_bundle: Path, tmp_path: Path, points: list[Point]) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        timeline = Timeline(monitor.threshold, monitor.manifest.calibration)
    for camera in ("front", "rear"):
        for point in points:
            timeline.add(camera, point)
    timeline.draw(tmp_path / "t.png")
    with Image.open(tmp_path / "t.png") as picture:
        assert picture.size[0] > 1000
    with pytest.raises(MediaError, match="cannot write the picture"):
        timeline.draw(tmp_path / "no" / "t.png")
    with pytest.raises(MediaError, match="at least one frame"):
        Timeline(1.0, monitor.manifest.calibration).draw(tmp_path / "t.png")


def test_verdict_file_on_a_full_disk_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    path = tmp_path / "scores.csv"
    message = r"cannot write .*scores\.csv: No space left on device; choose another file"
    with pytest.raises(MediaError, match=message), VerdictFile(path) as file:
        file.write({"camera": "a", "stamp_ns": 1})
    assert list(tmp_path.iterdir()) == []


def test_verdict_file_parquet_of_whole_blocks_comes_back(tmp_path: Path) -> None:
    """As many rows as are written at once: nothing is left to write at the end."""
    path = tmp_path / "scores.parquet"
    rows: list[Row] = [{"camera": "a", "stamp_ns": i} for i in range(4096)]
    with VerdictFile(path) as file:
        for row in rows:
            file.write(row)
    assert pyarrow.parquet.read_table(path).to_pylist() == rows
