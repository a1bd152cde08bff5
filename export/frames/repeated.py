# SPDX-License-Identifier: Apache-2.0
"""Refuse frames that come more than once, and find those that show nearly the same picture as the frame before them.

A frame that comes twice is counted twice in every rate and interval, and says nothing that it has not said before.
"""

import hashlib
import os
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from export.destination import real_path
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.reporter import Reporter

_SIDE = 16
_STILL = 0.5
_COPY = 1.25
"""Grey levels, root mean square over the squares, below which two frames show one picture: JPEG copies down to quality 20.

Different frames of IDD-lite, of every drive, are at least 1.7 apart, those of CamVid, at up to 15 a second, 2.0.
"""

_SOON = 60
"""Frames of a drive that follow one another within so many may be a slow car's, so that less than _STILL tells copies."""

_SHOWN = 3
_READ_AT_A_TIME = 64


@dataclass(frozen=True, eq=False)
class SeenFrames:
    """What was seen of each frame of a set.

    Attributes:
        paths: ``(N,)``.
        digests: ``(N,)`` of size and pixels; equal for equal pixels, however a file holds them.
        grey: ``(N, 256)`` float32, mean grey values of 16 x 16 squares, 0 to 255.
    """

    paths: tuple[Path, ...]
    digests: tuple[bytes, ...]
    grey: NDArray[np.float32]


def read_each_once(files: FrameFiles, reporter: Reporter) -> SeenFrames:
    """Read all frames of a set, and refuse one that is there twice: by its path, as a link, or by its pixels.

    Args:
        files: the frames.
        reporter: told how many are read.

    Raises:
        UsageError: a frame that is there twice, of another size than the first, or that cannot be read.
    """
    if not files.in_memory:
        check_each_file_once(files.paths)
    seen = list(reporter.progress(_see_all(files), "looking for frames that come twice", len(files)))
    frames = SeenFrames(tuple(files.paths), tuple(digest for digest, _ in seen), np.array([grey for _, grey in seen]))
    _refuse_repeats(frames.digests, frames.paths, "has the pixels of")
    return frames


def check_each_file_once(paths: Sequence[Path]) -> None:
    """Refuse a file that is named twice, by its own path or through links.

    Raises:
        UsageError: it names the first of them, and their number.
    """
    resolved = [real_path(path) for path in paths]
    found = [path.stat() for path in resolved]
    _refuse_repeats(resolved, paths, "is")
    nodes = [(each.st_dev, each.st_ino) for each in found]
    _refuse_repeats(nodes, paths, "is a link to the file of")


def check_sets_apart(first: SeenFrames, second: SeenFrames, names: tuple[str, str]) -> None:
    """Refuse a frame that is in both of two sets, by its pixels.

    Raises:
        UsageError: it names the first of them, and their number.
    """
    known = dict(zip(first.digests, first.paths, strict=True))
    both = [(path, known[digest]) for path, digest in zip(second.paths, second.digests, strict=True) if digest in known]
    if both:
        shown = ", ".join(f"{path.name} has the pixels of {other.name}" for path, other in both[:_SHOWN])
        raise UsageError(
            f"expected other frames as {names[1]} than {names[0]}, got {len(both)} of {len(second.paths)} that are in both: "
            f"{shown}; take them out of one"
        )


def still_frames(grey: NDArray[np.float32], drives: Sequence[str]) -> NDArray[np.bool_]:
    """Mark frames that show nearly the same picture as an earlier one of their drive, with no other between: a parked camera.

    A frame is still where its squares differ from those of the last frame that was not by less than half a grey level, root
    mean square: the noise of a sensor averages out in a square, and slow motion adds up.

    Args:
        grey: ``(N, 256)`` of :class:`SeenFrames`, in the order of recording within each drive.
        drives: ``(N,)`` names.
    """
    still = np.zeros(len(grey), bool)
    last: dict[str, int] = {}
    for i, drive in enumerate(drives):
        before = last.get(drive)
        still[i] = before is not None and np.sqrt(np.mean((grey[i] - grey[before]) ** 2)) < _STILL
        if not still[i]:
            last[drive] = i
    return still


