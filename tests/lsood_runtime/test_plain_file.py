# SPDX-License-Identifier: Apache-2.0
"""A file is opened where it is one; a pipe is not waited for, a device and a file that is too large are not read."""

import os
import re
from pathlib import Path

import pytest

from lsood_runtime._exceptions import reason_of
from lsood_runtime._plain_file import open_plain, read_plain


def test_read_plain_of_a_file_and_of_a_link_to_it_gives_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_plain(tmp_path / "file", 3) == read_plain(tmp_path / "link", 3) == b"abc"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("pipe", "a pipe, a socket or a device, no file"),
        ("device", "a pipe, a socket or a device, no file"),
        ("folder", "Is a directory"),
        ("large", "a file of 68,719,476,736 bytes, where 10 are read at most"),
        ("nothing", "No such file or directory"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_open_plain_of_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str, reason: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.touch()
        os.truncate(path, 64 * 2**30)
    elif kind == "loop":
        path.symlink_to(path)
    with pytest.raises(OSError, match=re.escape(reason)) as caught:
        open_plain(path, 10)
    assert reason_of(caught.value) == reason
