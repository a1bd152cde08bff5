# SPDX-License-Identifier: Apache-2.0
"""The commit of a tree is that of its own repository, and changes are told."""

import subprocess
from pathlib import Path

import pytest

from export.evidence.source_commit import is_same_commit, source_commit


def git(folder: Path, *words: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", "-C", folder, *names, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_commit_of_a_tree_is_that_of_its_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    (tree / "venv").mkdir(parents=True)
    assert source_commit(tree) is None
    git(tree, "init", "--quiet")
    assert source_commit(tree) is None, "without a commit"
    (tree / "a.py").write_text("a = 1\n")
    git(tree, "add", "a.py")
    git(tree, "commit", "--quiet", "--message", "a")
    commit = git(tree, "rev-parse", "HEAD")
    (tree / "not_of_it.py").write_text("b = 1\n")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert source_commit(tree) == commit
    assert source_commit(tree / "venv") is None, "packages that are installed below a repository are not of it"
    (tree / "a.py").write_text("a = 2\n")
    changed = source_commit(tree)
    assert changed == f"{commit}, changed"
    assert is_same_commit(commit, commit)
    assert not is_same_commit(changed, changed)
    (tree / ".git" / "index").write_bytes(b"damaged")
    unknown = source_commit(tree)
    assert unknown == f"{commit}, changes unknown"
    assert not is_same_commit(unknown, unknown)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source_commit(tree) is None, "without git"
