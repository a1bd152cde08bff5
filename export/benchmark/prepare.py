# SPDX-License-Identifier: Apache-2.0
"""Lay out frames, labels and masks of data sets as an evaluation takes them: one size, one name each, numbers of classes."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from export.benchmark.options import Resizing, SplitChoice
from export.datasets.find import FoundFrame, find_frames
from export.datasets.label_encoding import LabelEncoding
from export.errors import UsageError
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import read_frame
from export.reporter import Reporter
from lsood_runtime import MediaError
from lsood_runtime.offline import image_size


@dataclass(frozen=True)
class PreparedSet:
    """Frames of one set.

    Attributes:
        name: of the set, as figures name it.
        choice: the split that they come from.
        folder: of the frames.
        frames: how many there are.
        drives: how many.
        resized: how many of the frames had another size.
    """

    name: str
    choice: SplitChoice
    folder: Path
    frames: int
    drives: int
    resized: int


@dataclass(eq=False)
class FrameFolders:
    """Folders that an evaluation reads, filled set by set.

    Frames of the camera's size are links to the data set's own files; others are written as PNG files.

    Attributes:
        folder: that holds all of them.
        height: of the camera's frames.
        width: of the camera's frames.
        resize: how frames of another size become those of the camera; None refuses them.
        most: frames of a set.
        drives: of each frame, by the name of its file here.
    """

    folder: Path
    height: int
    width: int
    resize: Resizing | None
    most: int | None
    drives: dict[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> Path:
        """Folder of the labels."""
        return self.folder / "labels"

    @property
    def masks(self) -> Path:
        """Folder of the masks."""
        return self.folder / "masks"

    def add(
        self,
        choice: SplitChoice,
        root: Path,
        truth: Path | None,
        reporter: Reporter,
        *,
        by_part: bool,
    ) -> list[PreparedSet]:
        """Add the frames of a split, all of them or, where one cannot be used, none.

        Args:
            choice: the split.
            root: folder of the data set.
            truth: folder that its labels or masks go to; None leaves them out.
            reporter: told how far it has come.
            by_part: the parts of the data set are sets of their own.

        Raises:
            UsageError: as for :func:`find_frames`; frames of another size where none are resized; a label that cannot be
                used.
        """
        found = find_frames(choice.layout, root, choice.split)
        parts: dict[str, list[FoundFrame]] = {}
        for frame in found:
            parts.setdefault(frame.part if by_part else "", []).append(frame)
        chosen = {part: self._thinned(frames) for part, frames in parts.items()}
        sizes = {frame.path: _size(frame.path) for frames in chosen.values() for frame in frames}
        self._check_sizes(sizes, choice)
        written: list[Path] = []
        try:
            return [
                self._add_set(f"{choice} {part}".strip(), choice, root, frames, truth, sizes, reporter, written)
                for part, frames in chosen.items()
            ]
        except UsageError:
            for path in written:
                path.unlink(missing_ok=True)
                self.drives.pop(path.name, None)
            for folder in {path.parent for path in written}:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
            raise

    def write_drives(self) -> Path:
        """Write the table of drives, and give its path."""
        path = self.folder / "drives.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("frame", "drive"), *self.drives.items()])
        return path

    def _thinned(self, frames: list[FoundFrame]) -> list[FoundFrame]:
        if self.most is None:
            return frames
        return [frames[i] for i in evenly_spaced(np.arange(len(frames)), self.most)]

    def _check_sizes(self, sizes: dict[Path, tuple[int, int]], choice: SplitChoice) -> None:
        other = {path: size for path, size in sizes.items() if size != (self.height, self.width)}
        if other and self.resize is None:
            (rows, columns), count = Counter(other.values()).most_common(1)[0]
            raise UsageError(
                f"expected frames of the camera's {self.height} x {self.width} (height x width), {count} of {len(sizes)} of "
                f"{choice.layout.title} have {rows} x {columns}: say how to resize them, by --resize stretch or crop"
            )

    def _add_set(
        self,
        name: str,
        choice: SplitChoice,
        root: Path,
        frames: Sequence[FoundFrame],
        truth: Path | None,
        sizes: dict[Path, tuple[int, int]],
        reporter: Reporter,
        written: list[Path],
    ) -> PreparedSet:
        folder = self.folder / "frames" / name.replace(":", "_").replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        drives: set[str] = set()
        resized = 0
        labels = [] if truth is None else [frame.label for frame in frames if frame.label is not None]
        encoding = choice.layout.encoding_of(labels)
        for frame in reporter.progress(frames, f"preparing {name}", len(frames)):
            stem = "__".join((choice.layout.name, *frame.path.relative_to(root).with_suffix("").parts))
            same = sizes[frame.path] == (self.height, self.width)
            target = folder / f"{stem}{frame.path.suffix if same else '.png'}"
            written.append(target)
            if same:
                target.symlink_to(frame.path.resolve())
            else:
                self._fitted(read_frame(frame.path), Image.Resampling.BILINEAR).save(target, compress_level=1)
                resized += 1
            if truth is not None and frame.label is not None:
                written.append(truth / f"{stem}.png")
                self._write_truth(frame, frame.label, encoding, sizes[frame.path], written[-1])
            drive = f"{choice.layout.name} {frame.drive}"
            self.drives[target.name] = drive
            drives.add(drive)
        return PreparedSet(name, choice, folder, len(frames), len(drives), resized)

    def _write_truth(
        self, frame: FoundFrame, label: Path, encoding: LabelEncoding, size: tuple[int, int], target: Path
    ) -> None:
        classes = encoding.read(label)
        if classes.shape != size:
            raise UsageError(
                f"expected {size[0]} x {size[1]} (height x width) as in {frame.path}, got {classes.shape[0]} x "
                f"{classes.shape[1]} in {label}: a label has the size of its frame"
            )
        target.parent.mkdir(exist_ok=True)
        self._fitted(classes, Image.Resampling.NEAREST).save(target, compress_level=1)

    def _fitted(self, pixels: NDArray[np.uint8], method: Image.Resampling) -> Image.Image:
        image, size = Image.fromarray(pixels), (self.width, self.height)
        return ImageOps.fit(image, size, method) if self.resize == "crop" else image.resize(size, method)


def _size(path: Path) -> tuple[int, int]:
    try:
        return image_size(path)
    except MediaError as error:
        raise UsageError(str(error)) from error
