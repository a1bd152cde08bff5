# SPDX-License-Identifier: Apache-2.0
"""Files of hyper-parameters beside a checkpoint are read as they are, or refused in words: of any size, with any aliases."""

import os
from pathlib import Path

import pytest

from export.checkpoint.files_beside import hyper_parameters_beside
from export.errors import CheckpointError
from tests.unreadable_files import UNREADABLE, make_unreadable

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))


def test_hyper_parameters_beside_a_checkpoint_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "hparams.yaml").write_text("depth: 3\nsizes: [1, 2]\n")
    found = hyper_parameters_beside(tmp_path / "last.ckpt", ())
    assert found == (tmp_path / "hparams.yaml", {"depth": 3, "sizes": [1, 2]})


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (64 * 2**30, "a file of 68,719,476,736 bytes"),
        (BOMB, "more than 100,000 values"),
        ("a: &a [*a]", "an alias stands within what it names"),
        ("a: \xe4".encode("latin-1"), "utf-8"),
    ],
)
def test_hyper_parameters_beside_a_checkpoint_that_stand_for_too_much_are_refused(
    tmp_path: Path, contents: int | str | bytes, reason: str
) -> None:
    file = tmp_path / "hparams.yaml"
    if isinstance(contents, int):
        file.touch()
        os.truncate(file, contents)
    else:
        file.write_bytes(contents.encode() if isinstance(contents, str) else contents)
    with pytest.raises(CheckpointError, match=rf"plain YAML in .*{reason}.*: correct it"):
        hyper_parameters_beside(tmp_path / "last.ckpt", ())


@pytest.mark.parametrize("kind", UNREADABLE)
@pytest.mark.parametrize("name", ["hparams.yaml", "config.yaml", "../hparams.yaml"])
def test_hyper_parameters_beside_a_checkpoint_in_what_is_no_file_are_refused(
    tmp_path: Path, name: str, kind: str
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    make_unreadable(folder / name, kind)
    with pytest.raises(CheckpointError, match=r"\.yaml, got .*or move it away and give them by --model-arg"):
        hyper_parameters_beside(folder / "last.ckpt", ())
