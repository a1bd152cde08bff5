# SPDX-License-Identifier: Apache-2.0
"""``lsood watch`` over recorded drives: alarms in the promised time, stamps preserved, pictures, and clear refusals."""

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from PIL import Image

from lsood_runtime import (
    OoDMonitor,
    ScoreHistogram,
    read_manifest,
)
from lsood_runtime._cli.main import run
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames, seal
from tests.lsood_runtime.media.recordings.drives import replay
from tests.lsood_runtime.parts_bundle import frame_breaking, parts_by_hand, parts_manifest, write_parts_bundle
from tests.lsood_runtime.recordings import Record, write_mcap_without_images, write_recording
from tests.lsood_runtime.stream.test_stream import shifted_frame

START = 1_700_000_000_000_000_000


def drive(clean: int = 8, shifted: int = 6, topic: str = "/front/image_raw") -> list[Record]:
    frames = [*random_frames(clean, seed=1), *(shifted_frame(i) for i in range(shifted)), *random_frames(clean, seed=3)]
    return [(topic, START + i * 10**8 + 7, START + i * 10**8 + 999, frame) for i, frame in enumerate(frames)]


@pytest.mark.parametrize("kind", ["mcap file", "ros2 sqlite3"])
def test_watch_shift_raises_the_alarm_within_the_delay(
    toy_bundle: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    records = drive(8, 6)
    path = write_recording(tmp_path, kind, records)
    outs = [tmp_path / f"scores.{suffix}" for suffix in ("csv", "jsonl", "parquet", "mcap")]
    flags = [flag for out in outs for flag in ("--out", str(out))]
    pictures = tmp_path / "timeline.png", tmp_path / "highest.png"
    flags += ["--timeline", str(pictures[0]), "--thumbnails", str(pictures[1]), "--highest", "2"]
    assert run(["watch", str(toy_bundle), str(path), "--alarm", "3of4", *flags]) == 1
    out, err = capsys.readouterr()
    assert "an alarm comes at most 3 out-of-distribution frames after a shift" in err
    assert "22 frames" in err
    assert "1 alarm; " in err
    alarm, clear = out.splitlines()
    assert alarm.startswith("ALARM /front/image_raw at 1700000001.0")
    assert clear.startswith("clear /front/image_raw at 1700000001.")

    with outs[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["stamp_ns"]) for row in rows] == [stamp for _, stamp, _, _ in records]
    onset = [i for i, row in enumerate(rows) if row["onset"] == "True"]
    assert len(onset) == 1
    assert onset[0] <= 8 + 3 - 1
    with OoDMonitor(toy_bundle) as monitor:
        scores = [monitor.score(frame) for *_, frame in records]
    assert [float(row["score"]) for row in rows] == scores
    lines = [json.loads(line) for line in outs[1].read_text().splitlines()]
    table = pyarrow.parquet.read_table(outs[2])
    assert table.to_pylist() == lines
    assert [line["score"] for line in lines] == scores
    assert str(table.schema.field("since_ns").type) == "int64"
    with outs[3].open("rb") as file:
        messages = list(make_reader(file).iter_messages())
    assert [(m.log_time, m.publish_time) for _, _, m in messages] == [(s, s) for _, s, _, _ in records]
    assert {channel.topic for _, channel, _ in messages} == {"/lsood/front/image_raw"}
    assert [json.loads(m.data) for _, _, m in messages] == lines
    for picture in pictures:
        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB"))
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20, "not an empty picture"
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("flags", [[], ["--alarm", "3of5"]])
def test_watch_clean_drive_raises_no_alarm(
    toy_bundle: Path, tmp_path: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_recording(tmp_path, "mcap file", drive(20, 0))
    assert run(["watch", str(toy_bundle), str(path), *flags]) == 0
    out, err = capsys.readouterr()
    assert "\nalarm 3of5: " in err if flags else re.search(r"\nalarm \d+of\d+, chosen for 1 false alarm an hour", err)
    assert "false alarms an hour at 10 frames/s cannot be stated from 19 frames" in err
    assert out == ""
    assert "40 frames" in err
    assert "0 alarms" in err
    drift = ScoreHistogram(read_manifest(toy_bundle).calibration)
    with OoDMonitor(toy_bundle) as monitor:
        for *_, frame in drive(20, 0):
            drift.add(monitor.score(frame))
    expected = f"/front/image_raw {drift}"
    assert "withheld, 40 scores tell no drift" in expected
    assert f"drift of the scores (population stability index): {expected}\n" in err


def test_watch_json_prints_a_line_for_each_frame(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_recording(tmp_path, "mcap file", drive(2, 3))
    run(["watch", str(toy_bundle), str(path), "--json", "--alarm", "duration:0.2", "--topic", "/front/image_raw"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["index"] for row in rows] == list(range(7))
    assert [row["alarm"] for row in rows] == [False, False, False, False, True, True, True]
    assert rows[0]["frame"] == f"{path}#000000"


def test_watch_parts_stand_in_lines_and_files_where_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, folder = tmp_path / "parts", tmp_path / "drive"
    bundle.mkdir()
    folder.mkdir()
    manifest = parts_manifest()
    manifest["detector"]["parts"][1]["name"] = "inverse_ns"  # a layer may end so as stamps do
    seal(write_parts_bundle(bundle), manifest)
    frames = [random_frames(1, 3)[0], frame_breaking("root"), frame_breaking("inverse")]
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{i}.png")
    files = {suffix: tmp_path / f"scores.{suffix}" for suffix in ("csv", "jsonl", "parquet", "mcap")}
    flags = [flag for out in files.values() for flag in ("--out", str(out))]
    command = ["watch", str(bundle), str(folder), "--json", *flags]
    assert run(command) in (0, 1)
    for line in capsys.readouterr().out.splitlines():
        assert "parts" not in json.loads(line)
    assert not any(name.startswith("parts") for name in pyarrow.parquet.read_table(files["parquet"]).column_names)
    assert run([*command, "--parts"]) in (0, 1)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(rows[0]["parts"].values()) == pytest.approx(list(parts_by_hand(frames[0]).values()), abs=1e-5)
    assert [[name for name, share in row["parts"].items() if share is None] for row in rows] == [
        [],
        ["root"],
        ["inverse_ns"],
    ]
    assert [json.loads(line) for line in files["jsonl"].read_text().splitlines()] == rows
    shares = [list(row["parts"].values()) for row in rows]
    columns = ["parts.logarithm", "parts.inverse_ns", "parts.root"]
    table = pyarrow.parquet.read_table(files["parquet"])
    assert [[row[name] for name in columns] for row in table.to_pylist()] == shares
    assert {str(table.schema.field(name).type) for name in columns} == {"double"}
    with files["csv"].open(newline="") as file:
        written = [[row[name] for name in columns] for row in csv.DictReader(file)]
    assert [[float(share) if share else None for share in row] for row in written] == shares
    with files["mcap"].open("rb") as file:
        messages = list(make_reader(file).iter_messages())
    assert [list(json.loads(message.data)["parts"].values()) for _, _, message in messages] == shares
    schema = messages[0][0]
    assert schema is not None
    assert json.loads(schema.data)["properties"]["parts"] == {"type": ["object", "null"]}


def test_watch_images_and_videos_get_counted_stamps(toy_bundle: Path, tmp_path: Path) -> None:
    for i, frame in enumerate(random_frames(3, 1)):
        Image.fromarray(frame).save(tmp_path / f"{i}.png")
    writer = cv2.VideoWriter(str(tmp_path / "x.avi"), cv2.VideoWriter.fourcc(*"FFV1"), 25, (WIDTH, HEIGHT))
    for frame in random_frames(3, 2):
        writer.write(frame)
    writer.release()
    out = tmp_path / "scores.jsonl"
    run(["watch", str(toy_bundle), str(tmp_path / "*.png"), str(tmp_path / "x.avi"), "--fps", "4", "--out", str(out)])
    stamps = [json.loads(line)["stamp_ns"] / 1e9 for line in out.read_text().splitlines()]
    assert stamps == pytest.approx([0, 0.25, 0.5, 0.75, 0.79, 0.83])


def test_watch_frame_of_another_size_is_invalid_and_the_drive_goes_on(toy_bundle: Path, tmp_path: Path) -> None:
    records = drive(3, 0)
    small = np.zeros((HEIGHT - 1, WIDTH, 3), np.uint8)
    records[2] = (*records[2][:3], small)
    path, out = write_recording(tmp_path, "mcap file", records), tmp_path / "scores.jsonl"
    assert run(["watch", str(toy_bundle), str(path), "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["state"] == "invalid" for row in rows] == [False, False, True, False, False, False]
    assert "expected an image of 8x6 pixels, got 8x5" in rows[2]["reason"]


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return path


def damage_head(path: Path) -> Path:
    """Pixels can change without anyone's notice; what tells where they are cannot."""
    contents = bytearray(path.read_bytes())
    contents[4:104] = b"\xff" * 100
    path.write_bytes(contents)
    return path


@pytest.mark.parametrize("kind", ["mcap file", "ros1", "db3 file"])
def test_watch_recording_that_is_cut_off_keeps_what_was_read_and_names_it(
    toy_bundle: Path, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path, out = cut(write_recording(tmp_path, kind, drive(100, 0))), tmp_path / "scores.csv"
    assert run(["watch", str(toy_bundle), str(path), "--alarm", "40of40", "--out", str(out)]) == 2
    err = capfd.readouterr().err.strip().splitlines()
    assert err[-1].startswith(f"lsood: error: cannot read {path}")
    read = replay(path).frames
    assert len(out.read_text().splitlines()) == 1 + len(read)
    assert len(read) >= 40
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize("kind", ["mcap file", "ros1", "db3 file"])
def test_watch_damaged_recording_is_named_and_leaves_no_file(
    toy_bundle: Path, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = damage_head(write_recording(tmp_path, kind, drive(20, 0)))
    out = tmp_path / "scores.csv"
    assert run(["watch", str(toy_bundle), str(path), "--out", str(out), "--timeline", str(tmp_path / "t.png")]) == 2
    err = capfd.readouterr().err
    last = err.strip().splitlines()[-1]
    assert last.startswith("lsood: error: cannot read ")
    assert str(path) in last
    assert not out.exists()
    assert not (tmp_path / "t.png").exists()
    assert not list(tmp_path.glob(".*partial"))


def test_watch_recording_without_the_images_names_the_topics(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_recording(tmp_path, "ros2 mcap", drive(1, 0))
    assert run(["watch", str(toy_bundle), str(path), "--topic", "/left"]) == 2
    assert f"expected images on /left in {path}, it has them on /front/image_raw" in capsys.readouterr().err
    other = write_mcap_without_images(tmp_path / "words.mcap")
    assert run(["score", str(toy_bundle), str(other)]) == 2
    assert "words.mcap" in capsys.readouterr().err


def test_watch_output_over_its_input_is_refused(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_recording(tmp_path, "mcap file", drive(1, 0))
    before = path.read_bytes()
    assert run(["watch", str(toy_bundle), str(path), "--out", f"{tmp_path}/./drive.mcap"]) == 2
    assert "it would be lost" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_watch_interrupted_keeps_the_results(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = write_recording(tmp_path, "mcap file", drive(3, 0)), tmp_path / "scores.csv"
    original, calls = OoDMonitor.assess_since, iter(range(100))

    def until_the_third(self: OoDMonitor, *arguments: Any, **options: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return original(self, *arguments, **options)

    monkeypatch.setattr(OoDMonitor, "assess_since", until_the_third)
    assert run(["watch", str(toy_bundle), str(path), "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 4
    assert "interrupted; the results so far are kept" in capsys.readouterr().err


def test_watch_missing_package_names_the_extra(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_recording(tmp_path, "mcap file", drive(1, 0))
    for missing, flags in (
        ("rosbags.typesys", []),
        ("matplotlib.figure", ["--timeline", "t.png"]),
        ("pyarrow", ["--out", str(tmp_path / "s.parquet")]),
        ("mcap.writer", ["--out", str(tmp_path / "s.mcap")]),
        ("rerun", ["--rerun", str(tmp_path / "s.rrd")]),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            patch.delitem(sys.modules, "lsood_runtime._media.recordings.ros_messages", raising=False)
            assert run(["watch", str(toy_bundle), str(path), *flags]) == 2
        extra = "rerun" if missing == "rerun" else "replay"
        assert f"install lsood-runtime with its extra {extra}, pip install " in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drive", "drive.mcap", "monitor"]


def test_watch_rerun_writes_a_recording(toy_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="the rerun extra is large and not among the development packages")
    path, out = write_recording(tmp_path, "mcap file", drive(2, 3)), tmp_path / "drive.rrd"
    assert run(["watch", str(toy_bundle), str(path), "--alarm", "3of5", "--rerun", str(out)]) == 1
    assert out.read_bytes()[:3] == b"RRF"
    assert out.stat().st_size > 5_000


class FakeCapture:
    """Three frames, then the cable is pulled."""

    def __init__(self, number: int | str) -> None:
        self.frames = iter(random_frames(3, 5)) if number == 3 else iter(())
        self.opened = number == 3

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def set(self, *_: Any) -> bool:
        return True

    def read(self) -> tuple[bool, Any]:
        frame = next(self.frames, None)
        return frame is not None, frame

    def release(self) -> None:
        pass


def test_watch_camera_device_reads_until_it_fails(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    assert run(["watch", str(toy_bundle), "camera:3", "--json"]) == 2
    out, err = capsys.readouterr()
    with OoDMonitor(toy_bundle) as monitor:
        expected = [monitor.score(frame[..., ::-1]) for frame in random_frames(3, 5)]
    assert [json.loads(line)["score"] for line in out.splitlines()] == expected
    assert "camera:3 gave no frame after 3 frames" in err
    assert run(["watch", str(toy_bundle), "camera:4"]) == 2
    assert "expected a camera at camera:4, found none" in capsys.readouterr().err


@pytest.mark.parametrize(("rate", "flags", "named"), [(30, [], True), (30, ["--fps", "28"], False), (10, [], False)])
def test_watch_names_a_frame_rate_that_the_false_alarms_are_not_stated_for(
    toy_bundle: Path, tmp_path: Path, rate: int, flags: list[str], named: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    stamps = [10**9 + i * 10**9 // rate for i in range(25)]
    records = [("/rear", t, t, frame) for t, frame in zip(stamps, random_frames(25, 3), strict=True)]
    path = write_recording(tmp_path, "mcap file", records)
    run(["watch", str(toy_bundle), str(path), "--alarm", "3of5", *flags])
    assert (
        "/rear: 30 frames/s came, the alarm and its false alarms are for 10: pass --fps 30" in capsys.readouterr().err
    ) == named


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    rule=st.sampled_from([None, "1of1", "2of3", "5of7", "7of20", "duration:9", "hysteresis:0.01:0.2"]),
)
def test_watch_of_a_drive_too_short_for_its_rule_says_so(
    toy_bundle: Path, tmp_path: Path, counts: list[int], rule: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        (f"/camera{number}", 10**9 + i * 10**8, 10**9 + i * 10**8, frame)
        for number, count in enumerate(counts)
        for i, frame in enumerate(random_frames(count, 3))
    ]
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    path = write_recording(folder, "mcap file", sorted(records, key=lambda record: record[1]))
    run(["watch", str(toy_bundle), str(path), *(["--alarm", rule] if rule else [])])
    err = capsys.readouterr().err
    stated = re.search(r"alarm (\d+)of\d+", err)
    needed = int(stated[1]) if stated else 0
    sentences = [line for line in err.splitlines() if line.startswith("no alarm was possible: ")]
    short = [f"/camera{number} sent {count} frame" for number, count in enumerate(counts) if count < needed]
    assert bool(sentences) == bool(short)
    for camera in range(len(counts)):
        named = f"/camera{camera} sent {counts[camera]} frame"
        assert (named in "".join(sentences)) == (named in short)
    assert not short or sentences[0].endswith(f"--alarm {'3of5' if needed > 3 else '1of1'}")


def test_watch_alarm_impossible_with_the_bundle_is_refused(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(random_frames(1, 1)[0]).save(tmp_path / "frame.png")
    assert run(["watch", str(toy_bundle), str(tmp_path / "frame.png"), "--alarm", "hysteresis:0.001:0.5"]) == 2
    assert "this alarm cannot work with this bundle: expected p-values down to 0.001" in capsys.readouterr().err
