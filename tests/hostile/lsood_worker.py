# SPDX-License-Identifier: Apache-2.0
"""A process that runs one command of lsood with hostile paths, one after the other, and says on stdout how each run ended.

Arguments: the command, a folder with ``monitor``, ``frame.png``, ``key.pem``, its ``password`` and ``key.pub.pem``, a scratch
folder, the kinds of paths. Its memory is limited to a gigabyte more than it had before, a run to a time that no refusal
needs.
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
ESCAPES = "\x1b[2J\x1b]0;title\x07\u202e\n"

BASE: Mapping[str, tuple[str, ...]] = {
    "score": ("BUNDLE", "FRAME"),
    "watch": ("BUNDLE", "FRAME"),
    "inspect": ("BUNDLE",),
    "selftest": ("BUNDLE",),
    "diff": ("BUNDLE", "BUNDLE", "FRAME"),
    "sign": ("BUNDLE", "--key", "KEY", "--password-file", "PASSWORD"),
    "verify": ("BUNDLE", "--public-key", "PUBLIC"),
}
"""The words of each command of lsood that works."""

PLACES = {"bundle": (0, "BUNDLE"), "old": (0, "BUNDLE"), "new": (1, "BUNDLE"), "files": (-1, "FRAME")}
"""Positional arguments that are paths: where they stand among the words, and which word that is."""

ENDINGS = {"out": ".csv", "timeline": ".png", "thumbnails": ".png", "rerun": ".rrd", "files": ".png"}
WRITTEN = {"out", "timeline", "thumbnails", "rerun"}


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
    "no text": ("\udcff\udcfe", _file),
}
"""Name below the scratch folder, without its ending, and what is made there."""


def actions_of(command: str) -> Iterator[argparse.Action]:
    """Arguments of a command that take a path."""
    commands = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    for action in commands.choices[command]._actions:
        if action.type is Path or action.dest in PLACES or action.dest in WRITTEN:
            yield action


def words_of(command: str, action: argparse.Action, typed: str) -> list[str]:
    """The words behind ``lsood`` in which one path is hostile."""
    words = list(BASE[command])
    if not action.option_strings:
        place, word = PLACES[action.dest]
        assert words[place] == word
        words[place] = typed
        return [command, *words]
    flag = action.option_strings[-1]
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
    named = {
        "BUNDLE": "monitor",
        "FRAME": "frame.png",
        "KEY": "key.pem",
        "PUBLIC": "key.pub.pem",
        "PASSWORD": "password",
    }
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
            path = folder / f"{name}{ENDINGS.get(action.dest, '')}"
            try:
                if "/" in name and len(name) < 100:
                    path.parent.mkdir()
                make(path)
            except PermissionError:  # only root makes devices
                continue
            words = [
                str(given / named[word]) if word in named else word for word in words_of(command, action, str(path))
            ]
            print(json.dumps([action.dest, kind, *end_of(words)]), flush=True)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
