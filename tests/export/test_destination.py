# SPDX-License-Identifier: Apache-2.0
"""A destination that cannot be written to is refused before the work begins."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from export.calibration.recalibration_options import RecalibrationOptions
from export.cli import evaluate as evaluate_command
from export.cli import search as search_command
from export.destination import check_parent_folder
from export.errors import UsageError
from export.recalibrate import recalibrate


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that refuses writes; said so by the system's answer, since root may write everywhere."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder and access(path, mode))
    return folder


def test_check_parent_folder_of_a_file_in_a_writable_folder_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_parent_folder(tmp_path / "new", "choose another --out")
    check_parent_folder(Path("new"), "choose another --out")


def test_check_parent_folder_that_is_missing_or_read_only_is_refused(read_only: Path) -> None:
    with pytest.raises(UsageError, match=r"to exist, it does not: make it, or choose another --out$"):
        check_parent_folder(read_only.parent / "no" / "new", "choose another --out")
    with pytest.raises(UsageError, match=r"it is read-only: choose another --out$"):
        check_parent_folder(read_only / "new", "choose another --out")


@pytest.mark.parametrize(
    ("main", "words", "remedy"),
    [
        (search_command.main, ["--ckpt", "no.ckpt", "--frames", "no", "--out", "{}/c.csv"], "another --out"),
        (evaluate_command.main, ["no-bundle", "--ind", "no", "--report", "{}/report"], "another --report"),
        (evaluate_command.main, ["{}/bundle", "--ind", "no", "--update-card"], "leave --update-card out"),
    ],
)
def test_command_that_would_write_into_a_read_only_folder_is_refused_before_its_input_is_read(
    main: Callable[[Sequence[str]], int],
    words: list[str],
    remedy: str,
    read_only: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([word.format(read_only) for word in words]) == 2
    error = capsys.readouterr().err
    assert f"write into {read_only}, it is read-only" in error
    assert error.endswith(f"{remedy}\n")


@pytest.mark.parametrize(
    ("name", "message"), [("features.csv", r"ending in \.npz"), ("read-only/features.npz", "it is read-only")]
)
def test_recalibrate_that_could_not_save_features_is_refused_before_the_bundle_is_read(
    name: str, message: str, read_only: Path, tmp_path: Path
) -> None:
    options = RecalibrationOptions(tmp_path / "no-bundle", frames=(tmp_path,), save_features=tmp_path / name)
    with pytest.raises(UsageError, match=message):
        recalibrate(options)
