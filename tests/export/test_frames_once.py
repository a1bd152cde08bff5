# SPDX-License-Identifier: Apache-2.0
"""Every command that counts frames refuses one that comes twice, whatever it is called the second time."""

import shutil
from pathlib import Path

import pytest

from export.cli import calibrate, evaluate, export, search


@pytest.mark.parametrize("command", ["export", "calibrate", "evaluate", "search"])
@pytest.mark.parametrize("kind", ["named twice", "copied"])
def test_command_on_frames_that_come_twice_is_refused_and_writes_nothing(
    command: str,
    kind: str,
    bundle: Path,
    checkpoint: Path,
    frames: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    again, out = tmp_path / "again", tmp_path / "out"
    if kind == "copied":
        again.mkdir()
        for i in (3, 7):
            shutil.copy(frames / f"{i:04d}.png", again / f"new{i}.png")
    twice = [str(frames), str(again if kind == "copied" else frames)]
    words = {
        "export": ["--ckpt", str(checkpoint), "--frames", *twice, "--out", str(out), "--mc-samples", "8"],
        "calibrate": [str(bundle), "--frames", *twice, "--out", str(out)],
        "evaluate": [str(bundle), "--ind", *twice, "--report", str(out)],
        "search": ["--ckpt", str(checkpoint), "--frames", *twice],
    }[command]
    main = {"export": export.main, "calibrate": calibrate.main, "evaluate": evaluate.main, "search": search.main}[
        command
    ]
    assert main(words) == 2
    error = " ".join(capsys.readouterr().err.split())
    if kind == "copied":
        assert "expected each frame once, got 2 of 62 again: " in error
        assert "new3.png has the pixels of " in error
    else:
        assert "expected each frame once, got 60 of 120 again: " in error
    assert not out.exists()


@pytest.mark.parametrize("command", ["export", "search"])
def test_dry_run_on_frames_that_are_named_twice_refuses_them(
    command: str, checkpoint: Path, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = {"export": export.main, "search": search.main}[command]
    assert main(["--ckpt", str(checkpoint), "--frames", str(frames), str(frames), "--dry-run"]) == 2
    told = capsys.readouterr()
    assert "expected each frame once, got 60 of 120 again: " in " ".join((told.out + told.err).split())
