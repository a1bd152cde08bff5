# SPDX-License-Identifier: Apache-2.0
"""A file that is written whole takes its place at the end, and nothing is left after an error."""

from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from lsood_runtime import _partial_file
from lsood_runtime._partial_file import whole_file


def _write_half(place: Path) -> None:
    with whole_file(place) as file:
        file.write(b"half")
        raise KeyboardInterrupt


class _TakingThree(FileIO):
    """A disk that takes three bytes at a time, as one that is nearly full takes a part."""

    def write(self, contents: Any, /) -> int:
        return super().write(memoryview(contents)[:3])


def test_file_on_a_disk_that_takes_parts_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_partial_file, "FileIO", _TakingThree)
    with whole_file(tmp_path / "it") as file:
        file.write(b"eleven byte")
        assert not (tmp_path / "it").exists()
    assert (tmp_path / "it").read_bytes() == b"eleven byte"
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_file_whose_writing_fails_leaves_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        _write_half(tmp_path / "it")
    assert (tmp_path / "it").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
