# SPDX-License-Identifier: Apache-2.0
"""Where the commands show the answers beside the score: table, CSV, JSON, files, alarms, metadata, self-test."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import OoDMonitor
from lsood_runtime._answers import cause_words, quality_words
from lsood_runtime._cli.main import run
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._media.source_frame import SourceFrame
from tests.lsood_runtime.answers_bundle import answers_by_hand, answers_record, frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import random_frames, score_by_hand

pytest.importorskip("PIL")
LEVELS = (0.4, 0.5, 0.95)


@pytest.fixture
def answered(tmp_path: Path) -> Path:
    (folder := tmp_path / "monitor").mkdir()
    return write_answers_bundle(folder)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    (folder := tmp_path / "drive").mkdir()
    for place, level in enumerate(LEVELS):
        Image.fromarray(frame_of_level(level, seed=place)).save(folder / f"{place}.png")
    return folder


def _verdicts(bundle: Path) -> list[Any]:
    with OoDMonitor(bundle) as monitor:
        return [monitor.assess(frame_of_level(level, seed=place)) for place, level in enumerate(LEVELS)]


def test_score_table_of_a_bundle_that_answers_has_them_by_their_measure(
    answered: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["score", str(answered), str(drive)])
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.endswith("answers")
    for line, verdict in zip(lines, _verdicts(answered), strict=True):
        if verdict.cause == "unknown":
            assert line.endswith("expected mIoU unknown, at most 0.38; cause: unknown")
        else:
            low, high = f"{verdict.quality_low:.2f}", f"{verdict.quality_high:.2f}"
            assert f"expected mIoU {verdict.expected_quality:.2f} ({low} to {high}); cause: {verdict.cause} (" in line


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_score_in_other_forms_has_the_answers_of_each_frame(
    answered: Path, drive: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["score", str(answered), str(drive), form])
    text = capsys.readouterr().out
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text))) if form == "--csv" else json.loads(text)
    for row, verdict in zip(rows, _verdicts(answered), strict=True):
        expected = {name: value for name, value in verdict.asdict().items() if "quality" in name or "caus" in name}
        shown = {name: row[name] for name in expected}
        if form == "--csv":
            expected = {name: "" if value is None else str(value) for name, value in expected.items()}
        assert shown == expected


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".mcap"])
def test_score_files_hold_the_answers_of_each_frame(
    answered: Path, drive: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"verdicts{suffix}"
    run(["score", str(answered), str(drive), "--out", str(out)])
    if suffix == ".parquet":
        rows = pytest.importorskip("pyarrow.parquet").read_table(out).to_pylist()
    elif suffix == ".mcap":
        reader = pytest.importorskip("mcap.reader")
        with out.open("rb") as file:
            rows = [json.loads(message.data) for _, _, message in reader.make_reader(file).iter_messages()]
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    else:
        rows = list(csv.DictReader(io.StringIO(out.read_text())))
    causes = [verdict.cause for verdict in _verdicts(answered)]
    assert [row["cause"] for row in rows] == causes
    severities = [row["severity"] for row in rows]
    assert severities[-1] in (None, "")
    assert [float(value) for value in severities[:-1]] == pytest.approx(
        [verdict.severity for verdict in _verdicts(answered)[:-1]]
    )


def test_score_of_a_bundle_without_answers_has_no_columns_for_them(
    toy_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["score", str(toy_bundle), str(drive), "--csv"])
    assert not {"cause", "expected_quality"} & set(capsys.readouterr().out.splitlines()[0].split(","))
    run(["score", str(toy_bundle), str(drive)])
    assert "answers" not in capsys.readouterr().out


def test_watch_alarm_tells_the_answers(answered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strange = max(random_frames(19, seed=1), key=score_by_hand)
    Image.fromarray(strange).save(tmp_path / "strange.png")
    run(["watch", str(answered), str(tmp_path / "strange.png"), "--alarm", "1of1", "--operating-point", "half"])
    (alarm,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("ALARM"))
    assert "expected mIoU" in alarm
    assert "cause: " in alarm


def test_inspect_tells_what_a_bundle_answers(answered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(answered)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "expected mIoU" in text
    assert "worst kind fog 80.0%" in text
    assert "fog, noise, or none" in text
    assert "of the range of an answer" in text


def test_selftest_tells_how_far_answers_are_off(answered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["selftest", str(answered)]) == 0
    assert "answers 1 off by 0.00% of their ranges, of 0.50%: ok" in capsys.readouterr().out


def test_selftest_of_answers_that_are_off_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_answers_bundle(tmp_path, off=0.02)
    assert run(["selftest", str(tmp_path)]) == 1
    assert "answers 0 off by 2.00% of their ranges, of 0.50%: WRONG" in capsys.readouterr().out


def test_diff_tells_answers_that_differ(answered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (other := tmp_path / "other").mkdir()
    write_answers_bundle(other, cause=False)
    assert run(["diff", str(answered), str(other)]) == 1
    assert "answers.cause" in capsys.readouterr().out


def test_thumbnails_have_the_answers_of_each_frame_in_lines_of_their_own(answered: Path) -> None:
    pytest.importorskip("matplotlib")
    thumbnails = Thumbnails(len(LEVELS))
    for place, verdict in enumerate(_verdicts(answered)):
        source = SourceFrame(f"{place}.png", "camera", place * 10**10, None, "")
        thumbnails.add(source, np.zeros((6, 8, 3), np.uint8), verdict)
    titles = {tuple(axis.get_title().splitlines()[3:]) for axis in thumbnails.figure().axes}
    assert titles == {(quality_words(verdict), cause_words(verdict)) for verdict in _verdicts(answered)}


def test_rerun_file_takes_a_bundle_with_answers(answered: Path, drive: Path, tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    recording = tmp_path / "drive.rrd"
    assert run(["score", str(answered), str(drive), "--rerun", str(recording)]) in (0, 1)
    assert recording.stat().st_size > 0


@pytest.fixture
def falling(tmp_path: Path) -> tuple[Path, Path]:
    """A bundle whose clean frames are of one brightness, and a drive of them that gets dark and light again."""
    (folder := tmp_path / "monitor").mkdir()
    record = answers_record()
    clean = [frame_of_level(0.55, 500 + i) for i in range(60)]
    record["quality"]["clean_low"] = sorted(float(answers_by_hand(frame)["quality"][1]) for frame in clean)
    (images := tmp_path / "drive").mkdir()
    for place, level in enumerate([*[0.55] * 12, *np.linspace(0.55, 0.15, 20), *[0.55] * 30]):
        Image.fromarray(frame_of_level(level, seed=place)).save(images / f"{place:03d}.png")
    return write_answers_bundle(folder, answers=record), images


def test_watch_with_a_quality_alarm_tells_its_rule_and_where_the_quality_falls(
    falling: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, images = falling
    files = [tmp_path / f"verdicts.{suffix}" for suffix in ("csv", "jsonl", "parquet")]
    flags = [*(word for file in files for word in ("--out", str(file))), "--timeline", str(tmp_path / "drive.png")]
    rule = ["--alarm", "60of60", "--quality-alarm", "3of4", "--fps", "10", "--frozen-after", "never"]
    assert run(["watch", str(bundle), str(images), *rule, *flags]) == 1
    out, err = capsys.readouterr()
    assert "watching 1 source;" in err
    assert "\nalarm of the expected mIoU 3of4: " in err
    assert "62 frames" in err
    assert ", 0 alarms, 1 quality alarm; " in err
    first, last = out.splitlines()
    assert first.startswith("QUALITY ALARM ")
    assert "expected mIoU" in first
    assert last.startswith("quality clear ")
    with files[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    alarms = [row["quality_alarm"] == "True" for row in rows]
    onset = alarms.index(True)
    assert 12 < onset < 32
    assert not alarms[-1]
    assert rows[onset]["quality_onset"] == "True"
    lines = [json.loads(line) for line in files[1].read_text().splitlines()]
    assert lines[onset]["quality_since_ns"] == lines[onset]["stamp_ns"]
    assert pytest.importorskip("pyarrow.parquet").read_table(files[2]).to_pylist() == lines
    with Image.open(tmp_path / "drive.png") as picture:
        assert picture.width > 100


def test_watch_with_a_quality_alarm_of_a_bundle_that_tells_no_quality_is_refused(
    toy_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["watch", str(toy_bundle), str(drive), "--quality-alarm", "3of5"]) == 2
    assert "calibrate it with --answers quality" in capsys.readouterr().err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_inspect_tells_what_a_quality_alarm_promises(
    falling: tuple[Path, Path], form: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", str(falling[0]), "--quality-alarm", "3of5", "--fps", "10", *form]) == 0
    out, err = capsys.readouterr()
    text = " ".join((err if form else out).split())
    assert "quality alarm: within 3 frames (0.30 s) where all have a quality that may be lower than" in text
    assert "false alarms an hour at 10 frames/s" in text
