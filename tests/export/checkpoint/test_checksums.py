# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of which a byte was changed since it was saved is refused; torch loads it with other weights."""

import random
from pathlib import Path

import pytest
import torch

from export.checkpoint.files import check_checksums
from export.checkpoint.load import load_checkpoint
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
