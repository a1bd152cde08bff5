# SPDX-License-Identifier: Apache-2.0
"""Two hours of six cameras, broken, mixed, crashed, at a variable rate: all that can be scored is, in memory that stays."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from mcap.writer import Writer
from PIL import Image
from rosbags.typesys import Stores, get_typestore

from lsood_runtime import read_manifest
from tests.lsood_runtime.conftest import random_frames, score_by_hand
from tests.lsood_runtime.media.recordings.drives import Shot, ros_image
from tests.lsood_runtime.media.test_videos import CONTAINERS, write_video
from tests.lsood_runtime.stream.test_stream import shifted_frame

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
CAMERAS = [f"/camera_{i}/image_raw" for i in range(6)]
HOURS = 2
OTHER_SIZE_MS = [0, 40, 700, 5000]
MEASURED = """
import os, re, sys
from pathlib import Path
from lsood_runtime._cli.main import run
code = run(sys.argv[1:])
Path(os.environ["PEAK"]).write_text(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""
"""The command in a process of its own, which leaves the largest resident memory it had, in KiB."""
GROWTH_MIB = 40
"""What the resident memory of a run may grow by from a sixth of the drive to the whole: the timeline fills up meanwhile."""


@dataclass(frozen=True)
class Message:
    """One message of a camera: its stamp, its bytes, and whether they can be read as a frame."""

    camera: str
    stamp_ns: int
    contents: bytes
    readable: bool


def messages(bundle: Path, seconds: int, *, alarming: bool) -> list[Message]:
    """About a message a second and camera, at jittered times; every 97th is broken in one of three ways."""
    threshold = read_manifest(bundle).operating_points["5%"].value
    quiet = [frame for frame in random_frames(60, seed=1) if score_by_hand(frame) < 0.9 * threshold]
    assert len(quiet) > 10
    rng, made = np.random.default_rng(seconds), list[Message]()
    for number, camera in enumerate(CAMERAS):
        when, i = float(rng.random()), 0
        while when < seconds:
            if alarming and number == 5 and when > 0.6 * seconds:
                break  # this camera stops
            shifted = alarming and number == 2 and 0.3 * seconds < when < 0.3 * seconds + 20
            pixels = shifted_frame(i) if shifted else quiet[(7 * number + i) % len(quiet)]
            stamp = START + round(when * SECOND)
            contents = ros_image(Shot(camera, stamp, stamp, pixels), encoding=("rgb8", "bgr8")[i % 2])
            broken = i % 97 == 50
            if broken:
                contents = (b"", contents[:-40], contents.replace(b"rgb8", b"8UC3").replace(b"bgr8", b"8UC3"))[i % 3]
            made.append(Message(camera, stamp, contents, not broken))
            when += float(rng.uniform(0.7, 1.3))
            i += 1
    return sorted(made, key=lambda message: message.stamp_ns)


def write_crashed_mcap(path: Path, made: list[Message]) -> None:
    """A file whose recorder was killed: no footer, and the last chunk is cut. Words in JSON stand beside the images."""
    definition, _ = get_typestore(Stores.ROS2_HUMBLE).generate_msgdef("sensor_msgs/msg/Image", ros_version=2)
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=20_000)
        writer.start(profile="ros2")
        image = writer.register_schema("sensor_msgs/msg/Image", "ros2msg", definition.encode())
        words = writer.register_schema("words", "jsonschema", b'{"type": "object"}')
        channels = {camera: writer.register_channel(camera, "cdr", image) for camera in CAMERAS}
        beside = writer.register_channel("/diagnostics", "json", words)
        for message in made:
            writer.add_message(channels[message.camera], message.stamp_ns, message.contents, message.stamp_ns)
            writer.add_message(beside, message.stamp_ns, b"{}", message.stamp_ns)
        writer.finish()  # type: ignore[no-untyped-call]
        whole = file.tell()
    contents = path.read_bytes()
    summary = contents.rindex(b"/diagnostics")  # the last record of it stands in the summary, behind the data
    path.write_bytes(contents[: min(summary, whole) - 6_000])


@dataclass(frozen=True)
class Run:
    """What a run of ``lsood watch`` left."""

    code: int
    printed: str
    said: str
    peak_mib: float
    rows: list[dict[str, str]]


