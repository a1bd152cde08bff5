# SPDX-License-Identifier: Apache-2.0
"""What runs say of sources that this machine cannot read, and of files that they leave out."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from lsood_runtime._cli.main import run
from tests.lsood_runtime.conftest import random_frames


def test_watch_camera_without_opencv_names_the_extra(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert run(["watch", str(toy_bundle), "camera:0"]) == 2
    message = "reading camera:0 needs packages that are not installed: install lsood-runtime with its extra media, "
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["score", "watch"])
def test_run_over_images_without_pillow_names_the_extra_and_blames_no_frame(
    command: str, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, frame in enumerate(random_frames(2, 1)):
        Image.fromarray(frame).save(tmp_path / f"{i}.png")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert run([command, str(toy_bundle), str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert "needs packages that are not installed: install lsood-runtime with its extra media, " in printed.err
    assert "could not be read" not in printed.err
    assert "INVALID" not in printed.out


@pytest.mark.parametrize("command", ["score", "watch"])
def test_run_over_a_folder_says_which_files_it_leaves_out(
    command: str, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    for i, frame in enumerate(random_frames(3, 1)):
        Image.fromarray(frame).save(drive / f"{i}.png")
        Image.fromarray(frame).save(drive / f"{i}.jp2", irreversible=False)
    (drive / ".hidden.txt").touch()
    (drive / "inner").mkdir()
    note = f"left out of {drive}: 3 files (.jp2); name them to have them tried as images"
    for source in (str(drive), f"{tmp_path}/*/"):
        assert run([command, str(toy_bundle), source]) in (0, 1)
        assert note in capsys.readouterr().err
    assert run([command, str(toy_bundle), f"{drive}/*.*"]) in (0, 1)
    assert "left out" not in capsys.readouterr().err
