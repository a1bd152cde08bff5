# SPDX-License-Identifier: Apache-2.0
"""List the files of frames behind what a caller names: files, folders and patterns.

=======================  ==============================================================================================
a file                   is taken whatever its name, hidden or not
a folder                 gives its files of known suffixes in natural order; hidden ones, whose names begin with a dot
                         as ``._frame.png`` does, are left out; sub-folders are not entered
a pattern                gives the files that match it, folder by folder in natural order; one that ends in ``/`` gives
                         the folders that match it and hold frames, such as ``drives/*/``
files one after another  stay in the order given, unless that is the order in which a shell lists a pattern: these are
                         brought into natural order
=======================  ==============================================================================================
"""

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.file_order import natural_order, undo_shell_order
from lsood_runtime._text.counted import counted

Wanted = Callable[[Path], bool]
"""Whether a path within a folder is a source of frames, by its name and what it is."""


def find_files(sources: Sequence[str | Path], wanted: Wanted, kinds: str) -> list[Path]:
    """List the files behind files, folders and patterns.

    Args:
        sources: by path or pattern.
        wanted: which entries of a folder to take.
        kinds: what these are called, for messages.

    Raises:
        MediaError: nothing is found at a source, or it cannot be looked at; the message names it.
    """
    try:
        return list(_find(sources, wanted, kinds))
    except OSError as error:
        raise MediaError(f"expected {kinds}, cannot look at {error.filename}: {error.strerror}") from error


def distinct_files(paths: Iterable[Path]) -> list[Path]:
    """Files in the order given, one that is named or found twice, or by a link as well, once."""
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _find(sources: Sequence[str | Path], wanted: Wanted, kinds: str) -> Iterator[Path]:
    if "" in map(str, sources):
        raise MediaError(f"expected {kinds}, got an empty path: name a file, a folder or a pattern")
    for there, group in groupby(sources, key=lambda source: Path(source).exists() or Path(source).is_symlink()):
        if there:
            for entry in undo_shell_order([*map(Path, group)]):
                yield from _expand(entry, wanted, kinds)
        else:
            for source in group:
                yield from _match(str(source), wanted, kinds)


def describe_left_out(sources: Sequence[str | Path], wanted: Wanted) -> list[str]:
    """Say which files of the folders that were named are left out by their suffixes, a sentence a folder.

    Args:
        sources: by path or pattern.
        wanted: which entries of a folder are taken.
    """
    folders: list[Path] = []
    for source in map(str, sources):
        found = glob.glob(source) if source.endswith("/") and not Path(source).exists() else [source]  # noqa: PTH207
        folders += [folder for folder in map(Path, found) if folder.is_dir() and not wanted(folder)]
    sentences = []
    for folder in dict.fromkeys(folders):
        others = [path for path in folder.iterdir() if visible(path) and path.is_file() and not wanted(path)]
        if others:
            suffixes = ", ".join(sorted({path.suffix or "no suffix" for path in others})[:5])
            sentences.append(
                f"left out of {folder}: {counted(len(others), 'file')} ({suffixes}); name them to have them tried as images"
            )
    return sentences


def visible(path: Path) -> bool:
    """Whether a file's name does not begin with a dot."""
    return not path.name.startswith(".")


def is_file_or_lost(path: Path) -> bool:
    """Whether there is a file, or a link to one that is gone, as on a disk that is not mounted: its reading says so."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _expand(path: Path, wanted: Wanted, kinds: str) -> list[Path]:
    if wanted(path) or is_file_or_lost(path):
        return [path]
    if not path.is_dir():
        raise MediaError(f"expected {kinds}, got {path}, which is a pipe or a device: write its data into a file")
    found = _list_folder(path, wanted)
    if not found:
        inner = [
            entry.name for entry in natural_order(path.iterdir()) if entry.is_dir() and _list_folder(entry, wanted)
        ]
        remedy = f"{len(inner)} of its folders hold some, name them: {path}/*/" if inner else "check the folder"
        raise MediaError(f"expected {kinds} in {path}, found none: {remedy}")
    return found


def _list_folder(folder: Path, wanted: Wanted) -> list[Path]:
    return natural_order(path for path in folder.iterdir() if visible(path) and wanted(path))


def _match(pattern: str, wanted: Wanted, kinds: str) -> list[Path]:
    matches = natural_order(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207  a pattern may begin anywhere
    if pattern.endswith("/"):
        found = [path for match in matches for path in ([match] if wanted(match) else _list_folder(match, wanted))]
    else:
        found = [match for match in matches if is_file_or_lost(match)]
    if not found:
        raise MediaError(f"expected {kinds} or a folder of them, found nothing at {pattern}: check the path")
    return found