def watch(bundle: Path, folder: Path, seconds: int, *, alarming: bool) -> tuple[Run, list[Message]]:
    """Run the command over an MCAP file, a folder of pictures, two videos and a file that is none."""
    folder.mkdir()
    made = messages(bundle, seconds, alarming=alarming)
    write_crashed_mcap(folder / "drive.mcap", made)
    (folder / "pictures").mkdir()
    for i, frame in enumerate(random_frames(12, seed=2)[[0, 0, 1] * 4] if alarming else random_frames(2, seed=2)):
        Image.fromarray(frame).save(folder / "pictures" / f"frame_{i}.png")
    (folder / "pictures" / "frame_1.png").write_bytes(b"\x89PNG")
    write_video(folder / "other_size.mkv", OTHER_SIZE_MS if alarming else [0], CONTAINERS["mkv"])
    (folder / "no_video.mp4").write_bytes(b"no video" * 50)
    outs = {suffix: folder / f"scores.{suffix}" for suffix in ("csv", "parquet", "jsonl", "mcap")}
    sources = [str(folder / name) for name in ("drive.mcap", "no_video.mp4", "pictures", "other_size.mkv")]
    flags = [flag for out in outs.values() for flag in ("--out", str(out))]
    flags += ["--timeline", str(folder / "t.png"), "--thumbnails", str(folder / "h.png"), "--alarm", "3of5"]
    command = [sys.executable, "-c", MEASURED, "watch", str(bundle), *sources, "--threads", "1", *flags]
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        done = subprocess.run(
            command, stdout=out, stderr=err, check=False, env=os.environ | {"PEAK": str(folder / "peak")}
        )
    with outs["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert pyarrow.parquet.read_table(outs["parquet"]).num_rows == len(rows)
    assert len(outs["jsonl"].read_text().splitlines()) == len(rows)
    assert (folder / "t.png").stat().st_size > 1000
    assert not list(folder.glob(".*partial"))
    texts = (folder / "out").read_text(), (folder / "err").read_text()
    return Run(done.returncode, *texts, int((folder / "peak").read_text()) / 1024, rows), made


def check_rows(run: Run, made: list[Message]) -> None:
    """Each message of the recording up to the cut is a row, in order, INVALID where it was broken."""
    recorded = [row for row in run.rows if row["camera"] in CAMERAS and not row["frame"].endswith("#silent")]
    assert 0.99 * len(made) - 100 < len(recorded) < len(made)
    for row, message in zip(recorded, made, strict=False):
        assert (row["camera"], int(row["stamp_ns"])) == (message.camera, message.stamp_ns)
        assert (row["state"] != "invalid") == message.readable, row
        assert bool(row["reason"]) or row["state"] == "ok"
    broken = sum(not message.readable for message in made[: len(recorded)])
    others = [row for row in run.rows if row["camera"] not in CAMERAS]
    assert [row["state"] == "invalid" for row in others if "frame_1.png" in row["frame"]] == [True]
    video = [row for row in others if "other_size" in row["frame"]]
    assert {row["state"] for row in video} == {"invalid"}
    stamps = [int(row["stamp_ns"]) // 10**6 for row in video]
    assert [stamp - stamps[0] for stamp in stamps] == OTHER_SIZE_MS[: len(video)]
    assert f"{broken + 1} of {len(recorded) + len(others)} frames could not be read, the first: " in run.said
    failures = [line for line in run.said.splitlines() if line.startswith("lsood: error: ")]
    assert len(failures) == 2
    assert "drive.mcap" in failures[0]
    assert "no_video.mp4" in failures[1]


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_watch_two_hours_of_a_broken_drive_scores_all_that_can_be_read(toy_bundle: Path, tmp_path: Path) -> None:
    run, made = watch(toy_bundle, tmp_path / "whole", HOURS * 3600, alarming=True)
    check_rows(run, made)
    assert run.code == 1
    alarms = Counter(line.split()[1] for line in run.printed.splitlines() if line.startswith("ALARM"))
    assert alarms[CAMERAS[2]] == 1, "the shift"
    assert alarms[CAMERAS[5]] == 1, "the camera that stopped"
    assert not alarms.keys() & {CAMERAS[i] for i in (0, 1, 3, 4)}
    assert any(line.startswith(CAMERAS[5]) and "silent, reported " in line for line in run.said.splitlines())
    sixth, _ = watch(toy_bundle, tmp_path / "sixth", HOURS * 600, alarming=True)
    print(json.dumps({"frames": len(run.rows), "peak MiB": run.peak_mib, "of a sixth": sixth.peak_mib}))
    assert run.peak_mib - sixth.peak_mib < GROWTH_MIB


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_watch_a_broken_drive_without_alarm_ends_with_2(toy_bundle: Path, tmp_path: Path) -> None:
    run, made = watch(toy_bundle, tmp_path / "quiet", 600, alarming=False)
    check_rows(run, made)
    assert run.code == 2
    assert "ALARM" not in run.printed
    assert " 0 alarms" in run.said
