# SPDX-License-Identifier: Apache-2.0
"""The README's blocks run as they stand, in a folder that has what a reader would have."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import write_scenes
from tests.paths import ROOT

_LAST = ["lsood_runtime", "export"]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    """Lines of the shell blocks, continued lines joined."""
    return [
        line.strip() for block in blocks("bash") for line in block.replace("\\\n", " ").splitlines() if line.strip()
    ]


@pytest.fixture(scope="module")
def reader(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    (folder / "runs").mkdir()
    shutil.copy(checkpoint, folder / "runs" / "best.ckpt")
    write_scenes(folder / "calibration", 80, seed=1)
    write_scenes(folder / "drive", 3, seed=2)
    return folder


def test_python_commands_and_blocks_run_in_order(reader: Path) -> None:
    run = [line for line in commands() if line.startswith("python -m ")]
    assert [line.split()[2] for line in run] == [
        *["export", "lsood_runtime", "lsood_runtime"],
        *["lsood_runtime"] * 3,
        *["export"] * 2,
        *_LAST,
    ]
    for line in run:
        words = f"{sys.executable} {line.removeprefix('python ')}"
        done = subprocess.run(words, shell=True, cwd=reader, capture_output=True, text=True, check=False)
        told = any(
            f" {word} " in line for word in ("score", "diff", "watch")
        )  # 1: a frame is out of distribution, a decision flips
        assert done.returncode in ((0, 1) if told else (0,)), done.stderr
    assert len(blocks("python")) == 1
    for block in blocks("python"):
        done = subprocess.run([sys.executable, "-c", block], cwd=reader, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_every_other_command_is_known() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for line in commands():
        program = line.split()[0]
        if program == "make":
            assert set(line.split()[1:]) <= targets
        elif program == "pip":
            extras = re.findall(r"\[(.*)\]", line)[0].split(",")
            known = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1]
            assert all(re.search(rf"^{extra} = \[", known, flags=re.MULTILINE) for extra in extras)
        elif line.startswith("python examples/"):
            assert (ROOT / line.split()[1]).is_file()
        else:
            assert line.startswith("python -m "), line


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
