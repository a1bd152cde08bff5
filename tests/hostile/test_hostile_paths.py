# SPDX-License-Identifier: Apache-2.0
"""Whatever stands at a path that a command was given, the command ends in one line of its own, at once, in little memory.

The options are those of the option tables that take paths: a new one is tested without a word here.
"""

import os
from pathlib import Path

import pytest

from tests.hostile.worker import KINDS, TABLES, cases
from tests.hostile.worker_process import ends_of


def check(command: str, kinds: list[str], given: Path, scratch: Path) -> None:
    """Run a command with each option's path of each kind."""
    ends = ends_of("worker", command, kinds, given, scratch)
    devices = sum("device" in case.kind for case in cases(command, kinds)) if os.geteuid() else 0
    assert len(ends) >= len(list(cases(command, kinds))) - devices
    wrong = []
    for name, code, err in ends:
        lines = err.splitlines() or [""]
        is_error = "export: error: expected" in lines[-1] or f"{command}: error: expected" in lines[-1]
        if code not in range(1, 7) or not is_error or "Traceback" in err or "[Errno" in err:
            wrong.append((name, code, lines[-1]))
    assert wrong == []


@pytest.fixture
def given(tmp_path: Path, bundle: Path, frames: Path, checkpoint: Path) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    for name, path in {"monitor": bundle, "frames": frames, "small.ckpt": checkpoint}.items():
        (folder / name).symlink_to(path)
    (tmp_path / "scratch").mkdir()
    return folder


def test_hostile_path_of_an_option_of_calibrate_ends_in_one_line(given: Path, tmp_path: Path) -> None:
    check(
        "calibrate",
        ["pipe", "sparse file", "loop of links", "folder with a loop of links"],
        given,
        tmp_path / "scratch",
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", TABLES)
def test_hostile_path_of_any_kind_of_any_option_ends_in_one_line(command: str, given: Path, tmp_path: Path) -> None:
    check(command, list(KINDS), given, tmp_path / "scratch")


def test_hostile_paths_are_tried_for_every_command_and_many_options() -> None:
    found = {command: {case.option.name for case in cases(command, ["pipe"])} for command in TABLES}
    assert {"--config", "--ckpt", "--frames", "--out", "--train-frames", "--group-by"} <= found["export"]
    assert {"bundle", "--ind", "--ood", "--labels", "--report", "--fit-frames"} <= found["evaluate"]
    assert {"bundle", "--features", "--save-features", "--out"} <= found["calibrate"]
