# SPDX-License-Identifier: Apache-2.0
"""What a disk may hold after a kill or a loss of power, for every moment of a recording of system calls.

The model is weaker than any journalling file system in use. Of a file's contents only what was flushed by ``fsync`` of the
file is sure to be there, of the names in a folder only what was flushed by ``fsync`` of the folder. What was not flushed is
there, is there in part, or is missing, each file for itself; changes of the names in one folder happen in their order up to
some point, each folder for itself. A kill is the case in which nothing is lost.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

from tests.recorded_calls import Call

Tree = dict[str, Union[bytes, "Tree"]]
"""Files and folders by name."""


def tree(folder: Path) -> Tree:
    """Files and folders below a folder."""
    return {path.name: tree(path) if path.is_dir() else path.read_bytes() for path in sorted(folder.iterdir())}


def write_tree(folder: Path, contents: Tree) -> None:
    """Make a folder with these contents."""
    folder.mkdir()
    for name, value in contents.items():
        if isinstance(value, bytes):
            (folder / name).write_bytes(value)
        else:
            write_tree(folder / name, value)


@dataclass(eq=False)
class _File:
    """A file; its contents are numbered by the writes that made them, 0 are those before the first.

    Attributes:
        contents: those that are known, by number.
        now: number of those that a process sees.
        sure: number of those that were flushed.
    """

    contents: dict[int, bytes]
    now: int = 0
    sure: int = 0


@dataclass(eq=False)
class _Folder:
    """A folder; ``history`` holds its names since the last flush, oldest first, of which the first are sure."""

    now: dict[str, Union[_File, "_Folder"]] = field(default_factory=dict)
    history: list[dict[str, Union[_File, "_Folder"]]] = field(default_factory=lambda: [{}])


class _Disk:
    """A folder on a disk: what a process sees, and what is sure.

    Args:
        root: the folder.
        before: what it holds, all of it flushed.
        known: contents of each file that ever is there, in the order in which they come.
    """

    def __init__(self, root: Path, before: Tree, known: Sequence[dict[int, bytes]] = ()) -> None:
        self._root, self._known = root, known
        self.files: list[_File] = []
        self.top = self._flushed(before)

    def apply(self, call: Call) -> None:
        """Make the change."""
        if call.kind in ("flush", "write", "truncate"):
            self._change(self.find(call.path), call.kind)
            return
        folder, name = self._parent(call.path), call.path.name
        if call.kind == "create":
            if name in folder.now:
                return
            folder.now[name] = self._file(b"")
        elif call.kind == "mkdir":
            folder.now[name] = _Folder()
        elif call.kind in ("rename", "exchange"):
            into, moved = self._parent(call.target), folder.now.pop(name)
            if call.kind == "exchange":
                folder.now[name] = into.now[call.target.name]
            into.now[call.target.name] = moved
            if into is not folder:
                into.history.append(dict(into.now))
        else:
            assert call.kind in ("unlink", "rmdir"), call
            del folder.now[name]
        folder.history.append(dict(folder.now))

    def find(self, path: Path) -> _File | _Folder | None:
        """What a process sees under a name."""
        node: _File | _Folder | None = self.top
        for part in path.relative_to(self._root).parts:
            node = node.now.get(part) if isinstance(node, _Folder) else None
        return node

    def _file(self, contents: bytes) -> _File:
        number = len(self.files)
        self.files.append(_File({0: contents} | (dict(self._known[number]) if self._known else {})))
        return self.files[-1]

    def _flushed(self, contents: Tree) -> _Folder:
        names: dict[str, _File | _Folder] = {
            name: self._file(value) if isinstance(value, bytes) else self._flushed(value)
            for name, value in contents.items()
        }
        return _Folder(names, [dict(names)])

    def _parent(self, path: Path) -> _Folder:
        found = self.find(path.parent)
        assert isinstance(found, _Folder), path
        return found

    @staticmethod
    def _change(node: _File | _Folder | None, kind: str) -> None:
        if isinstance(node, _Folder):
            node.history = [dict(node.now)]
        elif node is not None and kind == "flush":
            node.sure = node.now
        elif node is not None:  # a file that was removed is under no name
            node.now += 1


def _left(folder: _Folder, rng: random.Random | None) -> Tree:
    """What is there after a loss of power; after a kill where ``rng`` is None."""
    names = folder.now if rng is None else rng.choice(folder.history)
    return {name: _contents(node, rng) if isinstance(node, _File) else _left(node, rng) for name, node in names.items()}


def _contents(file: _File, rng: random.Random | None) -> bytes:
    """Contents of a file; where the last writes were not flushed, all of them may be there, some, or none."""
    number = file.now if rng is None or file.sure == file.now else rng.choice([file.sure, file.now, -1])
    if number in file.contents:
        return file.contents[number]
    whole = file.contents[max(file.contents)]
    half = whole[: len(whole) // 2] + b"?"
    return half if rng is None else rng.choice([b"", half, bytes(len(whole))])


def states(root: Path, before: Tree, after: Tree, calls: Sequence[Call], losses: int = 4) -> Iterator[tuple[str, Tree]]:
    """What a folder may hold when a command is killed, or loses its power, before, between or after any two calls.

    Args:
        root: the folder.
        before: what it held.
        after: what it held in the end.
        calls: of the command.
        losses: of power at each moment, drawn at random.

    Yields:
        When it was, in words, and what is there; each state once.
    """
    last = _Disk(root, before)
    for call in calls:
        last.apply(call)
    for path, contents in _files(after):
        node = last.find(root / path)
        assert isinstance(node, _File), f"the calls explain {path}"
        node.contents[node.now] = contents
    assert {path for path, _ in _files(_left(last.top, None))} == {path for path, _ in _files(after)}

    disk, rng, seen = _Disk(root, before, [file.contents for file in last.files]), random.Random(0), list[Tree]()
    for number in range(len(calls) + 1):
        if number:
            disk.apply(calls[number - 1])
        when = f"after call {number} of {len(calls)}" + (f", {calls[number - 1]}" if number else "")
        for loss in range(losses + 1):
            found = _left(disk.top, rng if loss else None)
            if found not in seen:
                seen.append(found)
                yield f"{'power lost' if loss else 'killed'} {when}", found


def _files(contents: Tree, above: Path = Path()) -> Iterator[tuple[Path, bytes]]:
    for name, value in contents.items():
        if isinstance(value, bytes):
            yield above / name, value
        else:
            yield from _files(value, above / name)
