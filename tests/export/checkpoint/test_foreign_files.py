# SPDX-License-Identifier: Apache-2.0
"""Files of other kinds that are given as a checkpoint."""

import gzip
import lzma
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export.checkpoint.foreign_files import refuse_foreign_file
from export.checkpoint.read import read_contents
from export.errors import CheckpointError

STARTS = {
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a": "git lfs pull",
    "\n<!DOCTYPE html><html>": "download the file itself",
    "<HTML>": "download the file itself",
    "%PDF-1.7": "the file that PyTorch wrote",
}


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(("start", "remedy"), STARTS.items())
def test_text_that_is_no_checkpoint_is_told_as_what_it_is(start: str, remedy: str, trust: bool, tmp_path: Path) -> None:
    place = tmp_path / "weights.ckpt"
    place.write_text(f"{start}\n" * 40)
    with pytest.raises(CheckpointError, match=f"weights.ckpt is .*{remedy}"):
        read_contents(place, trust=trust)


def test_files_of_other_programs_are_told_as_what_they_are(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((4, 4, 3), np.uint8))
    image.save(tmp_path / "png.ckpt", "PNG")
    image.save(tmp_path / "jpeg.ckpt", "JPEG")
    with (tmp_path / "array.ckpt").open("wb") as file:
        np.save(file, np.zeros(3))
    (tmp_path / "gzip.ckpt").write_bytes(gzip.compress(b"weights"))
    (tmp_path / "xz.ckpt").write_bytes(lzma.compress(b"weights"))
    for name, what in {"png": "a picture", "jpeg": "a picture", "array": "numpy", "gzip": "gzip", "xz": "xz"}.items():
        with pytest.raises(CheckpointError, match=f"{name}.ckpt is .*{what}"):
            refuse_foreign_file(tmp_path / f"{name}.ckpt")


@pytest.mark.parametrize("zipped", [False, True])
def test_file_of_torch_of_either_format_passes(zipped: bool, tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, tmp_path / "weights.pt", _use_new_zipfile_serialization=zipped)
    refuse_foreign_file(tmp_path / "weights.pt")
    contents = read_contents(tmp_path / "weights.pt", trust=False)
    assert isinstance(contents, dict)
    assert contents["weight"].sum() == 2


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_of_any_protocol_passes(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({"weight": [1.0]}, protocol))
    refuse_foreign_file(tmp_path / "weights.pkl")
