# SPDX-License-Identifier: Apache-2.0
"""One whole file or folder is left, old or new, whenever a write is interrupted, killed or refused."""

import ctypes
import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from export import atomic_write
from export.atomic_write import atomic_file, atomic_folder, recover_interrupted, scratch_folder
from tests.export.interrupted_calls import LEFT_TO_THE_COLLECTOR, interrupted_at, state, write
from tests.paths import ROOT

CASES = ("new folder", "folder", "folder without exchange", "new file", "file")


def prepare(parent: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A destination as the case has it before the write."""
    if case.endswith("without exchange"):
        monkeypatch.setattr(atomic_write, "_renameat2", None)
    parent.mkdir()
    out = parent / ("features.npz" if case.endswith("file") else "monitor")
    if not case.startswith("new"):
        write(out, "old")
    return out


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the machine has one, for writes by the thousand."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk: an interrupt or a kill loses nothing that the kernel has."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.parametrize("case", CASES)
def test_write_that_succeeds_leaves_the_new_one_alone(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = prepare(tmp_path / "x", case, monkeypatch)
    write(out, "new")
    assert state(out) == "new"
    assert names(out.parent) == {out.name}


def write_half(out: Path, failure: type[BaseException]) -> None:
    if out.suffix:
        with atomic_file(out) as file:
            file.write(b"half")
            raise failure
    with atomic_folder(out) as folder:
        (folder / "manifest.json").write_text("half")
        raise failure


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_write_whose_block_fails_leaves_what_was_there(
    tmp_path: Path, case: str, failure: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = prepare(tmp_path / "x", case, monkeypatch)
    before = state(out)
    with pytest.raises(failure):
        write_half(out, failure)
    assert state(out) == before
    assert names(out.parent) == ({out.name} if before == "old" else set())


@LEFT_TO_THE_COLLECTOR
@pytest.mark.usefixtures("unflushed")
@pytest.mark.parametrize("case", CASES)
def test_write_interrupted_before_or_after_any_system_call_leaves_one_whole(
    scratch: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    moment, interrupted = 0, True
    while interrupted:
        moment += 1
        out = prepare(scratch / str(moment), case, monkeypatch)
        before = state(out)
        interrupted, made = interrupted_at(moment, lambda out=out: write(out, "new"))  # type: ignore[misc]
        assert state(out) in (before, "new"), f"interrupted at moment {moment}, after {made}"
        seen.add(state(out))
        write(out, "next")
        assert state(out) == "next"
        locked = {other.name for other in out.parent.iterdir() if is_locked(other)}
        assert names(out.parent) == {out.name} | locked, f"interrupted at moment {moment}, after {made}"
    assert moment > 20
    assert seen == {before, "new"}
    assert "fsync" in made
    assert ("_renameat2" in made) == (case == "folder")


def is_locked(path: Path) -> bool:
    """Whether a descriptor that an interrupt made nobody's still holds the lock: it goes with the process."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@LEFT_TO_THE_COLLECTOR
@pytest.mark.usefixtures("unflushed")
@pytest.mark.parametrize("case", CASES)
def test_write_interrupted_at_any_instruction_leaves_one_whole(
    scratch: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an interrupt comes in earnest: between two instructions of the interpreter, anywhere in the module."""
    count, interrupted = 0, True
    while interrupted:
        count += 1
        out = prepare(scratch / str(count), case, monkeypatch)
        before = state(out)
        interrupted = interrupted_at_instruction(count, lambda out=out: write(out, "new"))  # type: ignore[misc]
        assert state(out) in (before, "new"), f"interrupted at instruction {count}"
        write(out, "next")
        assert state(out) == "next"
        assert names(out.parent) == {out.name} | {other.name for other in out.parent.iterdir() if is_locked(other)}
    assert count > 200


def interrupted_at_instruction(count: int, work: Callable[[], None]) -> bool:
    """Whether the work came as far as the n-th instruction within ``atomic_write``, where it is interrupted."""
    passed = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal passed
        if frame.f_code.co_filename != atomic_write.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            passed += 1
            if passed == count:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("case", CASES)
def test_write_killed_before_or_after_any_system_call_leaves_one_whole(scratch: Path, case: str) -> None:
    command = [sys.executable, "-m", "tests.export.killed_writes", str(scratch), case]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    before = "nothing" if case.startswith("new") else "old"
    assert [kill["killed"] for kill in kills] == [True] * (len(kills) - 1) + [False]
    assert len(kills) > 20
    assert {kill["recovered"] for kill in kills} == {before, "new"}
    gaps = [kill for kill in kills if kill["left"] not in (before, "new")]
    if case == "folder without exchange":  # the one gap that the module's docstring admits
        assert {(kill["left"], kill["recovered"]) for kill in gaps} == {("nothing", "old")}
        assert len(gaps) == 2, "after the old one is set aside, and before the new one takes its place"
    else:
        assert gaps == []
    for kill in kills:
        assert kill["next"] == "next"
        assert kill["beside after"] == [("features.npz" if case.endswith("file") else "monitor")], kill


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV])
def test_folder_where_the_kernel_refuses_the_exchange_is_replaced_in_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    out = prepare(tmp_path / "x", "folder", monkeypatch)
    monkeypatch.setattr(atomic_write, "_renameat2", refusing(number))
    write(out, "new")
    assert state(out) == "new"
    assert names(out.parent) == {out.name}


def refusing(number: int) -> Callable[..., int]:
    def renameat2(*_: Any) -> int:
        ctypes.set_errno(number)
        return -1

    return renameat2


def test_folder_where_the_exchange_fails_stays_and_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = prepare(tmp_path / "x", "folder", monkeypatch)
    monkeypatch.setattr(atomic_write, "_renameat2", refusing(errno.ENOSPC))
    with pytest.raises(OSError, match="monitor") as raised:
        write(out, "new")
    assert raised.value.errno == errno.ENOSPC
    assert state(out) == "old"
    assert names(out.parent) == {out.name}


def test_folder_without_exchange_whose_second_rename_fails_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = prepare(tmp_path / "x", "folder without exchange", monkeypatch)
    rename = os.rename

    def failing(source: Path, target: Path) -> None:
        if ".partial." in str(source):
            raise OSError(errno.EIO, "no")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="no"):
        write(out, "new")
    assert state(out) == "old"
    assert names(out.parent) == {out.name}


def test_write_leaves_what_another_process_is_writing(tmp_path: Path) -> None:
    out = tmp_path / "monitor"
    with atomic_folder(out) as slow:
        (slow / "manifest.json").write_text("slow")
        write(out, "fast")
        assert (slow / "manifest.json").read_text() == "slow"
    assert names(tmp_path) == {"monitor"}
    assert (out / "manifest.json").read_text() == "slow"


def test_recover_interrupted_leaves_names_that_are_not_of_this_write(tmp_path: Path) -> None:
    others = {
        ".monitor.partial",
        ".monitor.partial.xyz",
        ".monitor2.partial.01234567",
        ".monitor.old.01234567",
        "monitor.d",
    }
    for name in others:
        (tmp_path / name).mkdir()
    recover_interrupted(tmp_path / "monitor")
    assert names(tmp_path) == others


def test_recover_interrupted_without_the_folder_above_does_nothing(tmp_path: Path) -> None:
    recover_interrupted(tmp_path / "none" / "monitor")
    assert names(tmp_path) == set()


@pytest.mark.parametrize("case", ["folder", "folder without exchange", "file"])
def test_link_stays_a_link_and_what_it_points_to_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    target = prepare(tmp_path / "versions", case, monkeypatch)
    link = tmp_path / f"current{target.suffix}"
    link.symlink_to(Path("versions", target.name))
    write(link, "new")
    assert names(tmp_path) == {link.name, "versions"}
    assert link.readlink() == Path("versions", target.name)
    assert names(target.parent) == {target.name}
    assert state(target) == "new"


def test_folder_that_may_not_be_replaced_and_appeared_meanwhile_stays(tmp_path: Path) -> None:
    out = tmp_path / "monitor"
    with pytest.raises(FileExistsError, match=r"appeared there meanwhile.*monitor"), atomic_folder(out, replace=False):
        write(out, "fast")
    assert state(out) == "fast"
    assert names(tmp_path) == {"monitor"}


def test_folder_that_may_not_be_replaced_where_a_file_appeared_leaves_it(tmp_path: Path) -> None:
    out = tmp_path / "monitor"
    with pytest.raises(FileExistsError, match="appeared there meanwhile"), atomic_folder(out, replace=False):
        out.write_text("a file")
    assert out.read_text() == "a file"
    assert names(tmp_path) == {"monitor"}


def test_scratch_folder_of_a_process_that_lives_stays_and_of_a_killed_one_goes(tmp_path: Path) -> None:
    out = tmp_path / "monitor"
    with scratch_folder(out) as live:
        killed = live.with_name(".monitor.scratch.01234567")
        killed.mkdir()
        (killed / "features.npz").write_text("half")
        write(out, "new")
        assert names(tmp_path) == {"monitor", live.name}
    assert names(tmp_path) == {"monitor"}


@pytest.mark.parametrize("name", [".", "inner/.."])
def test_folder_named_by_dots_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    out = prepare(tmp_path / "x", "folder", monkeypatch)
    (out / "inner").mkdir()
    monkeypatch.chdir(out)
    write(Path(name), "new")
    monkeypatch.chdir(tmp_path)
    assert state(out) == "new"
    assert names(tmp_path / "x") == {"monitor"}


@pytest.mark.parametrize("case", ["new folder", "new file"])
def test_permissions_are_those_of_the_umask(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = prepare(tmp_path / "x", case, monkeypatch)
    before = os.umask(0o027)
    try:
        write(out, "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == (0o640 if out.suffix else 0o750)


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what was flushed to the disk, and ``rename`` and ``renameat2`` where they came."""
    events: list[str] = []
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, noting(events, getattr(os, name), "rename"))
    exchange = atomic_write._renameat2
    assert exchange is not None
    monkeypatch.setattr(atomic_write, "_renameat2", noting(events, exchange, "renameat2"))
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
    )
    return events


def noting(events: list[str], call: Callable[..., Any], name: str) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        events.append(name)
        return call(*arguments)

    return run


@pytest.mark.parametrize("case", CASES)
def test_contents_are_flushed_before_the_name_is_taken_and_the_name_after(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch, flushed: list[str]
) -> None:
    out = prepare(tmp_path / "above", case, monkeypatch)
    flushed.clear()
    write(out, "new")
    taken = "renameat2" if case == "folder" else "rename"
    before, after = flushed[: flushed.index(taken)], flushed[flushed.index(taken) :]
    assert "above" in after
    if out.suffix:
        assert [name.split(".")[1] for name in before] == ["features"]
    else:
        assert sorted(before[:-1]) == ["manifest.json", "only in new", "weights.bin"]
        assert before[-1].startswith(".monitor.partial.")
