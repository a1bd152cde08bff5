# SPDX-License-Identifier: Apache-2.0
"""A process that runs one command with hostile paths, one after the other, and says on stdout how each run ended.

Arguments: the command, a folder with ``monitor``, ``frames`` and ``small.ckpt``, a scratch folder, and the kinds of paths.
Its memory is limited to two gigabytes more than it had before, a run to a time that no refusal needs.
"""

import importlib
import io
import json
import os
import resource
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import get_origin

from export.benchmark.options import BenchmarkOptions
from export.calibration.recalibration_options import RecalibrationOptions
from export.cli.evaluate import EvaluationOutput
from export.cli.export import ConfigFile, LayerListing
from export.cli.search import SearchOutput
from export.evaluation.options import EvaluationOptions
from export.evidence.options import EvidenceOptions
from export.fleet.options import FleetOptions
from export.option_table import Option, options_of
from export.pipeline.options import ExportOptions
from export.search.options import SearchOptions

SECONDS = 120
MEMORY = 2 * 2**30
SPARSE = 64 * 2**30

TABLES: Mapping[str, tuple[type, ...]] = {
    "export": (ConfigFile, ExportOptions, LayerListing),
    "evaluate": (EvaluationOptions, EvaluationOutput),
    "search": (SearchOptions, SearchOutput),
    "evidence": (EvidenceOptions,),
    "benchmark": (BenchmarkOptions,),
    "fleet": (FleetOptions,),
    "calibrate": (RecalibrationOptions,),
}
BASE: Mapping[str, tuple[str, ...]] = {
    "export": ("--ckpt", "CKPT", "--frames", "FRAMES", "--out", "OUT/new", "--mc-samples", "8"),
    "evaluate": ("BUNDLE", "--ind", "FRAMES", "--synthetic", "fog"),
    "search": ("--ckpt", "CKPT", "--frames", "FRAMES", "--samples", "8"),
    "evidence": ("BUNDLE", "--out", "OUT/new"),
    "benchmark": ("BUNDLE", "--root", "FRAMES", "--ind", "idd_lite", "--out", "OUT/new"),
    "fleet": ("FRAMES", "--out", "OUT/new"),
    "calibrate": ("BUNDLE", "--frames", "FRAMES", "--out", "OUT/new"),
}
SUFFIXES = {
    "--ckpt": ".ckpt",
    "--config": ".yaml",
    "--features": ".npz",
    "--group-by": ".csv",
    "--save-features": ".npz",
    "--report": "",
    "--root": "",
    "summaries": ".parquet",
    "--out": "",
    "--certificate": ".json",
    "--junit": ".xml",
    "--requirements": ".yaml",
}
NEEDS = {(command, "--ood-frames"): ("--detector", "kde-classifier") for command in ("export", "calibrate")}
"""What an option needs beside it, to be looked at."""


def _device(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # as /dev/zero, which no test may touch


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, SPARSE)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _within(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def folder(path: Path) -> None:
        path.mkdir()
        make(path / "0000.png")  # the name of a frame, by which its label is found

    return folder


KINDS: Mapping[str, Callable[[Path], None]] = {
    "nothing": lambda _: None,
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": _device,
    "sparse file": _sparse,
    "empty file": lambda path: path.touch(),
    "empty folder": lambda path: path.mkdir(),
    "folder with a pipe": _within(os.mkfifo),
    "folder with a socket": _within(_socket),
    "folder with a device": _within(_device),
    "folder with a sparse file": _within(_sparse),
    "folder with a loop of links": _within(_loop),
    "loop of links": _loop,
}
WRITTEN = {"--out", "--save-features", "--report"}
HARMLESS = {"nothing", "sparse file", "empty file", "empty folder"}
"""Kinds that may be there, or be missing, where something is written."""


@dataclass(frozen=True)
class Case:
    """An option of a command, and what its path is."""

    option: Option
    kind: str

    @property
    def name(self) -> str:
        """Both in words."""
        return f"{self.option.name}, {self.kind}"


def takes_paths(option: Option) -> bool:
    """Whether a path is typed behind an option; a rule of drives may be a table."""
    return "Path" in str(option.hint) or option.name == "--group-by"


def cases(command: str, kinds: list[str]) -> Iterator[Case]:
    """Every option that takes a path, with every kind of path."""
    options = {option.name: option for table in TABLES[command] for option in options_of(table)}
    for option in options.values():
        for kind in kinds:
            if takes_paths(option) and not (option.name in WRITTEN and (kind in HARMLESS or "folder" in kind)):
                yield Case(option, kind)


def words_of(command: str, case: Case, path: Path) -> list[str]:
    """The words of a command line in which one path is hostile."""
    words, option = list(BASE[command]), case.option
    typed = f"set={path}" if get_origin(option.hint) is not None and "Mapping" in str(option.hint) else str(path)
    if not option.name.startswith("--"):
        words[0] = typed
    elif option.name in words:
        words[words.index(option.name) + 1] = typed
    else:
        words += [option.name, typed]
    if option.name == "--features":  # in place of frames
        place = words.index("--frames")
        words = words[:place] + words[place + 2 :]
    return [*words, *NEEDS.get((command, option.name), ())]


def run(command: str, words: list[str]) -> tuple[object, str]:
    """Exit code, or the exception that came, and stderr."""
    err, out = io.StringIO(), io.StringIO()
    module = importlib.import_module(f"export.cli.{command}")

    def over(_number: int, _frame: object) -> None:
        raise TimeoutError(f"longer than {SECONDS} s")

    signal.signal(signal.SIGALRM, over)
    signal.alarm(SECONDS)
    try:
        with redirect_stderr(err), redirect_stdout(out):
            code: object = module.main(words)
    except SystemExit as left:
        code = left.code
    except BaseException as error:
        code = f"{type(error).__name__}: {str(error)[:300]}"
    finally:
        signal.alarm(0)
    return code, err.getvalue()


def main(command: str, given: Path, scratch: Path, kinds: list[str]) -> None:
    """Run every case, a line of JSON for each."""
    places = {"CKPT": given / "small.ckpt", "FRAMES": given / "frames", "BUNDLE": given / "monitor"}
    importlib.import_module("export.pipeline.export_monitor")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for number, case in enumerate(cases(command, kinds)):
        folder = scratch / str(number)
        folder.mkdir()
        path = folder / f"hostile{SUFFIXES.get(case.option.name, '.png')}"
        try:
            KINDS[case.kind](path)
        except PermissionError:  # only root makes devices
            continue
        words = [
            str(places[word]) if word in places else word.replace("OUT", str(folder))
            for word in words_of(command, case, path)
        ]
        code, err = run(command, words)
        print(json.dumps([case.name, code, err]), flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
