# SPDX-License-Identifier: Apache-2.0
"""``lsood``: what it prints, where, and with which exit code."""

import csv
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

import lsood_runtime
from lsood_runtime import OoDMonitor
from lsood_runtime._cli.main import run
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames, seal, toy_manifest
from tests.lsood_runtime.parts_bundle import PARTS, frame_breaking, parts_by_hand, write_parts_bundle

CLEAN = random_frames(1, seed=2)[0]


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A frame of noise as the calibration's, and one all red."""
    folder = tmp_path / "drive"
    folder.mkdir()
    Image.fromarray(CLEAN).save(folder / "a_clean.png")
    shifted = np.ones((HEIGHT, WIDTH, 3), np.uint8)
    shifted[..., 0] = 255
    shifted[::2] = (250, 1, 2)  # of one colour it would be no camera's image
    Image.fromarray(shifted).save(folder / "b_shifted.png")
    return folder


def test_score_two_frames_prints_a_table_and_exit_code(
    toy_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", str(toy_bundle), str(drive)]) == 1
    out, err = capsys.readouterr()
    header, clean, shifted = out.splitlines()
    assert header.split() == ["frame", "score", "threshold", "p-value", "verdict", "ms"]
    assert clean.split()[0].endswith("a_clean.png")
    assert clean.split()[4] == "ok"
    assert "OUT OF DISTRIBUTION" in shifted
    assert len({line.index(word) for line, word in ((header, "verdict"), (clean, "ok"), (shifted, "OUT"))}) == 1
    assert err.startswith("2 frames, 1 out of distribution; median ")
    assert err.count("\n") == 1
    assert run(["score", str(toy_bundle), str(drive / "a_clean.png")]) == 0


def test_score_json_and_csv_equal_the_assessments(
    toy_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        expected = [
            (str(path), monitor.assess(np.asarray(Image.open(path))).asdict()) for path in sorted(drive.iterdir())
        ]
    assert run(["score", str(toy_bundle), str(drive), "--json", "--threads", "1", "--provider", "cpu"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert run(["score", str(toy_bundle), str(drive), "--csv"]) == 1
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == len(lines) == 2
    for (name, verdict), row, line in zip(expected, rows, lines, strict=True):
        assert row.keys() == {"frame"} | verdict.keys() - {"parts"} == line.keys()
        assert row["frame"] == line["frame"] == name
        for key in ("score", "threshold", "p_value"):
            assert row[key] == float(line[key]) == verdict[key]
        assert (row["is_ood"], row["state"]) == (verdict["is_ood"], verdict["state"])
        assert (line["is_ood"], line["state"]) == (str(verdict["is_ood"]), verdict["state"])


@pytest.fixture
def parts_bundle(tmp_path: Path) -> Path:
    """A bundle whose score is a sum of parts."""
    folder = tmp_path / "parts"
    folder.mkdir()
    return write_parts_bundle(folder)


@pytest.fixture
def broken_drive(tmp_path: Path) -> Path:
    """A frame of noise, and one of which the part ``root`` is not a number."""
    folder = tmp_path / "broken"
    folder.mkdir()
    Image.fromarray(CLEAN).save(folder / "a.png")
    Image.fromarray(frame_breaking("root")).save(folder / "b.png")
    return folder


def test_score_parts_as_json_is_an_object_a_frame(
    parts_bundle: Path, broken_drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", str(parts_bundle), str(broken_drive), "--json", "--parts"]) == 1
    clean, broken = json.loads(capsys.readouterr().out)
    assert clean["parts"] == pytest.approx(parts_by_hand(CLEAN), abs=1e-5)
    assert sum(clean["parts"].values()) == pytest.approx(clean["score"])
    assert broken["parts"]["root"] is None
    assert (broken["score"], broken["state"]) == (None, "invalid")
    assert "nan for root" in broken["reason"]


def test_score_parts_as_csv_are_a_column_each(
    parts_bundle: Path, broken_drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", str(parts_bundle), str(broken_drive), "--csv", "--parts"]) == 1
    clean, broken = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert list(clean)[-3:] == [f"parts.{part}" for part in PARTS]
    for part, share in parts_by_hand(CLEAN).items():
        assert float(clean[f"parts.{part}"]) == pytest.approx(share, abs=1e-5)
    assert (broken["parts.root"], broken["score"]) == ("", "")
    assert math.isfinite(float(broken["parts.inverse"]))


def test_score_parts_in_the_table_begin_with_the_largest(
    parts_bundle: Path, broken_drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", str(parts_bundle), str(broken_drive), "--parts"]) == 1
    header, clean, broken = capsys.readouterr().out.splitlines()
    assert header.split()[-1] == "parts"
    shares = sorted(parts_by_hand(CLEAN).items(), key=lambda part: -part[1])
    assert clean.endswith("  " + "; ".join(f"{name} {share:.3f}" for name, share in shares))
    assert "  root nan; " in broken, "what is not finite comes first"


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_score_without_parts_prints_nothing_of_them(
    parts_bundle: Path, broken_drive: Path, tmp_path: Path, form: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.jsonl"
    assert run(["score", str(parts_bundle), str(broken_drive / "a.png"), *form, "--out", str(out)]) in (0, 1)
    printed = capsys.readouterr().out
    assert not any(word in printed for word in ("logarithm", "inverse", "parts.", '"parts"'))
    (row,) = map(json.loads, out.read_text().splitlines())
    assert "parts" not in row


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_score_parts_of_a_detector_of_one_part_are_none(
    toy_bundle: Path, drive: Path, form: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    clean = str(drive / "a_clean.png")
    assert run(["score", str(toy_bundle), clean, *form, "--parts"]) == 0
    out = capsys.readouterr().out
    if form == ["--json"]:
        assert json.loads(out)[0]["parts"] == {}
    elif form == ["--csv"]:
        assert "parts" not in out.splitlines()[0]
    else:
        assert out.splitlines()[1].endswith("  -")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_score_parts_in_files_are_columns_or_objects(
    parts_bundle: Path, broken_drive: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"scores.{suffix}"
    assert run(["score", str(parts_bundle), str(broken_drive), "--parts", "--out", str(path)]) == 1
    expected = parts_by_hand(CLEAN)
    if suffix == "jsonl":
        clean, broken = (json.loads(line)["parts"] for line in path.read_text().splitlines())
    elif suffix == "csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        clean, broken = (
            {part: float(row[f"parts.{part}"]) if row[f"parts.{part}"] else None for part in PARTS} for row in rows
        )
    else:
        rows = pyarrow.parquet.read_table(path).to_pylist()
        clean, broken = ({part: row[f"parts.{part}"] for part in PARTS} for row in rows)
    assert clean == pytest.approx(expected, abs=1e-5)
    assert broken["root"] is None
    assert broken["inverse"] > 0


def test_score_video_uses_the_channel_order_of_the_bundle(
    make_bundle: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = toy_manifest()["input"] | {"channels": "bgr"}
    bundle = make_bundle(input=contract)
    writer = cv2.VideoWriter(str(tmp_path / "drive.avi"), cv2.VideoWriter.fourcc(*"FFV1"), 10, (WIDTH, HEIGHT))
    frames = random_frames(3, seed=9)
    for frame in frames:
        writer.write(frame)
    writer.release()
    run(["score", str(bundle), str(tmp_path / "drive.avi"), "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["frame"][-7:] for row in rows] == ["#000000", "#000001", "#000002"]
    assert all(math.isfinite(row["score"]) for row in rows)
    Image.fromarray(frames[0][..., ::-1]).save(tmp_path / "frame.png")
    run(["score", str(bundle), str(tmp_path / "frame.png"), "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    with OoDMonitor(bundle) as monitor:
        assert row["score"] == monitor.score(frames[0])


def test_score_black_frame_is_invalid(toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros_like(CLEAN)).save(tmp_path / "black.png")
    arguments = ["score", str(toy_bundle), str(tmp_path / "black.png")]
    assert run(arguments) == 1
    out, err = capsys.readouterr()
    assert "INVALID" in out
    assert "1 invalid" in err
    run([*arguments, "--csv"])
    (line,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (line["score"], line["is_ood"]) == ("", "True")


def break_detector(bundle: Path, drive: Path) -> None:
    (bundle / "detector.onnx").write_bytes(b"no graph")


def raise_schema(bundle: Path, drive: Path) -> None:
    seal(bundle, toy_manifest() | {"schema": 6})


def break_golden(bundle: Path, drive: Path) -> None:
    np.savez(bundle / "golden.npz", frames=CLEAN[None], scores=[99.0])
    seal(bundle, toy_manifest())


def cut_image(bundle: Path, drive: Path) -> None:
    (drive / "a_clean.png").write_bytes((drive / "a_clean.png").read_bytes()[:-60])


def grow_image(bundle: Path, drive: Path) -> None:
    Image.new("RGB", (9, 9)).save(drive / "a_clean.png")


def empty_folder(bundle: Path, drive: Path) -> None:
    for path in drive.iterdir():
        path.unlink()


def remove_bundle(bundle: Path, drive: Path) -> None:
    bundle.rename(bundle.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_detector, "expected detector.onnx to have"),
        (raise_schema, "expected a manifest of schema 2, 3, 4 or 5, got 6"),
        (break_golden, "expected golden frame 0 to score 99"),
        (cut_image, "a_clean.png"),
        (grow_image, "a_clean.png: expected an image of 8x6 pixels, got 9x9"),
        (empty_folder, "expected images, videos or recordings in"),
        (remove_bundle, "expected a bundle folder or archive, found none"),
    ],
)
def test_score_bad_input_ends_in_one_line_and_exit_code_2(
    toy_bundle: Path, drive: Path, capfd: pytest.CaptureFixture[str], damage: Callable[[Path, Path], None], message: str
) -> None:
    damage(toy_bundle, drive)
    assert run(["score", str(toy_bundle), str(drive), "--json", "--strict"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("lsood: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["score"],
        ["score", "monitor"],
        ["drive"],
        ["score", "m", "f", "--json", "--csv"],
        ["score", "m", "f", "--threads", "0"],
    ],
)
def test_lsood_bad_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["--version"]])
def test_lsood_help_and_version_end_with_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(arguments)
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert ("lsood score monitor/" in out) if "--help" in arguments else out == f"lsood {lsood_runtime.__version__}\n"


def test_score_interrupted_prints_no_traceback(
    toy_bundle: Path, drive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(OoDMonitor, "assess", interrupt)
    assert run(["score", str(toy_bundle), str(drive)]) == 130
    assert capsys.readouterr().err == "lsood: interrupted\n"


def test_lsood_as_a_process_returns_exit_codes(toy_bundle: Path, drive: Path) -> None:
    command = [sys.executable, "-m", "lsood_runtime", "score", str(toy_bundle)]
    scored = subprocess.run([*command, str(drive)], capture_output=True, text=True, check=False)
    assert (scored.returncode, len(scored.stdout.splitlines())) == (1, 3)
    (drive / "drive.mp4").write_bytes(b"no video")
    failed = subprocess.run([*command, str(drive / "drive.mp4"), "--csv"], capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr.startswith("lsood: error: expected a video, could read 0 of ")
    assert failed.stderr.count("\n") == 1


def test_score_closed_pipe_prints_no_traceback(toy_bundle: Path, drive: Path) -> None:
    command = [sys.executable, "-m", "lsood_runtime", "score", str(toy_bundle), *[str(drive)] * 3]
    read_end, write_end = os.pipe()
    os.close(read_end)  # before the command starts, which may else have ended by then
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert "Traceback" not in done.stderr
    assert done.returncode == 141


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fps", "0"], "expected a number above 0, got '0'"),
        (["--fps", "fast"], "expected a number above 0, got 'fast'"),
        (["--deadline-ms", "inf"], "expected a number above 0, got 'inf'"),
        (["--highest", "-1"], "expected a whole number from 1 to 1000000000, got '-1'"),
    ],
)
def test_score_number_out_of_range_is_bad_usage(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["score", "monitor", "frame.png", *flags])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
