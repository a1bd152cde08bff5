# SPDX-License-Identifier: Apache-2.0
"""A process that runs one command of lsood with hostile paths, one after the other, and says on stdout how each run ended.

Arguments: the command, a folder with what :data:`NAMED` names, a scratch folder, the kinds of paths. Its memory is limited to
a gigabyte more than it had before, a run to a time that no refusal needs.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lsood_runtime import OoDMonitor
from lsood_runtime._cli.main import build_parser
from lsood_runtime._cli.main import run as run_lsood
from tests.hostile.worker import KINDS as MADE

SECONDS = 60
MEMORY = 2**30
FORGED = "lsood: error: forged"
ESCAPES = "\x1b[2J\x1b]0;title\x07\u202e\n"

BASE: Mapping[str, tuple[str, ...]] = {
    "score": ("BUNDLE", "FRAME"),
    "watch": ("BUNDLE", "FRAME"),
    "inspect": ("BUNDLE",),
    "selftest": ("BUNDLE",),
    "diff": ("BUNDLE", "BUNDLE", "FRAME"),
    "sign": ("BUNDLE", "--key", "KEY", "--password-file", "PASSWORD"),
    "verify": ("BUNDLE", "--public-key", "PUBLIC"),
    "certify": ("BUNDLE", "--provider", "cpu", "--frames", "FRAME", "--rounds", "1"),
    "select": ("--budget", "3", "--out", "NEW/p.csv", "ROWS"),
    "summary": ("BUNDLE", "ROWS", "--vehicle", "car", "--day", "2026-11-23", "--out", "NEW/s.parquet"),
    "pack": ("BUNDLE", "--out", "NEW/m.zip"),
    "push": ("BUNDLE", "org/monitor"),
    "pull": ("org/monitor", "--out", "NEW/m"),
    "triton": ("BUNDLE", "NEW/m"),
}
"""The words of each command of lsood that works; ``NEW`` stands for a folder, other words in capitals for :data:`NAMED`."""

NAMED = {
    "BUNDLE": "monitor",
    "FRAME": "frame.png",
    "KEY": "key.pem",
    "PUBLIC": "key.pub.pem",
    "PASSWORD": "password",
    "ROWS": "rows.csv",
}
"""Files and folders that a command is given."""

PLACES = {"bundle": 0, "old": 0, "new": 1, "rows": 1, "out": 1, "files": -1}
"""Where positional arguments that are paths stand among the words."""

ENDINGS = {
    "out": ".csv",
    "timeline": ".png",
    "thumbnails": ".png",
    "rerun": ".rrd",
    "files": ".png",
    "frames": ".png",
    "sheet": ".png",
    "coco": ".json",
    "cvat": ".jsonl",
    "rows": ".jsonl",
    "compare": ".json",
    "network": ".onnx",
}
"""By which an argument's file is known."""

ENDINGS_OF = {
    ("select", "files"): ".csv",
    ("summary", "out"): ".parquet",
    ("pack", "out"): ".zip",
    ("certify", "out"): ".json",
    ("pull", "out"): "",
    ("triton", "out"): "",
}
"""The same, where a command differs."""

WRITTEN = {"out", "timeline", "thumbnails", "rerun", "sheet", "coco", "cvat"}


def _file_above(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("a file")


def _locked(path: Path) -> None:
    path.mkdir()
    path.chmod(0)


def _file(path: Path) -> None:
    path.write_text("neither a picture nor a key\n")


KINDS: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    **{kind: ("hostile", make) for kind, make in MADE.items()},
    "file": ("hostile", _file),
    "dangling link": ("hostile", lambda path: path.symlink_to("nowhere/at all")),
    "link to a folder": ("hostile", lambda path: path.symlink_to(".")),
    "folder without permission": ("hostile", _locked),
    "file where a folder should be": ("above/hostile", _file_above),
    "name too long": ("h" * 300, lambda _: None),
    "path too long": ("/".join(["h" * 200] * 30), lambda _: None),
    "escape sequences, nothing": (ESCAPES, lambda _: None),
    "escape sequences, file": (ESCAPES, _file),
    "escape sequences, pipe": (ESCAPES, os.mkfifo),
    "line of its own, nothing": (f"x\n{FORGED}", lambda _: None),
    "line of its own, file": (f"x\n{FORGED}", _file),
    "no text": ("\udcff\udcfe", _file),
}
"""Name below the scratch folder, without its ending, and what is made there."""


def actions_of(command: str) -> Iterator[argparse.Action]:
    """Arguments of a command that take a path."""
    commands = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    for action in commands.choices[command]._actions:
        if action.type is Path or action.dest in PLACES or action.dest in ENDINGS:
            yield action


def words_of(command: str, action: argparse.Action, typed: str) -> list[str]:
    """The words behind ``lsood`` in which one path is hostile."""
    words = list(BASE[command])
    if not action.option_strings:
        words[PLACES[action.dest]] = typed
        return [command, *words]
    flag = action.option_strings[-1]
    if action.nargs == 2:  # two files alone
        return [command, flag, typed, typed]
    if flag in words:
        words[words.index(flag) + 1] = typed
        return [command, *words]
    return [command, *words, flag, typed]


def end_of(words: list[str]) -> tuple[object, str, str]:
    """Exit code, or the exception that came, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()

    def over(_number: int, _frame: object) -> None:
        raise TimeoutError(f"longer than {SECONDS} s")

    signal.signal(signal.SIGALRM, over)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(out):
            code: object = run_lsood(words)
    except SystemExit as left:
        code = left.code
    except BaseException as error:
        code = f"{type(error).__name__}: {str(error)[:300]}"
    finally:
        signal.alarm(0)
    return code, out.getvalue(), err.getvalue()


def main(command: str, given: Path, scratch: Path, kinds: list[str]) -> None:
    """Run every case, a line of JSON for each."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # a path that is taken ends at the hub
    with OoDMonitor(given / "monitor", threads=1):  # so that what it needs is there before the limit
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    number = 0
    for action in actions_of(command):
        for kind in kinds:
            name, make = KINDS[kind]
            number += 1
            folder = scratch / str(number)
            folder.mkdir()
            ending = ENDINGS_OF.get((command, action.dest), ENDINGS.get(action.dest, ""))
            path = folder / f"{name}{ending}"
            try:
                if "/" in name and len(name) < 100:
                    path.parent.mkdir()
                make(path)
            except PermissionError:  # only root makes devices
                continue
            words = [
                str(given / NAMED[word]) if word in NAMED else word.replace("NEW", str(folder))
                for word in words_of(command, action, str(path))
            ]
            print(json.dumps([action.dest, kind, *end_of(words)]), flush=True)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
