# SPDX-License-Identifier: Apache-2.0
"""Whatever stands at a path that a command of lsood was given, it ends in a line of its own, at once, in little memory.

The arguments are those of the parsers that take paths: a new one is tested without a word here.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import read_manifest
from lsood_runtime._cli.main import run
from tests.hostile.lsood_worker import BASE, FORGED, KINDS, WRITTEN, actions_of
from tests.hostile.worker_process import ends_of
from tests.paths import FROZEN_BUNDLE
from tests.signing_keys import write_keys

FAST = (
    "pipe",
    "loop of links",
    "dangling link",
    "name too long",
    "escape sequences, file",
    "escape sequences, nothing",
    "line of its own, nothing",
)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "password").write_text("of the key\n")
    private, _ = write_keys(folder, password=b"of the key")
    shutil.copytree(FROZEN_BUNDLE, folder / "monitor")
    assert (
        run(["sign", str(folder / "monitor"), "--key", str(private), "--password-file", str(folder / "password")]) == 0
    )
    contract = read_manifest(folder / "monitor").input
    frame = np.random.default_rng(0).integers(0, 256, (contract.frame_height, contract.frame_width, 3), np.uint8)
    Image.fromarray(frame).save(folder / "frame.png")
    words = ["score", str(folder / "monitor"), str(folder / "frame.png"), "--out", str(folder / "rows.csv")]
    assert run([*words, "--features"]) in (0, 1)
    (tmp_path / "scratch").mkdir()
    return folder


def check(command: str, kinds: list[str], given: Path, scratch: Path) -> None:
    """Run a command with each argument's path of each kind."""
    ends = ends_of("lsood_worker", command, kinds, given, scratch)
    arguments = [action.dest for action in actions_of(command)]
    devices = sum("device" in kind for kind in kinds) * len(arguments) if os.geteuid() else 0
    assert len(ends) >= len(arguments) * len(kinds) - devices
    wrong = [(*end[:3], end[4][-300:]) for end in ends if not is_right(command, *end)]
    assert wrong == []


def is_right(command: str, argument: str, kind: str, code: object, out: str, err: str) -> bool:
    """Whether a run ended as it should: what it wrote is text for a terminal, and an error is one line of its own."""
    if "Traceback" in err or "[Errno" in err or not all(line.isprintable() for line in (out + err).split("\n")):
        return False
    if any(line.startswith(FORGED) for line in (out + err).split("\n")):
        return False
    if code == 2:
        return err.splitlines()[-1].startswith(("lsood: error: ", f"lsood {command}: error: "))
    if argument in WRITTEN:
        return code in (0, 1, 4)
    return argument == "files" and (
        code == 1 or (code == 0 and "could not be read" in err)
    )  # an invalid frame, no alarm


@pytest.mark.parametrize("command", ["score", "select", "sign", "verify", "inspect"])
def test_hostile_path_of_a_few_kinds_ends_in_one_line(command: str, given: Path, tmp_path: Path) -> None:
    check(command, list(FAST), given, tmp_path / "scratch")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", BASE)
def test_hostile_path_of_any_kind_of_any_argument_ends_in_one_line(command: str, given: Path, tmp_path: Path) -> None:
    kinds = [kind for kind in KINDS if kind != "folder without permission" or os.geteuid()]
    check(command, kinds, given, tmp_path / "scratch")


def test_hostile_paths_are_tried_for_every_command_and_its_paths() -> None:
    found = {command: {action.dest for action in actions_of(command)} for command in BASE}
    assert {"bundle", "files", "out", "timeline", "thumbnails", "rerun", "public_key"} <= found["score"]
    assert found["score"] <= found["watch"]
    assert found["inspect"] == found["selftest"] == {"bundle", "public_key"}
    assert {"old", "new", "files"} <= found["diff"]
    assert found["sign"] == {"bundle", "key", "password_file"}
    assert found["verify"] == {"bundle", "public_key"}
    assert {"bundle", "frames", "out", "compare", "network", "public_key"} == found["certify"]
    assert {"files", "out", "sheet", "coco", "cvat"} == found["select"]
    assert {"bundle", "rows", "out", "public_key"} == found["summary"]
    assert {"bundle", "out", "public_key"} == found["pack"] == found["triton"]
    assert found["push"] == {"bundle", "public_key"}
    assert found["pull"] == {"out", "public_key"}
