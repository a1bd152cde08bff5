# SPDX-License-Identifier: Apache-2.0
"""Record by strace the system calls with which a command changes files below a folder."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CALLS = (
    "open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,write,pwrite64,writev,pwritev,"
    "ftruncate,fallocate,copy_file_range,sendfile,fsync,fdatasync,link,linkat,symlink,symlinkat"
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+|\?)")
_UNFINISHED, _RESUMED = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>"), re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_AT = re.compile(rf"(?:AT_FDCWD|\d+)<([^>]*)>, {_QUOTED}")
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")


@dataclass(frozen=True)
class Call:
    """A change of a file or folder, or its flush.

    Attributes:
        kind: ``create``, ``truncate``, ``write``, ``flush``, ``mkdir``, ``rename``, ``exchange``, ``unlink`` or ``rmdir``.
        path: that it is about.
        target: of a rename.
    """

    kind: str
    path: Path
    target: Path = Path()


@cache
def can_trace() -> bool:
    """Whether strace is there and may trace."""
    return (
        bool(shutil.which("strace"))
        and not subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode
    )


def recorded(command: Sequence[str | Path], root: Path, log: Path, environment: Mapping[str, str]) -> list[Call]:
    """Run a command that succeeds, and give its changes below a folder in their order.

    Args:
        command: with its arguments.
        root: the folder.
        log: of strace.
        environment: of the command.
    """
    strace = ["strace", "-f", "--seccomp-bpf", "-y", "-qq", "-s", "4096", "-e", f"trace={_CALLS}", "-e", "signal=none"]
    done = subprocess.run(
        [*strace, "-o", str(log), *map(str, command)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or (done.returncode == 1 and "lsood_runtime" in command), done.stderr  # 1 is a verdict
    return [call for call in _calls(log.read_text(errors="surrogateescape")) if _is_below(call, root)]


def _is_below(call: Call, root: Path) -> bool:
    below = [path == root or root in path.parents for path in (call.path, *([call.target] if call.target.name else []))]
    assert len(set(below)) == 1, f"{call} leads out of {root}"
    return below[0]


def _calls(text: str) -> Iterator[Call]:
    waiting: dict[str, str] = {}
    for line in text.splitlines():
        if match := _UNFINISHED.fullmatch(line):
            waiting[match[1]] = match[2]
            continue
        whole = f"{match[1]} {waiting.pop(match[1])}{match[2]}" if (match := _RESUMED.fullmatch(line)) else line
        parsed = _LINE.match(whole)
        if parsed and not parsed[4].startswith(("-", "?")):
            yield from _parsed(parsed[2], parsed[3])


def _parsed(name: str, arguments: str) -> Iterator[Call]:
    paths = [Path(os.path.normpath(Path(folder, _plain(text)))) for folder, text in _AT.findall(arguments)]
    if not paths:
        paths = [Path(os.path.normpath(_plain(text))) for text in re.findall(_QUOTED, arguments)[:2]]
    if name in ("open", "openat", "creat"):
        if name == "creat" or "O_CREAT" in arguments:
            yield Call("create", paths[0])
        if name == "creat" or "O_TRUNC" in arguments:
            yield Call("truncate", paths[0])
    elif name in ("mkdir", "mkdirat"):
        yield Call("mkdir", paths[0])
    elif name.startswith("rename"):
        yield Call("exchange" if "RENAME_EXCHANGE" in arguments else "rename", *paths)
    elif name in ("unlink", "unlinkat", "rmdir"):
        yield Call("rmdir" if name == "rmdir" or "AT_REMOVEDIR" in arguments else "unlink", paths[0])
    elif name in ("link", "linkat"):
        yield Call("link", paths[-1])
    elif name in ("symlink", "symlinkat"):  # a name in its folder, which the model holds as an empty file
        yield Call("create", paths[-1])
    elif match := _DESCRIPTOR.match(arguments):
        yield Call("flush" if name in ("fsync", "fdatasync") else "write", Path(match[1]))


def _plain(text: str) -> str:
    """A string as strace quotes it."""
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
