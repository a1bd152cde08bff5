# SPDX-License-Identifier: Apache-2.0
"""Find out before the work whether a file or a folder can take its name at the end of it.

A file or folder is written beside its place under a longer, hidden name, and renamed when it is whole. That fails at the end
where the name has no room for more, where a file system is mounted on it, or where the disk is full.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from lsood_runtime._bundle.digests import MANIFEST_FILE
from lsood_runtime._bundle.files import SEGMENTATION_FILE

HIDDEN_NAME_BYTES = 24
"""By how much the hidden name beside a place is longer than its name, at most."""
_INNER_NAME_BYTES = 64
"""Of a file within a folder, at most."""
_LEAST = 10**5  # of room for a file, in a message: smaller numbers would read as 0.0 MB
_MOUNTS = Path("/proc/self/mountinfo")


def objection(path: Path, *, folder: bool, size: int = 0) -> str | None:
    """Say why a file or folder could not be written, as "expected ..., got ...", without a remedy.

    Args:
        path: of it; a link stands for what it points to. The folder that holds it exists.
        folder: whether it is one.
        size: that it takes on the disk, in bytes, as far as it is known.

    Returns:
        The first reason; None where nothing speaks against it.
    """
    try:
        place = path.resolve()
        if path.is_symlink() and not place.exists():
            target = path.readlink()
            return f"expected nothing, or what a link points to, at {path}, got a link to {target}, which is not there"
        return (
            _long_name(place)
            or _in_bundle(path, place)
            or _wrong_kind(path, place, folder=folder)
            or _in_use(path, place)
            or no_room(place, size)
        )
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a name that no file system takes
        return f"expected a path that the file system takes, got {path} ({_reason(error)})"


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _long_name(place: Path) -> str | None:
    limits = {
        "name": (len(os.fsencode(place.name)), os.pathconf(place.parent, "PC_NAME_MAX") - HIDDEN_NAME_BYTES),
        "path": (
            len(os.fsencode(place)),
            os.pathconf(place.parent, "PC_PATH_MAX") - HIDDEN_NAME_BYTES - _INNER_NAME_BYTES,
        ),
    }
    for what, (length, most) in limits.items():
        if length > most > 0:  # a file system that states no limit gives 0 or -1
            return f"expected a {what} of at most {most} bytes, got {length}"
    return None


def _wrong_kind(path: Path, place: Path, *, folder: bool) -> str | None:
    if not place.exists():
        return None
    if folder and not place.is_dir():
        return f"expected a folder or nothing there, got {path}, a file"
    if not folder and not place.is_file():
        return f"expected a file or nothing there, got {path}, {'a folder' if place.is_dir() else 'which is neither'}"
    return None


def _in_bundle(path: Path, place: Path) -> str | None:
    """Why nothing is written into a bundle: beside the files that its manifest records no other may lie."""
    for folder in place.parents:
        # Of a folder that may not be looked into these are False, where those of pathlib raise.
        if all(os.path.isfile(folder / name) for name in (MANIFEST_FILE, SEGMENTATION_FILE)):  # noqa: PTH113
            return f"expected a place outside the bundle {folder}, got {path}"
    return None


def is_read(place: Path, sources: Iterable[str | Path]) -> bool:
    """Whether what stands at a place is one of the sources, by whatever name or link, or lies in one that is a folder."""
    ours = {_identity(path) for path in (place, *place.parents)} - {None}
    return any(_identity(Path(source)) in ours for source in sources)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of what stands at a path; None where nothing does, or no file system takes the name."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _in_use(path: Path, place: Path) -> str | None:
    """Why the place cannot be renamed: the process works in it, or a file system is mounted on it."""
    if place in (Path.cwd(), *Path.cwd().parents):
        return f"expected a folder that can be replaced, got {path}, which this command runs in"
    if place.exists() and (os.path.ismount(place) or place in _mount_points()):
        return f"expected a place that can be replaced, got {path}, on which a file system is mounted"
    return None


def _mount_points() -> set[Path]:
    """Where file systems, folders and single files are mounted; empty where the system does not tell."""
    try:
        lines = os.fsdecode(_MOUNTS.read_bytes()).splitlines()
    except OSError:
        return set()
    return {Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split(" ")[4])) for line in lines}


def no_room(place: Path, size: int) -> str | None:
    """Say why the disk has no room for a file or folder of this many bytes, as "expected ..., got ..."; None where it has."""
    disk = os.statvfs(place.parent)
    free = disk.f_bavail * disk.f_frsize
    if disk.f_blocks and free < max(size, disk.f_frsize):
        return f"expected {_megabytes(max(size, _LEAST))} of free space for {place}, got {_megabytes(free)}"
    if disk.f_files and not disk.f_favail:
        return f"expected room for one more file at {place}, the file system has none"
    return None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
