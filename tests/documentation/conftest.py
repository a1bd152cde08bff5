# SPDX-License-Identifier: Apache-2.0
"""A reader of the pages: a folder with what they assume, and the bundle that their first command writes."""

import logging
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from export.__main__ import main
from tests.conftest import made_once
from tests.documentation.reader import EXPORT, Reader, write_reader_folder
from tests.hub_stand_in import hub_stand_in


@pytest.fixture(scope="session")
def reader_folder(shared_folder: Path) -> Path:
    """What a reader of the pages has, made once for all workers; not to be changed."""
    return made_once(shared_folder / "pages" / "reader", write_reader_folder)


@pytest.fixture(scope="session")
def exported(reader_folder: Path, shared_folder: Path) -> Path:
    """The bundle that the README's first command writes, by that very command, made once for all workers."""

    def export(bundle: Path) -> None:
        folder = bundle.with_name("exporting")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(reader_folder, folder)
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.chdir(folder)
            monkeypatch.setattr(sys, "argv", ["export", *shlex.split(EXPORT)[3:]])
            with pytest.raises(SystemExit) as end:
                main()
        assert end.value.code == 0
        (folder / "monitor").rename(bundle)
        shutil.rmtree(folder)

    return made_once(shared_folder / "pages" / "exported", export)


@pytest.fixture
def reader(reader_folder: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    folder = tmp_path / "reader"
    shutil.copytree(reader_folder, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    handlers, level, modules = list(logging.root.handlers), logging.root.level, set(sys.modules)
    with hub_stand_in() as (_, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
        yield Reader(exported, monkeypatch)
    logging.root.handlers[:], logging.root.level = handlers, level
    for name in set(sys.modules) - modules:
        if name.startswith("my_"):
            del sys.modules[name]
