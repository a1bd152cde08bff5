# SPDX-License-Identifier: Apache-2.0
"""After a kill or a loss of power at any moment of a command that writes, the old one or the new one is there, whole."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from export.destination import claimed
from export.features.folder import HEADER, FeatureFolder, FolderContents
from lsood_runtime._new_folder import remove_leftovers
from lsood_runtime._partial_file import PartialFile
from tests.conftest import write_scenes
from tests.paths import ROOT
from tests.power_loss import Tree, states, tree, write_tree
from tests.recorded_calls import can_trace, recorded
from tests.writing_commands import WRITING_COMMANDS, WritingCommand

pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is missing, or may not trace here")


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the machine has one: hundreds of states are written."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder).resolve()


def recover_claimed(out: Path) -> None:
    """As the next command of ``export`` with this destination."""
    with claimed(out, "choose another", folder=not out.suffix):
        pass


def recover_partial(out: Path) -> None:
    """As the next run of ``lsood`` with this output, or the next one that signs this bundle."""
    PartialFile(out / "model.sig" if out.is_dir() else out).discard()
    remove_leftovers(out)


@dataclass
class Outcome:
    """What was there after recovery.

    Attributes:
        old: how often the old one.
        new: how often the new one.
        wrong: in words, when it was neither, or when something hidden was left.
    """

    old: int = 0
    new: int = 0
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A command that was recorded: what its folder held before and after, and every state that it may be left in."""

    before: Tree
    after: Tree
    states: tuple[tuple[str, Tree], ...]

    def folders(self, scratch: Path) -> Iterator[tuple[str, Path]]:
        """Each state as a folder, one after the other, with when it was."""
        for when, state in self.states:
            with tempfile.TemporaryDirectory(dir=scratch) as above:
                write_tree(Path(above, "state"), state)
                yield when, Path(above, "state")

    def outcome(self, scratch: Path, outs: Sequence[str], recover: Callable[[Path], None], old: Tree) -> Outcome:
        """Look at outputs in every state after recovery.

        Args:
            scratch: a folder.
            outs: names of the outputs.
            recover: what the next command does first with an output.
            old: outputs that are as good as the new ones.
        """
        found = Outcome()
        for when, folder in self.folders(scratch):
            for out in outs:
                recover(folder / out)
            left = tree(folder)
            for out in outs:
                is_new, is_old = left.get(out) == self.after[out], left.get(out) == old.get(out)
                found.new += is_new
                found.old += is_old
                if not (is_new or is_old):
                    found.wrong += (f"{out} {when}",)
                found.wrong += tuple(f"{name} left {when}" for name in left if name.startswith(f".{out}."))
        return found


def record(scratch: Path, command: Sequence[str | Path], before: Tree) -> Run:
    """Run a command and find what may be left of it.

    Args:
        scratch: a folder.
        command: ``OUT`` in its words stands for the folder of its outputs.
        before: what that holds.
    """
    root = scratch / "outputs"
    write_tree(root, before)
    words = [str(word).replace("OUT", str(root)) for word in command]
    own = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"}
    calls = recorded(words, root, scratch / "log", os.environ | own)
    after = tree(root)
    return Run(before, after, tuple(states(root, before, after, calls)))


