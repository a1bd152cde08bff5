# SPDX-License-Identifier: Apache-2.0
"""Refuse the files that a run shall write before its first frame, where they could not be written at its end."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from lsood_runtime._destination import is_read, objection
from lsood_runtime._exceptions import MediaError


def check_destinations(outputs: Sequence[Path], sources: Iterable[str], folders: Sequence[Path] = ()) -> None:
    """Refuse outputs that are given twice, are read as well, or have no place, and folders that hold something.

    Args:
        outputs: files to write.
        sources: what is read; of a folder, no file in it is overwritten.
        folders: to write files into, new or empty ones.

    Raises:
        MediaError: the first that cannot be written; the message names it.
    """
    taken: set[Path] = set()
    for path in (*outputs, *folders):
        place = _resolved(path)
        if place in taken:
            raise MediaError(f"expected a file for each output, got {path} twice: name another one")
        taken.add(place)
        _check_place(path, place, folder=path in folders)
        if path in folders and place.exists() and any(place.iterdir()):
            raise MediaError(f"expected a new or an empty folder, got {path}, which holds something: name another one")
        if place.exists() and is_read(place, sources):
            raise MediaError(f"expected another file than those that are read, got {path}: it would be lost")


def paths_read(options: argparse.Namespace) -> list[str]:
    """What a command reads beside its sources: bundle, network, keys and libraries."""
    named = [getattr(options, name, None) for name in ("bundle", "network", "public_key", "key", "password_file")]
    named += [library for _, library in getattr(options, "provider_library", ())]
    return [str(path) for path in named if path is not None]


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise MediaError(
            f"cannot write {path}: expected a path without a loop of links; choose another file"
        ) from error


def _check_place(path: Path, place: Path, *, folder: bool) -> None:
    if not os.path.isdir(place.parent):  # noqa: PTH112  of a name that no file system takes it is False as well
        raise MediaError(
            f"cannot write {path}: expected the folder {place.parent} to exist; make it, or choose another file"
        )
    within = place if folder and os.path.isdir(place) else place.parent  # noqa: PTH112
    if not os.access(within, os.W_OK | os.X_OK):
        what = "folder" if folder else "file"
        raise MediaError(f"cannot write {path}: expected to be able to write into {within}; choose another {what}")
    reason = objection(path, folder=folder)
    if reason is not None:
        raise MediaError(f"cannot write {path}: {reason}; choose another file")
