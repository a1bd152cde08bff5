# SPDX-License-Identifier: Apache-2.0
"""Assign frames to drives."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import CalibrationError, UsageError
from lsood_runtime.offline import csv_reason, open_plain, read_plain, reason_of

_LARGEST_TABLE = 2**28
"""Bytes of a table of drives, at most: that of millions of frames has fewer."""


def drive_names(paths: Sequence[Path], rule: str) -> tuple[str, ...]:
    """Tell by a rule which drive each frame belongs to.

    Args:
        paths: the frames.
        rule: ``none``, all one drive; ``folder``, by the folders they lie in; ``prefix``, by the file name up to its first
            underscore; else the path of a CSV table with the columns ``frame``, a file name or path, and ``drive``.

    Raises:
        UsageError: a name without an underscore, or a table that cannot be read or does not name every frame once.
    """
    if rule == "none":
        return ("all",) * len(paths)
    if rule == "folder":
        return _folder_names(paths)
    if rule == "prefix":
        without = [path.name for path in paths if "_" not in path.stem]
        if without:
            raise UsageError(
                f"expected file names with the drive before an underscore, got {without[0]}: group by folder or by a table"
            )
        return tuple(path.stem.partition("_")[0] for path in paths)
    table = _read_table(Path(rule))
    by_name = Counter(path.name for path in paths if str(path) not in table)
    several = [name for name, count in by_name.items() if count > 1 and name in table]
    if several:
        raise UsageError(
            f"expected each row of {rule} to mean one frame, got {several[0]} for {by_name[several[0]]} frames of that name: "
            "write paths in the table"
        )
    names = [table.get(str(path), table.get(path.name)) for path in paths]
    missing = [str(path) for path, name in zip(paths, names, strict=True) if name is None]
    if missing:
        raise UsageError(
            f"expected a drive for every frame in {rule}, got none for {len(missing)}, first {missing[0]}: add them"
        )
    return tuple(name for name in names if name is not None)


def drive_doubts(paths: Sequence[Path], drives: Sequence[str]) -> list[str]:
    """Say where drives look as if they were told apart by the wrong rule.

    Args:
        paths: ``(N,)`` of the frames.
        drives: ``(N,)`` names.
    """
    counts = Counter(drives)
    single = sum(count == 1 for count in counts.values())
    doubts = []
    if single > len(counts) / 2 and len(counts) > 1:
        doubts.append(
            f"{single} of {len(counts)} drives have one frame: if frames of one recording became drives of their own, every "
            "rate for new drives is too low; check --group-by"
        )
    folders: dict[str, set[Path]] = {}
    for path, drive in zip(paths, drives, strict=True):
        folders.setdefault(drive, set()).add(path.parent)
    spread = [drive for drive, found in folders.items() if len(found) > 1]
    if spread and len(spread) > len(folders) / 2 and len(folders) > 1:
        doubts.append(
            f"{len(spread)} of {len(folders)} drives have frames in several folders, the first is {spread[0]}: if these are "
            "other recordings of the same name, group by folder or by a table of paths"
        )
    return doubts


def _folder_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Names of the folders: the shortest ends of their paths that differ."""
    folders = [path.absolute().parent for path in paths]
    distinct, depth = set(folders), 1
    while len({folder.parts[-depth:] for folder in distinct}) < len(distinct):
        depth += 1
    return tuple("/".join(folder.parts[-depth:]) for folder in folders)


def _read_table(path: Path) -> dict[str, str]:
    try:
        with io.TextIOWrapper(open_plain(path, _LARGEST_TABLE), newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"expected none, folder, prefix or a CSV table to group by, cannot read {path} "
            f"({csv_reason(error)}): write the path of a table"
        ) from error
    if not {"frame", "drive"} <= set(columns):
        raise UsageError(
            f"expected the columns frame and drive in {path}, got {', '.join(columns) or 'none'}: name them in line 1"
        )
    counts = Counter(row["frame"] for row in rows)
    twice = [frame for frame, count in counts.items() if count > 1]
    if twice:
        raise UsageError(
            f"expected each frame once in {path}, got {twice[0]} {counts[twice[0]]} times: drop all but one"
        )
    empty = [row["frame"] for row in rows if not row["drive"]]
    if empty:
        raise UsageError(f"expected a drive for every frame in {path}, got none for {empty[0]}: fill in its drive")
    return {row["frame"]: row["drive"] for row in rows}


def read_drive_names(path: Path) -> tuple[str, ...]:
    """Read names of drives from a text file, one a line; empty lines and lines that start with ``#`` are left out.

    Raises:
        UsageError: the file cannot be read, names no drive, or names one twice.
    """
    try:
        lines = [line.strip() for line in read_plain(path, _LARGEST_TABLE).decode().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"expected a text file of drive names, one a line, cannot read {path}: {reason_of(error)}"
        ) from error
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise UsageError(f"expected names of drives, one a line, in {path}, found none: name one or more")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"expected each drive once in {path}, got {twice[0]} more than once: drop all but one")
    return tuple(names)


def draw_drives(drives: Sequence[str], share: float, seed: int) -> frozenset[str]:
    """Draw whole drives at random, whatever their size, until they hold a share of the frames; one is always left.

    Args:
        drives: name of each frame's drive.
        share: of the frames, above 0 and below 1.
        seed: of the draw.

    Raises:
        UsageError: fewer than two drives, or a share outside its range.
    """
    if not 0 < share < 1:
        raise UsageError(f"expected a share of the frames above 0 and below 1, got {share}: 0.1 holds out a tenth")
    sizes = Counter(drives)
    if len(sizes) < 2:
        raise UsageError(
            f"expected two drives or more to hold one out, got {', '.join(sizes) or 'none'} alone: "
            "tell drives apart by another rule, or pass frames of their own"
        )
    names = sorted(sizes)
    drawn: set[str] = set()
    for index in np.random.default_rng(seed).permutation(len(names))[:-1]:
        if sum(sizes[name] for name in drawn) >= share * len(drives):
            break
        drawn.add(names[index])
    return frozenset(drawn)


def frames_of_drives(drives: Sequence[str], chosen: Sequence[str] = ()) -> NDArray[np.bool_]:
    """Mark the frames of some drives; all frames where no drive is named.

    Args:
        drives: name of each frame's drive.
        chosen: names of drives that set the thresholds.

    Raises:
        CalibrationError: a name that no frame has, or no drive left to fit a detector on.
    """
    known = dict.fromkeys(drives)
    unknown = sorted(set(chosen) - known.keys())
    if unknown:
        raise CalibrationError(
            f"expected threshold drives among {', '.join(known)}, got {unknown[0]}: check --group-by"
        )
    if set(chosen) == known.keys():
        raise CalibrationError(
            "expected a drive left to fit the detector on, got all of them to set the thresholds: drop one"
        )
    return np.array([not chosen or name in chosen for name in drives])
