# SPDX-License-Identifier: Apache-2.0
"""A folder that is filled beside its place appears whole, and what killed processes left beside it is removed."""

import fcntl
import os
from pathlib import Path

import pytest

from lsood_runtime._new_folder import new_folder, remove_leftovers


def test_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def fill(fails: bool) -> None:
        with new_folder(tmp_path / "it") as whole:
            (whole / "inner").mkdir()
            (whole / "inner" / "file").write_bytes(b"all of it")
            assert not (tmp_path / "it").exists()
            if fails:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(fails=True)
    assert list(tmp_path.iterdir()) == []
    fill(fails=False)
    assert (tmp_path / "it" / "inner" / "file").read_bytes() == b"all of it"
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_leftovers_of_killed_processes_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    killed, living = tmp_path / ".it.0a_b1c2d.partial", tmp_path / ".it.zzzzzzzz.partial"
    others = [tmp_path / name for name in (".it.partial", ".it.notes", ".item.0a_b1c2d.partial", "it.0a_b1c2d.partial")]
    for path in (killed, living, *others):
        path.mkdir()
        (path / "file").touch()
    (tmp_path / ".it.linklink.partial").symlink_to(others[1])
    descriptor = os.open(living, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with new_folder(tmp_path / "it") as whole:
        remove_leftovers(tmp_path / "it")
        assert whole.exists(), "its own process lives"
    os.close(descriptor)
    assert not killed.exists()
    assert all((path / "file").exists() for path in (living, *others))
