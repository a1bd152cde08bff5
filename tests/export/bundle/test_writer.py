# SPDX-License-Identifier: Apache-2.0
"""What a bundle is written over, and the record of its files."""

import os
from pathlib import Path

import pytest

from export.bundle.writer import sha256
from export.errors import UsageError
from export.pipeline.bundle_place import check_out
from export.pipeline.options import ExportOptions


def check_out_at(path: Path, overwrite: bool) -> None:
    check_out(ExportOptions(Path("x.ckpt"), (Path("day"),), path, overwrite=overwrite))


def test_check_out_of_unusable_folders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text("{}")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    check_out_at(tmp_path / "new", overwrite=False)
    check_out_at(tmp_path / "bundle", overwrite=True)
    for name, overwrite, message in (
        ("bundle", False, "--overwrite"),
        ("thesis", True, "something else"),
        ("file", True, "expected a folder or nothing there"),
        ("no/such/parent", False, "to exist"),
    ):
        with pytest.raises(UsageError, match=message):
            check_out_at(tmp_path / name, overwrite)


def test_check_out_in_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)  # root may write everywhere
    with pytest.raises(UsageError, match="it is read-only: choose another --out"):
        check_out_at(tmp_path / "monitor", overwrite=False)


def test_check_out_puts_back_what_a_killed_write_set_aside(tmp_path: Path) -> None:
    aside = tmp_path / ".monitor.replaced.0123abcd"
    aside.mkdir()
    (aside / "manifest.json").write_text("old")
    with pytest.raises(UsageError, match="--overwrite"):
        check_out_at(tmp_path / "monitor", overwrite=False)
    assert (tmp_path / "monitor" / "manifest.json").read_text() == "old"


def test_sha256_of_the_standards_example_is_its_digest(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")  # the digest of FIPS 180-4's first example
    assert sha256(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