def copies(grey: NDArray[np.float32], still: NDArray[np.bool_], drives: Sequence[str]) -> NDArray[np.int64]:
    """For each frame the first one that shows nearly the same picture, wherever it stands; -1 where none does.

    Such are copies in another format, quality or size. Frames that are still are left out: they count as another one already.

    Args:
        grey: ``(N, 256)`` of :class:`SeenFrames`, in the order of recording within each drive.
        still: ``(N,)`` of :func:`still_frames`.
        drives: ``(N,)`` names.
    """
    first = np.full(len(grey), -1)
    moving = np.flatnonzero(~still)
    squares = grey[moving].astype(np.float64)
    of_drive = np.unique(np.asarray(drives, dtype=object).astype(str), return_inverse=True)[1]
    pairs = cKDTree(_coarse(squares)).query_pairs(_COPY * 4, output_type="ndarray") if len(moving) else _NO_PAIRS
    for block in np.array_split(pairs, max(1, len(pairs) // 10_000)):
        apart = np.sqrt(((squares[block[:, 0]] - squares[block[:, 1]]) ** 2).mean(axis=1))
        frames = np.sort(moving[block], axis=1)
        soon = (of_drive[frames[:, 0]] == of_drive[frames[:, 1]]) & (frames[:, 1] - frames[:, 0] <= _SOON)
        for a, b in frames[apart < np.where(soon, _STILL, _COPY)]:
            if first[b] < 0 or a < first[b]:
                first[b] = a
    return first


def copies_of(known: NDArray[np.float32], grey: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each frame of a set the nearest one of another set, where both show nearly the same picture; -1 elsewhere.

    Args:
        known: ``(M, 256)`` of :class:`SeenFrames`, of the other set.
        grey: ``(N, 256)`` of the set.
    """
    tree = cKDTree(known.astype(np.float64))
    apart, nearest = tree.query(grey.astype(np.float64), distance_upper_bound=_COPY * _SIDE)
    return np.where(np.isfinite(apart), nearest, -1)


def copies_warning(first: NDArray[np.int64], paths: Sequence[Path], harm: str) -> str | None:
    """Warn of frames that show nearly the same picture as another one, in words; None where none does.

    Args:
        first: of :func:`copies`.
        paths: of the frames.
        harm: what copies do, behind "if they are copies,".
    """
    again = np.flatnonzero(first >= 0)
    if not len(again):
        return None
    copy, original = paths[again[0]], paths[first[again[0]]]
    return (
        f"{len(again)} of {len(paths)} frames show nearly the same picture as a frame elsewhere in the set, such as "
        f"{copy} as {original}: if they are copies, {harm}; take them out"
    )


def shared_warning(first: SeenFrames, second: SeenFrames, names: tuple[str, str]) -> str | None:
    """Warn of frames of a set that show nearly the same picture as one of another set, in words; None where none does."""
    nearest = copies_of(first.grey, second.grey)
    again = np.flatnonzero(nearest >= 0)
    if not len(again):
        return None
    copy, original = second.paths[again[0]], first.paths[nearest[again[0]]]
    return (
        f"{len(again)} of {len(second.paths)} frames of {names[1]} show nearly the same picture as one of {names[0]}, such "
        f"as {copy} as {original}: if they are copies, the sets cannot be told apart by them; take them out of one"
    )


def still_warning(still: NDArray[np.bool_]) -> str | None:
    """Warn where frames are still, in words; None where none is."""
    if not still.any():
        return None
    return (
        f"{still.sum()} of {len(still)} frames show nearly the same picture as the frame before them, as from a parked car: "
        "they count as that one frame"
    )


_NO_PAIRS = np.empty((0, 2), int)


def _coarse(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, 16)``: means over 4 x 4 squares lie no further apart, root mean square, than the squares themselves."""
    means: NDArray[np.float64] = squares.reshape(-1, 4, 4, 4, 4).mean(axis=(2, 4)).reshape(len(squares), 16)
    return means


def _see(frame: NDArray[np.uint8]) -> tuple[bytes, NDArray[np.float32]]:
    digest = hashlib.blake2b(f"{frame.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(frame).data)
    small = cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return digest.digest(), small.mean(axis=2, dtype=np.float32).ravel()


def _see_all(files: FrameFiles) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
    """By several threads: most of the time goes into decoding, which runs beside other threads."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(files), _READ_AT_A_TIME):
            indices = range(start, min(start + _READ_AT_A_TIME, len(files)))
            yield from pool.map(lambda i: _see(files[i]), indices)


def _refuse_repeats(keys: Sequence[Hashable], paths: Sequence[Path], relation: str) -> None:
    first: dict[Hashable, Path] = {}
    again: list[tuple[Path, Path]] = []
    for key, path in zip(keys, paths, strict=True):
        if key in first:
            again.append((path, first[key]))
        first.setdefault(key, path)
    if not again:
        return
    shown = ", ".join(f"{path} {relation} {other}" for path, other in again[:_SHOWN])
    raise UsageError(
        f"expected each frame once, got {len(again)} of {len(paths)} again: {shown}; drop all but one of each"
    )
