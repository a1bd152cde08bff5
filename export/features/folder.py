# SPDX-License-Identifier: Apache-2.0
"""Features of frames in a folder, a file for each 128 frames: none but a block of them is in memory, and a cut loses little.

A file appears under its name whole or not at all, so that what is there is what was measured. ``features.json`` says which
frames, of which network and in which files; frames that are not measured yet have no file.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.atomic_write import atomic_file, flush
from export.errors import UsageError
from export.features.frames import Features
from export.features.key import FeatureKey
from export.features.rows import StoredFeatures
from lsood_runtime.offline import open_plain, parse_json, read_plain

CHUNK = 128
"""Frames in a file."""

KEPT = 4 * 2**20
"""Bytes of a folder that stay in memory once they are read: all of some hundred frames, which a fit asks for many times."""

HEADER = "features.json"
_LARGEST_HEADER = 2**20
_NAMES, _SCORE = "names", "score"


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Names and features of N frames in the order of recording; the features in memory or in files.

    Attributes:
        names: ``(N,)``, the frames' paths.
        values: ``(N, D)`` of each key.
    """

    names: Sequence[str]
    values: StoredFeatures


@dataclass(frozen=True)
class FolderContents:
    """What a folder of features is about; equal where the same work can go on.

    Attributes:
        network_sha256: of the network that measures.
        settings: what else the features depend on, in words.
        frames: N.
        frames_sha256: of their names, sizes and times of change, see :func:`frames_digest`.
        chunk: frames in a file.
    """

    network_sha256: str
    settings: str
    frames: int
    frames_sha256: str
    chunk: int


def frames_digest(paths: Sequence[Path]) -> str:
    """Digest of a list of files: their names, sizes and times of change, in order."""
    digest = hashlib.sha256()
    for path in paths:
        found = path.stat()
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()


