# SPDX-License-Identifier: Apache-2.0
"""Run a worker of hostile paths in a process of its own, so that what it breaks is not the tests' own process."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.paths import ROOT


def ends_of(worker: str, command: str, kinds: Sequence[str], given: Path, scratch: Path) -> list[list[Any]]:
    """How a command ended for each path.

    Args:
        worker: name of the module in this folder.
        command: whose paths are made hostile.
        kinds: of paths.
        given: folder of what the command is given else.
        scratch: folder to work in.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"tests.hostile.{worker}", command, given, scratch, *kinds],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
