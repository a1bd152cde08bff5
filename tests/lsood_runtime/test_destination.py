# SPDX-License-Identifier: Apache-2.0
"""A place is objected to exactly where a file or a folder cannot take it in the end."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lsood_runtime import MediaError
from lsood_runtime._cli.destinations import check_destinations
from lsood_runtime._destination import HIDDEN_NAME_BYTES, objection
from lsood_runtime._partial_file import PartialFile
from tests.export.interrupted_calls import state, write
from tests.paths import ROOT


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder in memory where the machine has one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=255)


@given(NAMES, st.booleans())
@example("n" * 255, True)
@example("n" * (255 - HIDDEN_NAME_BYTES), True)
@example("\u732b" * 80, False)
@example("a\0b", False)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_objection_to_any_name_is_where_a_write_to_it_fails(scratch: Path, name: str, folder: bool) -> None:
    if name in (".", ".."):
        return
    out = scratch / ("folders" if folder else "files.d") / (name.replace(".", "_") + ("" if folder else ".npz"))
    out.parent.mkdir(exist_ok=True)
    refused = objection(out, folder=folder)
    try:
        write(out, "new")
    except (OSError, ValueError):
        assert refused is not None
        return
    longest = 255 - HIDDEN_NAME_BYTES
    assert (refused is None) == (len(os.fsencode(out.name)) <= longest), "a few bytes more than a hidden name needs"
    assert state(out) == "new"


@pytest.mark.parametrize("folder", [True, False])
def test_objection_to_a_path_that_is_too_long_is_in_words(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "/".join(["d" * 200] * 30)
    assert "expected a path" in (objection(path, folder=folder) or "")


@pytest.mark.parametrize("limit", [0, -1])
def test_objection_on_a_file_system_that_states_no_limit_of_names_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(os, "pathconf", lambda *_: limit)
    assert objection(tmp_path / "new", folder=True) is None


def test_objection_to_what_is_of_the_other_kind_names_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    assert ", a file" in (objection(tmp_path / "file", folder=True) or "")
    assert ", a folder" in (objection(tmp_path / "folder", folder=False) or "")
    assert "which is neither" in (objection(tmp_path / "pipe", folder=False) or "")
    for name, folder in (("folder", True), ("file", False), ("new", True), ("new", False)):
        assert objection(tmp_path / name, folder=folder) is None


def test_objection_to_a_link_is_where_it_leads_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    for name, target in (("good", "v1"), ("dangling", "v2"), ("loop", "loop"), ("indirect", "dangling")):
        (tmp_path / name).symlink_to(target)
    assert objection(tmp_path / "good", folder=True) is None
    for name in ("dangling", "indirect"):
        assert "which is not there" in (objection(tmp_path / name, folder=True) or "")
    assert objection(tmp_path / "loop", folder=True) is not None


@pytest.mark.parametrize("name", [".", "..", "../..", "../here", "inner/..", ""])
def test_objection_to_the_working_folder_is_made_by_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "here" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert "which this command runs in" in (objection(Path(name), folder=True) or "")
    assert objection(Path("inner"), folder=True) is None
    assert objection(Path("../there"), folder=True) is None


_IN_A_MOUNT = """
import sys
from pathlib import Path
from lsood_runtime._destination import objection

for line in sys.argv[1:]:
    path = Path(line)
    try:
        path.rename(path.with_name("renamed"))
    except OSError:
        renamed = False
    else:
        renamed = path.with_name("renamed").rename(path) is not None
    print(renamed, objection(path, folder=path.is_dir()))
"""


def test_objection_to_what_is_mounted_is_where_the_system_refuses_to_rename_it(tmp_path: Path) -> None:
    for name in ("plain", "bound here", "memory"):
        (tmp_path / name).mkdir()
    for name in ("file", "bound-file"):
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in ("plain", "bound here", "memory", "file", "bound-file")]
    script = (
        'mount --bind "$1" "$2" && mount -t tmpfs -o size=1m none "$3" && mount --bind "$4" "$5" || exit 77; '
        'shift 5; exec "$@"'
    )
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is missing")
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", script, "sh", *paths, sys.executable, "-c", _IN_A_MOUNT, *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (1, 77) and not done.stdout:
        pytest.skip("this user may not mount")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["True", "False", "False", "True", "False"], done.stderr
    for line in lines:
        assert line.endswith("None") if line.startswith("True") else "on which a file system is mounted" in line


FULL = {
    "blocks": ({"f_bavail": 0}, "of free space"),
    "files": ({"f_favail": 0, "f_files": 1000}, "room for one more file"),
}


@pytest.mark.parametrize(("change", "words"), FULL.values(), ids=FULL)
def test_objection_to_a_place_on_a_full_disk_is_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, int], words: str
) -> None:
    statvfs = os.statvfs

    class Full:
        def __init__(self, path: Path) -> None:
            disk = statvfs(path)
            for name in ("f_bavail", "f_frsize", "f_blocks", "f_files", "f_favail"):
                setattr(self, name, getattr(disk, name))
            vars(self).update(change)

    monkeypatch.setattr(os, "statvfs", Full)
    assert words in (objection(tmp_path / "new", folder=True) or "")
    with pytest.raises(MediaError, match=words):
        check_destinations([tmp_path / "new.csv"], [])


def test_check_destinations_of_a_link_to_nothing_or_a_loop_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dangling.csv").symlink_to("none")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(MediaError, match="got a link to none, which is not there; choose another file"):
        check_destinations([tmp_path / "dangling.csv"], [])
    with pytest.raises(MediaError, match="loop"):
        check_destinations([tmp_path / "loop.csv"], [])


def test_partial_file_that_takes_its_place_is_flushed_before_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    replace = Path.replace

    def noting(path: Path, target: Path) -> Path:
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", noting)
    monkeypatch.setattr(os, "fsync", lambda number: events.append(Path(f"/proc/self/fd/{number}").readlink().name))
    partial = PartialFile(tmp_path / "out.csv")
    partial.file.write(b"row")
    partial.move_into_place()
    assert events == [partial.path.name, "rename", tmp_path.name]
