# SPDX-License-Identifier: Apache-2.0
"""A destination that cannot be written to is refused before the work begins."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from export.atomic_write import recover_interrupted, scratch_folder
from export.calibration.recalibration_options import RecalibrationOptions
from export.cli import calibrate as calibrate_command
from export.cli import evaluate as evaluate_command
from export.cli import export as export_command
from export.cli import search as search_command
from export.destination import check_parent_folder, check_place, claimed
from export.errors import UsageError
from export.recalibrate import recalibrate
from tests.paths import ROOT


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


WRITING = {
    "export": (export_command.main, ["--ckpt", "no.ckpt", "--frames", "no", "--out", "{}"]),
    "calibrate": (calibrate_command.main, ["no-bundle", "--frames", "no", "--out", "{}"]),
    "calibrate's features": (
        calibrate_command.main, ["no-bundle", "--frames", "no", "--out", "{}-2", "--save-features", "{}"],
    ),
    "evaluate's report": (evaluate_command.main, ["no-bundle", "--ind", "no", "--report", "{}"]),
    "evaluate's card": (evaluate_command.main, ["{}", "--ind", "no", "--update-card"]),
    "search": (search_command.main, ["--ckpt", "no.ckpt", "--frames", "no", "--out", "{}"]),
}  # fmt: skip
"""Every command that writes, and an option of it that names a destination."""


@pytest.mark.parametrize(("main", "words"), WRITING.values(), ids=WRITING)
def test_command_whose_destination_another_one_writes_is_refused_before_its_input_is_read(
    main: Callable[[Sequence[str]], int], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with claimed(out, "choose another --out"):
        assert main([word.format(out) for word in words]) == 2
        assert f"expected to be the only one that writes {out}, another command does so now" in capsys.readouterr().err
    assert main([word.format(out) for word in words]) != 0
    assert "the only one" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("main", "words"), WRITING.values(), ids=WRITING)
def test_command_whose_destination_is_a_link_to_nothing_is_refused_before_its_input_is_read(
    main: Callable[[Sequence[str]], int], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").symlink_to("none")
    assert main([word.format(tmp_path / "out") for word in words]) == 2
    assert "got a link to none, which is not there" in capsys.readouterr().err


_CLAIM = """
import sys
from pathlib import Path
from export.atomic_write import scratch_folder
from export.destination import claimed

with claimed(Path(sys.argv[1]), "wait"), scratch_folder(Path(sys.argv[1])):
    print("claimed", flush=True)
    sys.stdin.read()
"""


def test_claimed_by_a_process_that_is_killed_is_free_again_and_its_leftovers_go(tmp_path: Path) -> None:
    out = tmp_path / "monitor"
    other = subprocess.Popen(
        [sys.executable, "-c", _CLAIM, str(out)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "claimed\n"
    with pytest.raises(UsageError, match="wait for it, or choose another"), claimed(out, "choose another"):
        pass
    assert len(list(tmp_path.iterdir())) == 2
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with claimed(out, "choose another"):
        assert [path.name for path in tmp_path.iterdir()] == [".monitor.lock"]
    assert list(tmp_path.iterdir()) == []


def test_claimed_where_the_file_system_has_no_locks_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(tmp_path / "out", "x"), claimed(tmp_path / "out", "x"), scratch_folder(tmp_path / "out") as live:
        recover_interrupted(tmp_path / "out")
        assert live.is_dir(), "what might be at work stays"
    assert list(tmp_path.iterdir()) == []


def test_check_place_without_room_for_the_expected_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    check_place(tmp_path / "new", "make room", size=free // 2)
    with pytest.raises(UsageError, match=r"expected [\d,.]+ MB of free space for .*new, got [\d,.]+ MB: make room$"):
        check_place(tmp_path / "new", "make room", size=4 * free)


def test_recalibrate_with_features_and_bundle_at_one_place_is_refused(tmp_path: Path) -> None:
    options = RecalibrationOptions(
        tmp_path / "no", frames=(tmp_path,), out=tmp_path / "x", save_features=tmp_path / "y" / ".." / "x"
    )
    with pytest.raises(UsageError, match="features and bundle at two places"):
        recalibrate(options)


@pytest.mark.parametrize(("bundle", "name"), [("monitor", "monitor"), (".", "here"), ("inner/..", "here")])
def test_recalibrated_bundle_without_a_name_lies_beside_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: str, name: str
) -> None:
    (tmp_path / "here" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert RecalibrationOptions(Path(bundle)).destination.name == f"{name}-recalibrated"
