# SPDX-License-Identifier: Apache-2.0
"""Runs the blocks of a page in this process, in a folder that has what the pages assume a reader to have."""

import glob
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import export.__main__
import lsood_runtime.__main__
from export.data import SyntheticRoads, degrade
from tests.conftest import FRAME_SIZE, INPUT_SIZE
from tests.distributions.projects import distribution_at, project
from tests.documentation.pages import Block
from tests.paths import EXAMPLES, ROOT
from tests.published_sets import WRITERS, Tree

DEMO = EXAMPLES / "demo" / "synthetic_roads.ckpt"
EXPORT = "python -m export --ckpt runs/best.ckpt --frames calibration/ --out monitor/"
_FLAGS_A_FRAME = {"score", "watch", "diff"}  # these end with 1 where a frame is flagged or a decision flips
_CALIBRATION, _DRIVE = 80, 6


def write_reader_folder(folder: Path) -> None:
    """Frames, labels, overlays and a checkpoint under the names that the pages use."""
    scenes = SyntheticRoads(_CALIBRATION + _DRIVE, *FRAME_SIZE, seed=1)
    for name in ("calibration", "drives/town", "drives/country", "drive", "labels", "dusk", "dirt", "runs"):
        (folder / name).mkdir(parents=True)
    for i in range(_CALIBRATION):
        Image.fromarray(scenes[i][0]).save(folder / "calibration" / f"{i:04d}.png")
        drive = "town" if i < _CALIBRATION // 2 else "country"
        shutil.copy(folder / "calibration" / f"{i:04d}.png", folder / "drives" / drive)
    for i in range(_DRIVE):
        frame, label = scenes[_CALIBRATION + i]
        Image.fromarray(frame).save(folder / "drive" / f"{i:04d}.png")
        Image.fromarray(label).save(folder / "labels" / f"{i:04d}.png")
        Image.fromarray(degrade(frame, "night", 3, seed=i)).save(folder / "dusk" / f"dusk{i:04d}.png")
    _write_labelled_folder(folder / "data")
    for name in ("idd_lite", "acdc", "road_obstacle"):
        WRITERS[name](Tree(folder / "data" / name, FRAME_SIZE))
    brown = np.zeros((40, 80, 4), np.uint8)
    brown[10:30, 20:60] = (90, 70, 50, 255)
    Image.fromarray(brown).save(folder / "dirt" / "splash.png")
    checkpoint = torch.load(DEMO, weights_only=True)
    # Smaller than it was trained on, with blocks that fit the map: the pages' commands take less time.
    checkpoint["hyper_parameters"] |= {"input_size": INPUT_SIZE, "block_size": 2}
    torch.save(checkpoint, folder / "runs" / "best.ckpt")


def _write_labelled_folder(data: Path) -> None:
    """Twelve frames and labels of three drives, two of which ``drives_network.txt`` names."""
    scenes = SyntheticRoads(12, *FRAME_SIZE, seed=2)
    for i in range(len(scenes)):
        name = f"{('town', 'country', 'coast')[i // 4]}_{i:04d}.png"
        for kind, array in zip(("frames", "labels"), scenes[i], strict=True):
            (data / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(data / kind / name)
    (data / "drives_network.txt").write_text("town\ncountry\n")


class Reader:
    """Somebody who types a page's blocks one after the other, in the current folder.

    Args:
        exported: the bundle that the pages' first command writes, made once for all pages.
    """

    def __init__(self, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._exported, self._monkeypatch = exported, monkeypatch

    def run(self, block: Block) -> None:
        """Write the file that the block's title names, or run the block."""
        if block.title is not None:
            Path(block.title).write_text(block.text)
        elif block.language == "python":
            exec(compile(block.text, "<a page's block>", "exec"), {"__name__": "__main__"})
        elif block.language == "bash":
            for command in block.commands:
                self.type(command)

    def run_in(self, namespace: dict[str, object], block: Block) -> None:
        """Run a block of Python in a namespace that stays."""
        exec(compile(block.text, "<a page's block>", "exec"), namespace)

    def type(self, command: str) -> int:
        """Type a command, and give its exit code, which is one that the command has."""
        words = [path for word in shlex.split(command) for path in sorted(glob.glob(word)) or [word]]  # noqa: PTH207
        match words:
            case ["python", "-m", "export", *_] if command == EXPORT:
                shutil.copytree(self._exported, "monitor")
            case ["python", "-m", "export", *arguments]:
                code = self._call(export.__main__.main, arguments)
                assert code == 0, command
                return code
            case ["python", "-m", "lsood_runtime", name, *arguments]:
                code = self._call(lsood_runtime.__main__.main, [name, *arguments])
                assert code in ((0, 1) if name in _FLAGS_A_FRAME else (0,)), command
                return code
            case ["python", script, *arguments] if script.startswith("examples/"):
                self._monkeypatch.setattr(sys, "argv", [script, *arguments])
                self._monkeypatch.syspath_prepend(EXAMPLES)  # as Python does for a script
                runpy.run_path(str(ROOT / script), run_name="__main__")
            case ["make", *targets]:
                known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
                assert set(targets) <= set(known), command
            case ["pip", "wheel", "--no-deps", "--wheel-dir", "dist", *folders]:
                assert [distribution_at(folder) for folder in folders], command  # tests/distributions scores with them
            case ["openssl", *_]:
                subprocess.run(words, check=True, capture_output=True)
            case ["pip", "install", *requirements]:
                for requirement in requirements:
                    _check_installation(requirement)
            case _:
                raise AssertionError(f"expected a command that a test can run, got {command}")
        return 0

    def _call(self, main: object, arguments: Sequence[str]) -> int:
        """What ``python -m PACKAGE ARGUMENTS`` ends with."""
        assert callable(main)
        self._monkeypatch.setattr(sys, "argv", ["PACKAGE", *arguments])
        try:
            return int(main() or 0)
        except SystemExit as end:
            return int(end.code or 0)


def _check_installation(requirement: str) -> None:
    """A folder or a wheel of this project, with extras that its distribution has."""
    source, _, extras = requirement.removesuffix("]").partition("[")
    known = project(distribution_at(source))["optional-dependencies"]
    assert not extras or set(extras.split(",")) <= set(known), requirement