_WRITE = """
import os, sys
from pathlib import Path
from export import atomic_write
from lsood_runtime._partial_file import PartialFile

kind, out = sys.argv[1], Path(sys.argv[2])
if kind == "partial":
    partial = PartialFile(out)
    partial.file.write(b"new row" * 9)
    partial.file.write(b"new row" * 9)
    partial.move_into_place()
    raise SystemExit
if kind == "in two steps":
    atomic_write._renameat2 = None
if kind == "without flush":
    os.fsync = lambda descriptor: None
if out.suffix:
    with atomic_write.atomic_file(out) as file:
        file.write(b"new contents" * 99)
else:
    with atomic_write.atomic_folder(out) as folder:
        for name in ("manifest.json", "weights.bin"):
            (folder / name).write_text("new contents" * 99)
        (folder / "more").mkdir()
        (folder / "more" / "file").write_text("more")
"""
OLD: Tree = {"manifest.json": b"old", "only in old": b"old"}
WRITES: dict[str, tuple[str, str, Tree]] = {
    "new folder": ("plain", "monitor", {}),
    "folder": ("plain", "monitor", {"monitor": OLD, "beside": b"x"}),
    "folder in two steps": ("in two steps", "monitor", {"monitor": OLD}),
    "folder after killed ones": (
        "plain",
        "monitor",
        {".monitor.partial.01234567": {"half": b""}, ".monitor.replaced.01234567": OLD, ".monitor.lock": b""},
    ),
    "new file": ("plain", "features.npz", {}),
    "file": ("plain", "features.npz", {"features.npz": b"old"}),
    "new output of lsood": ("partial", "rows.csv", {}),
    "output of lsood": ("partial", "rows.csv", {"rows.csv": b"old", ".rows.csv.99.partial": b"half"}),
}


@pytest.mark.parametrize(("kind", "name", "before"), WRITES.values(), ids=WRITES)
def test_write_after_a_kill_or_a_loss_of_power_at_any_moment_is_the_old_one_or_the_new_one(
    scratch: Path, kind: str, name: str, before: Tree
) -> None:
    run = record(scratch, [sys.executable, "-c", _WRITE, kind, f"OUT/{name}"], before)
    set_aside = f".{name}.replaced.01234567"
    old = {name: before[set_aside]} if set_aside in before else before  # recovery puts that back
    found = run.outcome(scratch, [name], recover_partial if kind == "partial" else recover_claimed, old)
    assert found.wrong == ()
    assert found.new
    assert found.old


@pytest.mark.parametrize("name", ["monitor", "features.npz"])
def test_write_without_flushes_after_a_loss_of_power_may_be_broken(scratch: Path, name: str) -> None:
    """The test above can fail."""
    before: Tree = {"monitor": OLD, "features.npz": b"old"}
    run = record(scratch, [sys.executable, "-c", _WRITE, "without flush", f"OUT/{name}"], before)
    assert run.outcome(scratch, [name], recover_claimed, before).wrong


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITING_COMMANDS.values(), ids=WRITING_COMMANDS)
def test_command_after_a_kill_or_a_loss_of_power_at_any_moment_left_the_old_one_or_the_new_one(
    scratch: Path, command: WritingCommand, bundle: Path, frames: Path, checkpoint: Path
) -> None:
    before: Tree = {"monitor": tree(bundle), "r.csv": b"old", "s.csv": b"old", "t.png": b"old", "features.npz": b"old"}
    run = record(scratch, [sys.executable, "-m", *command.with_inputs(bundle, frames, checkpoint)], before)
    found = run.outcome(
        scratch, command.outs, recover_claimed if command.words[0] == "export" else recover_partial, before
    )
    assert found.wrong == ()
    assert found.old
    assert found.new


@pytest.mark.slow
def test_features_after_a_kill_or_a_loss_of_power_at_any_moment_are_gone_on_with(scratch: Path, bundle: Path) -> None:
    many = write_scenes(scratch / "frames", 150, seed=5)  # more than fit in one file
    command = [
        "calibrate",
        str(bundle),
        "--frames",
        str(many),
        "--out",
        "OUT/new",
        "--save-features",
        "OUT/features",
        "--quiet",
    ]
    run = record(scratch, [sys.executable, "-m", "export", *command], {})
    whole = run.after["features"]
    assert isinstance(whole, dict)
    assert len(whole) > 2
    contents = FolderContents(**json.loads(cast(bytes, whole[HEADER])))
    measured = set()
    for when, folder in run.folders(scratch):
        missing = FeatureFolder.begin(folder / "features", contents).missing
        left = {name: value for name, value in tree(folder / "features").items() if not name.startswith(".")}
        assert left.items() <= whole.items(), when
        measured.add(len(missing))
    assert measured == set(range(len(whole)))
