# SPDX-License-Identifier: Apache-2.0
"""``lsood pack`` and ``pack_bundle``: one file of a verified bundle, of the same bytes each time."""

import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from lsood_runtime import BundleError, MediaError, pack_bundle, read_manifest
from lsood_runtime._bundle.reader import open_bundle
from lsood_runtime._cli.main import run
from tests.lsood_runtime.packed_bundles import PACKERS
from tests.signing_keys import write_keys

SUFFIXES = (".zip", ".tar")


def unpacked(archive: Path) -> dict[str, bytes]:
    """What the standard library reads."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as file:
            assert file.testzip() is None
            return {name: file.read(name) for name in file.namelist()}
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_packed_bundle_holds_the_files_in_order_uncompressed(toy_bundle: Path, suffix: str) -> None:
    out = toy_bundle.with_name(f"packed{suffix}")
    digest = pack_bundle(toy_bundle, out)
    assert list(unpacked(out).items()) == sorted(contents_of(toy_bundle).items())
    assert out.stat().st_size > sum(map(len, contents_of(toy_bundle).values()))
    assert f"{digest}  manifest.json\n" == (toy_bundle / "manifest.sha256").read_text()
    read_manifest(out, expected_sha256=digest)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_packed_bundle_has_the_same_bytes_from_any_folder_at_any_time(toy_bundle: Path, suffix: str) -> None:
    first, again = (toy_bundle.with_name(f"{name}{suffix}") for name in ("first", "again"))
    pack_bundle(toy_bundle, first)
    other = toy_bundle.with_name("other")
    other.mkdir()
    for path in sorted(toy_bundle.iterdir(), reverse=True):
        shutil.copy(path, other)
        (other / path.name).chmod(0o400)
        os.utime(other / path.name, (1e9, 1e9))
    pack_bundle(other, again)
    assert again.read_bytes() == first.read_bytes()
    for name, pack in PACKERS.items():
        pack(toy_bundle, toy_bundle.with_name(name))
        pack_bundle(toy_bundle.with_name(name), again)
        assert again.read_bytes() == first.read_bytes()


def test_signature_is_packed_and_verified_in_the_archive(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    private, public = write_keys(tmp_path)
    assert run(["sign", str(toy_bundle), "--key", str(private)]) == 0
    out = str(tmp_path / "signed.zip")
    assert run(["pack", str(toy_bundle), "--out", out, "--public-key", str(public)]) == 0
    assert run(["verify", out, "--public-key", str(public)]) == 0
    assert "signed with" in capsys.readouterr().out
    (tmp_path / "other").mkdir()
    assert run(["verify", out, "--public-key", str(write_keys(tmp_path / "other")[1])]) == 2
    (toy_bundle / "model.sig").unlink()
    assert run(["pack", str(toy_bundle), "--out", out, "--public-key", str(public)]) == 2
    assert "is not signed" in capsys.readouterr().err


def test_command_prints_the_digest_that_pins_the_archive(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "monitor.zip"
    assert run(["pack", str(toy_bundle), "--out", str(out)]) == 0
    digest = capsys.readouterr().out.split()[-1]
    assert run(["inspect", str(out), "--expected-sha256", digest]) == 0
    assert digest in capsys.readouterr().out
    assert run(["pack", str(toy_bundle), "--out", str(out), "--expected-sha256", "0" * 64]) == 2


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_bundle_is_not_packed_and_an_older_archive_stays(toy_bundle: Path, suffix: str) -> None:
    out = toy_bundle.with_name(f"packed{suffix}")
    out.write_bytes(b"older")
    (toy_bundle / "README.md").write_text("# Yot\n")
    with pytest.raises(BundleError, match=r"expected README\.md with sha256"):
        pack_bundle(toy_bundle, out)
    assert out.read_bytes() == b"older"
    assert sorted(path.name for path in out.parent.iterdir()) == sorted(["monitor", out.name])


def test_archive_that_cannot_be_written_is_refused_before_the_bundle_is_read(toy_bundle: Path, tmp_path: Path) -> None:
    (toy_bundle / "README.md").write_text("damaged")
    pack = tmp_path / "monitor.tar"
    PACKERS["gnu.tar"](toy_bundle, pack)
    (tmp_path / "folder.zip").mkdir()
    for out, message in (
        (tmp_path / "monitor.tar.gz", r"expected a file that ends in \.zip or \.tar, got .*tar\.gz: rename it"),
        (tmp_path / "monitor", r"expected a file that ends in \.zip or \.tar"),
        (tmp_path / "nowhere" / "a.zip", "expected the folder .*nowhere to exist"),
        (tmp_path / "folder.zip", "expected a file or nothing there"),
        (toy_bundle / "a.zip", "expected a place outside the bundle"),
    ):
        with pytest.raises(MediaError, match=message):
            pack_bundle(toy_bundle, out)
    with pytest.raises(MediaError, match="expected another file than the one that is read"):
        pack_bundle(pack, pack)


def test_archive_on_a_full_disk_leaves_nothing(toy_bundle: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    out = toy_bundle.with_name("full.zip")
    out.symlink_to("/dev/full")
    with pytest.raises(MediaError, match="cannot write"):
        pack_bundle(toy_bundle, out)


def test_commands_that_write_into_a_bundle_refuse_an_archive(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    out, (private, _) = tmp_path / "monitor.zip", write_keys(tmp_path)
    pack_bundle(toy_bundle, out)
    before = out.read_bytes()
    assert run(["sign", str(out), "--key", str(private)]) == 2
    assert "expected the folder of a bundle, got the file" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert open_bundle(out).files == open_bundle(toy_bundle).files
