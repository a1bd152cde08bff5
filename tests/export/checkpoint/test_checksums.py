# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of which a byte was changed since it was saved is refused; torch loads it with other weights."""

import random
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.checkpoint.checked_archive import CheckedArchive
from export.checkpoint.files import check_checksums
from export.checkpoint.load import load_checkpoint
from export.checkpoint.read import read_contents
from export.errors import CheckpointError
from tests.conftest import save_checkpoint, small_network


@pytest.mark.parametrize("seed", range(8))
def test_load_checkpoint_with_a_flipped_bit_never_gives_other_weights(tmp_path: Path, seed: int) -> None:
    path = save_checkpoint(small_network(), tmp_path / "small.ckpt")
    before = load_checkpoint(path).network.state_dict()
    contents, rng = bytearray(path.read_bytes()), random.Random(seed)
    contents[rng.randrange(len(contents))] ^= 1 << rng.randrange(8)
    path.write_bytes(contents)
    try:
        after = load_checkpoint(path).network.state_dict()
    except CheckpointError:
        return
    assert all(after[name].equal(weight) for name, weight in before.items())


def test_load_checkpoint_with_a_changed_weight_names_the_entry(tmp_path: Path) -> None:
    torch.save({"weight": torch.full((1000,), 3.0)}, tmp_path / "weights.pt")
    contents = (tmp_path / "weights.pt").read_bytes()
    place = contents.index(torch.full((10,), 3.0).numpy().tobytes())
    (tmp_path / "weights.pt").write_bytes(contents[:place] + b"\x01" + contents[place + 1 :])
    assert torch.load(tmp_path / "weights.pt", weights_only=True)["weight"][0] != 3  # torch does not notice
    with pytest.raises(CheckpointError, match=r"was changed since: the checksum of weights/data/0 is another; copy it"):
        check_checksums(tmp_path / "weights.pt")


def test_check_checksums_of_whole_files_with_and_without_checksums_passes(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1000)}, tmp_path / "with.pt")
    torch.save({"weight": torch.ones(10)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"weight": torch.ones(1000)}, tmp_path / "without.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    for name in ("with.pt", "old.pt", "without.pt"):
        check_checksums(tmp_path / name)


def written(path: Path, lengths: list[int]) -> Path:
    torch.save({f"weight {i}": torch.rand(length) for i, length in enumerate(lengths)}, path)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lengths=st.lists(st.integers(1, 500), min_size=1, max_size=6))
def test_checked_archive_judges_every_entry_that_torch_reads(lengths: list[int], tmp_path: Path) -> None:
    path = written(tmp_path / "weights.pt", lengths)
    with CheckedArchive(path) as archive:
        torch.load(archive.file, weights_only=True)
    with zipfile.ZipFile(path) as entries:
        whole = {entry.filename for entry in entries.infolist() if "/data" in entry.filename}
    assert whole <= archive.right
    assert len(whole) == len(lengths) + 1
    assert (archive.wrong, archive.is_judged) == (set(), True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lengths=st.lists(st.integers(1, 100), min_size=1, max_size=4), data=st.data())
def test_read_contents_of_a_changed_byte_gives_the_same_weights_or_refuses(
    lengths: list[int], data: st.DataObject, tmp_path: Path
) -> None:
    path = written(tmp_path / "weights.pt", lengths)
    wanted, contents = torch.load(path, weights_only=True), bytearray(path.read_bytes())
    contents[data.draw(st.integers(0, len(contents) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(contents)
    try:
        found = read_contents(path, trust=False)
    except CheckpointError:
        return
    assert isinstance(found, dict)
    assert all(torch.equal(value, wanted[name]) for name, value in found.items())
    assert found.keys() == wanted.keys()


def test_read_contents_reads_each_entry_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "weights.pt", [100, 200])
    monkeypatch.setattr("export.checkpoint.read.check_checksums", None)
    assert read_contents(path, trust=False) is not None


def test_read_contents_of_a_compressed_archive_is_checked_all_the_same(tmp_path: Path) -> None:
    plain, packed = written(tmp_path / "weights.pt", [300]), tmp_path / "packed.pt"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    with CheckedArchive(packed) as archive:
        torch.load(archive.file, weights_only=True)
    assert not archive.is_judged
    wanted = torch.load(plain, weights_only=True)
    found = read_contents(packed, trust=False)
    assert isinstance(found, dict)
    assert torch.equal(found["weight 0"], wanted["weight 0"])
