# SPDX-License-Identifier: Apache-2.0
"""The commit of the source tree that this program runs from."""

import os
import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_CHANGED = ", changed"


def source_commit(root: Path = _ROOT) -> str | None:
    """The commit of a tree, followed by ``, changed`` where files differ from it; None where it is no git repository.

    An installed package has none, whatever repository its environment lies in.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def told(*words: str) -> str | None:
        command = ["git", "-C", str(root), *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if told("rev-parse", "--show-prefix") != "":  # a folder within another repository
        return None
    commit = told("rev-parse", "HEAD")
    changes = told("status", "--porcelain", "--untracked-files=no")
    return None if commit is None else f"{commit}{_CHANGED if changes else ''}"


def is_same_commit(one: str, other: str) -> bool:
    """Whether two trees have the same files: those of one commit, without changes."""
    return one == other and not one.endswith(_CHANGED)
