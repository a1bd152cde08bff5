# SPDX-License-Identifier: Apache-2.0
"""Whole or nothing on disk."""

from pathlib import Path

import pytest

from export.bundle.writer import check_destination, sha256, whole_or_nothing
from export.errors import UsageError


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_whole_bundle_takes_its_place(tmp_path: Path) -> None:
    with whole_or_nothing(tmp_path / "monitor") as folder:
        (folder / "manifest.json").write_text("new")
        assert not (tmp_path / "monitor").exists()
    assert entries(tmp_path) == {"monitor"}
    assert (tmp_path / "monitor" / "manifest.json").read_text() == "new"


def write_half(out: Path, failure: type[BaseException]) -> None:
    with whole_or_nothing(out) as folder:
        (folder / "manifest.json").write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_nothing_or_the_old(tmp_path: Path, failure: type[BaseException]) -> None:
    for old in (False, True):
        if old:
            (tmp_path / "monitor").mkdir()
            (tmp_path / "monitor" / "manifest.json").write_text("old")
        with pytest.raises(failure):
            write_half(tmp_path / "monitor", failure)
        assert entries(tmp_path) == ({"monitor"} if old else set())
    assert (tmp_path / "monitor" / "manifest.json").read_text() == "old"


def test_an_old_bundle_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "monitor"
    out.mkdir()
    (out / "manifest.json").write_text("old")
    (out / "stale").write_text("old")
    with whole_or_nothing(out) as folder:
        (folder / "manifest.json").write_text("new")
    assert entries(tmp_path) == {"monitor"}
    assert entries(out) == {"manifest.json"}


def test_destinations_are_checked_first(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text("{}")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    check_destination(tmp_path / "new", overwrite=False)
    check_destination(tmp_path / "bundle", overwrite=True)
    for name, overwrite, message in (
        ("bundle", False, "--overwrite"),
        ("thesis", True, "something else"),
        ("file", True, "something else"),
        ("no/such/parent", False, "to exist"),
    ):
        with pytest.raises(UsageError, match=message):
            check_destination(tmp_path / name, overwrite)


def test_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")  # the digest of FIPS 180-4's first example
    assert sha256(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
