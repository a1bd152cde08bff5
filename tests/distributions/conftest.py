# SPDX-License-Identifier: Apache-2.0
"""Both distributions, built as a release is."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.distributions.projects import EXPORT, FOLDERS, RUNTIME, wheel_name
from tests.paths import ROOT

SOURCE_DATE_EPOCH = "1700000000"


@dataclass(frozen=True)
class Builds:
    """A folder with a wheel and a source archive of each distribution."""

    folder: Path

    @property
    def runtime(self) -> Path:
        return self.folder / wheel_name(RUNTIME)

    @property
    def export(self) -> Path:
        return self.folder / wheel_name(EXPORT)

    def archive(self, name: str) -> Path:
        return self.folder / wheel_name(name).replace("-py3-none-any.whl", ".tar.gz")


def build_both(root: Path, folder: Path) -> Builds:
    """Build both distributions of a copy of this repository, each wheel from its source archive."""
    for place in FOLDERS.values():
        run(sys.executable, "-m", "build", "--outdir", folder, root / place.relative_to(ROOT))
    return Builds(folder)


def ended(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    """A command that ended, with packages from where they are installed alone: neither PYTHONPATH nor this folder."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    environment["PYTHONSAFEPATH"] = "1"
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def run(*command: str | Path) -> str:
    """What a command prints, which has to end with 0."""
    done = ended(*command)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """Both distributions of this tree."""
    return build_both(ROOT, tmp_path_factory.mktemp("dist"))