class FeatureFolder:
    """A folder of features that are measured, or were.

    Args:
        path: the folder.
        contents: what it is about.

    Raises:
        UsageError: nothing can be written there, or the folder is about something else.
    """

    def __init__(self, path: Path, contents: FolderContents) -> None:
        self.path, self.contents = path, contents
        self._kept: dict[tuple[int, str], tuple[tuple[int, int, int], NDArray[Any]]] = {}

    @classmethod
    def begin(cls, path: Path, contents: FolderContents) -> "FeatureFolder":
        """Make the folder, or go on with what an earlier run left in it.

        Raises:
            UsageError: nothing can be written there, or the folder holds something else.
        """
        try:
            path.mkdir(exist_ok=True)
            flush(path.absolute().parent)
            if not (path / HEADER).exists():
                if any(not entry.name.startswith(".") for entry in path.iterdir()):
                    raise UsageError(
                        f"expected an empty folder, or one of features, at {path}, it holds other files: choose another "
                        "--save-features"
                    )
                with atomic_file(path / HEADER) as file:
                    file.write(json.dumps(asdict(contents), indent=1).encode())
        except OSError as error:
            raise UsageError(
                f"expected to write features into {path}, got {error.strerror}: choose another folder"
            ) from error
        found = _read_contents(path)
        differing = [name for name, value in asdict(contents).items() if asdict(found)[name] != value]
        if differing:
            raise UsageError(
                f"expected {path} to hold features of the same frames, network and options, it differs in "
                f"{', '.join(differing)}: remove it, or choose another --save-features"
            )
        return cls(path, contents)

    @classmethod
    def open(cls, path: Path) -> "FeatureFolder":
        """Open a folder whose frames are all measured.

        Raises:
            UsageError: it is no folder of features, or some frames are missing.
        """
        folder = cls(path, _read_contents(path))
        missing = folder.missing
        if missing:
            raise UsageError(
                f"expected features of all {folder.contents.frames} frames in {path}, {len(missing)} of "
                f"{len(folder.spans)} files are missing: run the command that was interrupted again"
            )
        return folder

    @property
    def spans(self) -> list[range]:
        """Frames of each file, in order."""
        count, chunk = self.contents.frames, self.contents.chunk
        return [range(i, min(i + chunk, count)) for i in range(0, count, chunk)]

    @property
    def missing(self) -> list[int]:
        """Numbers of the files that are not there yet."""
        there = {entry.name for entry in os.scandir(self.path)}
        return [i for i in range(len(self.spans)) if self._file(i).name not in there]

    def _file(self, number: int) -> Path:
        return self.path / f"{number:06d}.npz"

    def write(self, number: int, features: Features) -> None:
        """Write one file.

        Raises:
            UsageError: it cannot be written.
        """
        arrays: dict[str, Any] = {str(key): rows for key, rows in features.values.items()}
        try:
            with atomic_file(self._file(number)) as file:
                np.savez(file, **(arrays | {_NAMES: features.names, _SCORE: features.score}))
        except OSError as error:
            raise UsageError(
                f"expected to write features to {self._file(number)}, got {error.strerror}: make room, and run it again"
            ) from error

    def read(self, number: int, name: str) -> NDArray[Any]:
        """One array of a file, not to be changed; from memory where it was read before and the file is the same.

        Raises:
            UsageError: the file is damaged.
        """
        path = self._file(number)
        try:
            with open_plain(path) as file:
                stat = os.fstat(file.fileno())
                state = stat.st_ino, stat.st_size, stat.st_mtime_ns
                kept = self._kept.get((number, name))
                if kept is not None and kept[0] == state:
                    return kept[1]
                with np.load(file, allow_pickle=False) as arrays:
                    found: NDArray[Any] = arrays[name]
        except (
            Exception
        ) as error:  # zipfile, zlib and numpy raise a dozen types for content that is no archive of arrays
            raise UsageError(
                f"expected a file of features, cannot read {path} ({type(error).__name__}): remove it, and run the command "
                "that measured it again"
            ) from error
        found.flags.writeable = False
        if found.nbytes + sum(array.nbytes for _, array in self._kept.values()) <= KEPT:
            self._kept[number, name] = state, found
        return found

    def widths(self) -> dict[str, int]:
        """Columns of each feature, by name."""
        with open_plain(self._file(0)) as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name].shape[1] for name in arrays.files if name not in (_NAMES, _SCORE)}

    def names(self) -> list[str]:
        """Names of all frames."""
        return [str(name) for i in range(len(self.spans)) for name in self.read(i, _NAMES)]

    def rows(self) -> StoredFeatures:
        """Each feature of all frames, read when rows are asked for."""
        return {FeatureKey.parse(name): FolderRows([self], name, width) for name, width in self.widths().items()}

    def in_memory(self) -> Features:
        """The features of all frames, read."""
        numbers = range(len(self.spans))
        return Features(
            np.concatenate([self.read(i, _NAMES) for i in numbers]),
            np.concatenate([self.read(i, _SCORE) for i in numbers]),
            {key: rows[:] for key, rows in self.rows().items()},
        )


class FolderRows:
    """One feature of the frames of a folder, ``(N, D)`` float32, read from its files when rows are asked for.

    Args:
        folders: whose frames follow one another.
        name: of the feature.
        width: D.
    """

    def __init__(self, folders: Sequence[FeatureFolder], name: str, width: int) -> None:
        self.folders, self.name, self.width = tuple(folders), name, width
        files = [(folder, number, len(span)) for folder in folders for number, span in enumerate(folder.spans)]
        self._files = [(folder, number) for folder, number, _ in files]
        self._ends = np.cumsum([count for *_, count in files])

    @property
    def shape(self) -> tuple[int, int]:
        """N and D."""
        return int(self._ends[-1]), self.width

    dtype = np.dtype(np.float32)
    ndim = 2

    def __len__(self) -> int:
        """N."""
        return self.shape[0]

    def __getitem__(self, indices: Any) -> NDArray[np.float32]:
        """Rows by an array of indices or a slice; each file is read once."""
        if isinstance(indices, slice):
            indices = np.arange(*indices.indices(len(self)))
        rows = np.empty((len(indices), self.width), np.float32)
        files = np.searchsorted(self._ends, indices, side="right")
        for file in np.unique(files):
            folder, number = self._files[file]
            places = np.flatnonzero(files == file)
            first = self._ends[file - 1] if file else 0
            rows[places] = folder.read(number, self.name)[indices[places] - first]
        return rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows in memory."""
        return np.asarray(self[:], dtype)


def _read_contents(path: Path) -> FolderContents:
    try:
        return FolderContents(**parse_json(read_plain(path / HEADER, _LARGEST_HEADER)))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(
            f"expected a folder of features with {HEADER}, cannot read {path} ({type(error).__name__}): name one that "
            "--save-features wrote"
        ) from error
