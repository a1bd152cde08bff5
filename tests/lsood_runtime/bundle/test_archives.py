# SPDX-License-Identifier: Apache-2.0
"""A bundle in an archive: the same bytes, scores and errors as in its folder."""

import gzip
import io
import pickle
import re
import shutil
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime import BundleError, OoDMonitor, read_manifest
from lsood_runtime._bundle.archive_files import open_archive
from lsood_runtime._bundle.reader import open_bundle
from tests.lsood_runtime.conftest import random_frames, write_manifest, write_toy_bundle
from tests.lsood_runtime.packed_bundles import PACKERS, zip_deflated, zip_stored

FILES = ("segmentation.onnx", "detector.onnx", "golden.npz", "README.md", "manifest.json", "manifest.sha256")

Damage = Callable[[Path], object]


def flip(name: str) -> Damage:
    def damage(folder: Path) -> None:
        contents = bytearray((folder / name).read_bytes())
        contents[len(contents) // 2] ^= 1
        (folder / name).write_bytes(contents)

    return damage


DAMAGES: dict[str, Damage] = (
    {f"{name} with a flipped bit": flip(name) for name in FILES}
    | {f"{name} missing": lambda folder, name=name: (folder / name).unlink() for name in FILES}
    | {
        "cut off": lambda folder: (folder / "detector.onnx").write_bytes(b"\x08"),
        "longer": lambda folder: (folder / "manifest.sha256").write_bytes(bytes(1000)),
        "not recorded": lambda folder: (folder / "notes.txt").write_text("mine"),
        "another manifest": lambda folder: write_manifest(folder, b'{"schema": 1}'),
        "no JSON": lambda folder: write_manifest(folder, b"\xff{"),
    }
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "monitor"
    folder.mkdir()
    return write_toy_bundle(folder)


@pytest.mark.parametrize("packer", PACKERS)
def test_archive_gives_the_bytes_of_the_folder_and_its_scores(toy_bundle: Path, packer: str) -> None:
    archive = toy_bundle.with_name(packer)
    PACKERS[packer](toy_bundle, archive)
    in_folder, packed = open_bundle(toy_bundle), open_bundle(archive)
    assert packed.files == in_folder.files
    assert packed.sealed == in_folder.sealed
    assert read_manifest(archive, expected_sha256=in_folder.sealed.sha256) == in_folder.manifest
    frames = random_frames(3, 1)
    with OoDMonitor(toy_bundle) as one, OoDMonitor(archive) as other, pickle.loads(pickle.dumps(other)) as copy:
        assert other.score_batch(frames).tolist() == one.score_batch(frames).tolist()
        assert copy.score_batch(frames).tolist() == one.score_batch(frames).tolist()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_bundle_has_the_error_of_the_folder_in_each_archive(
    original: Path, tmp_path: Path, damage: str
) -> None:
    folder = shutil.copytree(original, tmp_path / "monitor")
    DAMAGES[damage](folder)
    with pytest.raises(BundleError) as in_folder:
        open_bundle(folder)
    for packer, pack in PACKERS.items():
        archive = tmp_path / packer
        pack(folder, archive)
        with pytest.raises(BundleError) as packed:
            open_bundle(archive)
        assert str(packed.value) == str(in_folder.value).replace(str(folder), str(archive))


def test_link_to_an_archive_loads(toy_bundle: Path) -> None:
    zip_stored(toy_bundle, toy_bundle.with_name("v1.zip"))
    toy_bundle.with_name("current").symlink_to("v1.zip")
    assert open_bundle(toy_bundle.with_name("current")).files == open_bundle(toy_bundle).files


def zip_of(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, contents in entries:
            archive.writestr(name, contents)
    return file.getvalue()


def tar_of(
    *entries: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "", sort: int = tarfile.GNU_FORMAT
) -> bytes:
    file = io.BytesIO()
    with tarfile.TarFile(fileobj=file, mode="w", format=sort) as archive:
        for name, contents in entries:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(contents), kind, link
            archive.addfile(entry, io.BytesIO(contents))
    return file.getvalue()


def unix(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


def encrypted(contents: bytes) -> bytes:
    """Set the flag of encryption in both headers of the only file."""
    changed = bytearray(contents)
    changed[6] |= 1
    changed[contents.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def renamed_in_place(contents: bytes, old: bytes, new: bytes) -> bytes:
    """Another name in the header in front of a file than in the directory."""
    return contents.replace(old, new, 1)


A = ("a", b"1")
HOSTILE = {
    "absolute zip": (zip_of(("/etc/passwd", b"")), "leads out of the bundle"),
    "parent zip": (zip_of(("../a", b"")), "leads out of the bundle"),
    "parent in the middle": (zip_of(("monitor/../../a", b"")), "leads out of the bundle"),
    "backslash zip": (zip_of(("..\\a", b"")), "leads out of the bundle"),
    "drive zip": (zip_of(("C:a", b"")), "leads out of the bundle"),
    "absolute tar": (tar_of(("/etc/passwd", b"")), "leads out of the bundle"),
    "parent tar": (tar_of(("../a", b"")), "leads out of the bundle"),
    "case zip": (zip_of(A, ("A", b"2")), "expected each file once"),
    "twice in tar": (tar_of(A, A), "expected each file once"),
    "twice in two folders": (tar_of(("x/a", b""), ("y/a", b"")), "expected each file once"),
    "two folders": (zip_of(("x/a", b""), ("y/b", b"")), "got them in 2 places"),
    "top and folder": (zip_of(("a", b""), ("y/b", b"")), "got them in 2 places, such as 'y'"),
    "folder beside": (zip_of(("a", b""), ("y/", b"")), "got them in 2 places, such as 'y'"),
    "folder in a folder": (zip_of(("x/y/b", b"")), "such as 'x/y'"),
    "link in zip": (zip_of((unix("a", 0o120777), b"/etc/passwd")), "got a link in it, 'a'"),
    "device in zip": (zip_of((unix("a", 0o060600), b"")), "got what is no file in it, 'a'"),
    "encrypted": (encrypted(zip_of(A)), "got an encrypted file in it, 'a'"),
    "bzip2 in zip": (zip_of(A, method=zipfile.ZIP_BZIP2), "packed by method 12"),
    "lzma in zip": (zip_of(A, method=zipfile.ZIP_LZMA), "packed by method 14"),
    "two names": (renamed_in_place(zip_of(A), b"a1", b"b1"), "another file than its directory says"),
    "many in zip": (zip_of(*((f"{i}", b"") for i in range(1001))), "more than 1000 entries"),
    "many in tar": (tar_of(*((f"{i}", b"") for i in range(1001))), "more than 1000 entries"),
    "link in tar": (tar_of(("a", b""), kind=tarfile.SYMTYPE, link="/etc/passwd"), "got a link in it, 'a'"),
    "hard link in tar": (tar_of(("a", b""), kind=tarfile.LNKTYPE, link="b"), "got a hard link in it, 'a'"),
    "device in tar": (tar_of(("a", b""), kind=tarfile.BLKTYPE), "got a device in it, 'a'"),
    "pipe in tar": (tar_of(("a", b""), kind=tarfile.FIFOTYPE), "got a pipe in it, 'a'"),
    "sparse in tar": (tar_of(("a", b""), kind=tarfile.GNUTYPE_SPARSE), "got a sparse file in it, 'a'"),
    "other kind in tar": (tar_of(("a", b""), kind=b"V"), "got what is no file in it, 'a'"),
    "long name in tar": (tar_of(("a" * 200, b"")), "a name of more than 100 bytes"),
    "long name in pax": (tar_of(("a" * 200, b""), sort=tarfile.PAX_FORMAT), "an extended header in it, path"),
    "not UTF-8 in tar": (tar_of(("\udcff", b"")), "a name in it that is no UTF-8"),
    "empty": (b"", "which is neither"),
    "text": (b"# Toy\n" * 100, "which is neither"),
    "end of a zip": (zip_of(), r"found no manifest\.json"),
    "begin of a zip": (b"PK\x03\x04 torn", "a zip without a directory"),
    "gzip": (gzip.compress(tar_of(A)), "packed by gzip as a whole"),
    "bzip2": (b"BZh91AY&SY", "packed by bzip2 as a whole"),
    "xz": (b"\xfd7zXZ\x00" + bytes(20), "packed by xz as a whole"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(20), "packed by zstd as a whole"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_archive_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    contents, message = HOSTILE[case]
    (tmp_path / "monitor.zip").write_bytes(contents)
    with pytest.raises(BundleError, match=message) as refused:
        open_bundle(tmp_path / "monitor.zip")
    assert re.match("expected .*, (got|found) .*", str(refused.value))
    assert "\n" not in str(refused.value)


def pax_header(size: bytes, records: bytes) -> bytes:
    """A pax header in front of nothing, with a length of its own."""
    header = bytearray(512)
    header[:1], header[124:136], header[156:157], header[257:265] = b"p", size, b"x", b"ustar\x0000"
    header[148:156] = b"%06o\0 " % (sum(header) + 8 * 32)
    return bytes(header) + records


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (pax_header(b"00000000000\0", b""), "a damaged header"),
        (pax_header(b"77777777777\0", bytes(512)), "cut off"),
        (pax_header(b"-0000000001\0", bytes(512)), "a damaged header"),
        (pax_header(b"\x80" + bytes(10) + b"\1", bytes(512)), "a damaged header"),
        (pax_header(b"\xff" * 12, bytes(512)), "a damaged header"),
        (pax_header(b"00000000022\0", b"18 GNU.sparse.x=1\n".ljust(512, b"\0")), "an extended header"),
        (pax_header(b"00000000022\0", b"99 GNU.sparse.x=1\n".ljust(512, b"\0")), "an extended header|damaged header"),
        (pax_header(b"00000000022\0", b"00 GNU.sparse.x=1\n".ljust(512, b"\0")), "a damaged header"),
        (pax_header(b"00000000022\0", b"-1 GNU.sparse.x=1\n".ljust(512, b"\0")), "a damaged header"),
        (pax_header(b"00000000013\0", b"11 mtime=1\n".ljust(512, b"\0")) * 3000, "more than 1000 entries"),
        (pax_header(b"00000000013\0", b"11 mtime=1\n".ljust(512, b"\0")), "cut off"),
    ],
)
def test_header_of_a_tar_that_states_nonsense_is_refused(tmp_path: Path, contents: bytes, message: str) -> None:
    (tmp_path / "monitor.tar").write_bytes(contents)
    with pytest.raises(BundleError, match=message):
        open_bundle(tmp_path / "monitor.tar")


def test_file_that_unpacks_to_far_more_than_its_bytes_is_refused_unread(tmp_path: Path) -> None:
    bomb = zip_of(("manifest.json", bytes(10 * 2**20)), method=zipfile.ZIP_DEFLATED)
    (tmp_path / "bomb.zip").write_bytes(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match=r"expected manifest\.json to unpack to at most 100 times its bytes"):
            open_bundle(tmp_path / "bomb.zip")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("stated", [0, 1000, 5000, 2**20])
def test_file_that_unpacks_to_another_length_than_it_states_is_refused(tmp_path: Path, stated: int) -> None:
    contents = bytearray(zip_of(("a", random_frames(30, 0).tobytes() * 3), method=zipfile.ZIP_DEFLATED))
    struct.pack_into("<I", contents, contents.index(b"PK\x01\x02") + 24, stated)
    (tmp_path / "a.zip").write_bytes(contents)
    with open_archive(tmp_path / "a.zip") as files, pytest.raises(BundleError, match="a with another length than it"):
        files.read("a", 2**30)


def test_directory_of_a_zip_larger_than_that_of_any_bundle_is_not_read(tmp_path: Path) -> None:
    large = zip_of(*((f"{i:0999}", b"") for i in range(1200)))
    (tmp_path / "large.zip").write_bytes(large)
    with pytest.raises(BundleError, match=r"a zip without a directory .* larger than 1048576 bytes"):
        open_bundle(tmp_path / "large.zip")


@pytest.mark.parametrize("packer", ["stored.zip", "pax.tar"])
def test_weights_in_an_archive_are_held_once(tmp_path: Path, packer: str) -> None:
    (tmp_path / "monitor").mkdir()
    size = 5 * 2**20
    (tmp_path / "monitor" / "weights.bin").write_bytes(bytes(size))
    PACKERS[packer](tmp_path / "monitor", tmp_path / packer)
    tracemalloc.start()
    try:
        with open_archive(tmp_path / packer) as files:
            assert len(files.read("weights.bin", size, length=size)) == size
        assert tracemalloc.get_traced_memory()[1] < 1.05 * size
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def packed(original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = shutil.copytree(original, tmp_path_factory.mktemp("packed") / "monitor")
    archives = {}
    for name, pack in PACKERS.items():
        pack(folder, folder.with_name(name))
        archives[name] = folder.with_name(name).read_bytes()
    return archives


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_changed_archives_end_in_our_error_or_in_the_same_files(
    packed: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    check_changed(packed, tmp_path_factory.getbasetemp() / "changed", data)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(data=st.data())
def test_many_changed_archives_end_in_our_error_or_in_the_same_files(
    packed: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    check_changed(packed, tmp_path_factory.getbasetemp() / "changed", data)


def check_changed(packed: dict[str, bytes], path: Path, data: st.DataObject) -> None:
    contents = bytearray(packed[data.draw(st.sampled_from(sorted(packed)))])
    for _ in range(data.draw(st.integers(1, 4))):
        end = len(contents)
        place = data.draw(st.integers(0, end) | st.integers(max(end - 800, 0), end))  # where a zip has its directory
        kind = data.draw(st.sampled_from(["flip", "cut", "fill", "insert", "remove"]))
        length = data.draw(st.sampled_from([1, 4, 30, 512, 1024]))
        if kind == "flip" and place < len(contents):
            contents[place] ^= data.draw(st.integers(1, 255))
        elif kind == "cut":
            del contents[place:]
        elif kind == "fill":
            contents[place : place + length] = bytes([data.draw(st.sampled_from([0, 255]))]) * length
        elif kind == "insert":
            contents[place:place] = contents[:length]
        else:
            del contents[place : place + length]
    path.write_bytes(contents)
    try:
        opened = open_bundle(path)
    except BundleError as error:
        refused = str(error)
    else:
        assert opened.files["README.md"] == b"# Toy\n"
        assert opened.manifest.files.keys() == opened.files.keys()
        return
    assert refused.startswith("expected ")
    assert "\n" not in refused


@pytest.mark.parametrize("packer", PACKERS)
def test_archive_cut_off_anywhere_is_refused(packed: dict[str, bytes], tmp_path: Path, packer: str) -> None:
    contents, path = packed[packer], tmp_path / packer
    end = len(contents) - (10240 if packer.endswith("tar") else 0)  # tar fills up its last record
    for length in range(0, end, 701):
        path.write_bytes(contents[:length])
        with pytest.raises(BundleError, match="expected "):
            open_bundle(path)


def test_deflated_archive_of_the_command_unzip_would_give_the_same(toy_bundle: Path) -> None:
    archive = toy_bundle.with_name("m.zip")
    zip_deflated(toy_bundle, archive)
    with zipfile.ZipFile(archive) as unpacked, open_archive(archive) as files:
        for name in files.names():
            assert files.read(name, 2**20) == unpacked.read(f"{toy_bundle.name}/{name}")
