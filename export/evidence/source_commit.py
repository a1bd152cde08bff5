# SPDX-License-Identifier: Apache-2.0
"""The commit of the source tree that this program runs from."""

import os
import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_CHANGED, _UNKNOWN = ", changed", ", changes unknown"


def source_commit(root: Path = _ROOT) -> str | None:
    """The commit of a tree, followed by ``, changed`` where files differ from it; None where git tells none.

    An installed package has none, whatever repository it lies in, nor has a tree of another user or one without git.
    ``, changes unknown`` follows where git tells the commit but not what differs.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def told(*words: str) -> str | None:
        command = ["git", "--no-optional-locks", "-C", str(root), *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if told("rev-parse", "--show-prefix") != "":  # a folder within another repository
        return None
    commit = told("rev-parse", "HEAD")
    changes = told("status", "--porcelain", "--untracked-files=no")
    if commit is None:
        return None
    return commit + (_UNKNOWN if changes is None else _CHANGED if changes else "")


def is_same_commit(one: str, other: str) -> bool:
    """Whether two trees have the same files: those of one commit, known to be without changes."""
    return one == other and not one.endswith((_CHANGED, _UNKNOWN))
