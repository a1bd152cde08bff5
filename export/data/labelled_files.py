# SPDX-License-Identifier: Apache-2.0
"""Pairs of a frame file and a label file, checked when they are listed and again when they are read."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from export.datasets.label_encoding import LabelEncoding
from export.errors import UsageError
from export.frames.files import read_frame
from lsood_runtime.offline import AS_STATED, PixelRules, natural_key

Bytes = NDArray[np.uint8]


class LabelledFiles(Dataset[tuple[Bytes, Bytes]]):
    """Frames and labels, paired by name and in the natural order of their names.

    Every label must have the size of its frame.

    Args:
        frames: frame files by a name that the two of a pair share.
        labels: label files by the same names: one byte a pixel.
        encoding: what the pixels of a label file stand for.
        one_size: every frame must have the size of the first one; False takes frames of any sizes.
        rules: what frame files do not say themselves, such as that grey ones are meant.

    Raises:
        UsageError: no frame at all, or a frame or a label that stands alone.
    """

    def __init__(
        self,
        frames: Mapping[str, Path],
        labels: Mapping[str, Path],
        encoding: LabelEncoding,
        one_size: bool = True,
        rules: PixelRules = AS_STATED,
    ) -> None:
        for have, want, have_word, want_word in (
            (frames, labels, "frame", "label"),
            (labels, frames, "label", "frame"),
        ):
            alone = sorted(have.keys() - want.keys())
            if alone:
                raise UsageError(
                    f"expected a {want_word} for every {have_word}, {len(alone)} of {len(have)} have none, "
                    f"first {have[alone[0]]}: add what is missing"
                )
        names = sorted(frames, key=natural_key)
        self.paths = [frames[name] for name in names]
        self.label_paths = [labels[name] for name in names]
        self._rules = rules
        self.shape = read_frame(self.paths[0], rules).shape
        self._one_size = one_size
        self._encoding = encoding

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Bytes, Bytes]:
        """Frame ``(H, W, 3)`` uint8 RGB and label ``(H, W)`` uint8, mapped to classes.

        Raises:
            UsageError: a file cannot be read, has another size, or holds an id that the data set does not have.
        """
        frame, label = read_frame(self.paths[index], self._rules), self.label(index)
        expected, like, rule = frame.shape, self.paths[index], "a label has the size of its frame"
        if self._one_size:
            expected, like, rule = self.shape, self.paths[0], "one data set holds frames of one size"
        for path, got in ((self.paths[index], frame.shape), (self.label_paths[index], label.shape)):
            if got[:2] != expected[:2]:
                raise UsageError(
                    f"expected {expected[0]} x {expected[1]} (height x width) as in {like.name}, "
                    f"got {got[0]} x {got[1]} in {path}: {rule}"
                )
        return frame, label

    def label(self, index: int) -> Bytes:
        """Read the label of frame ``index`` without its frame: ``(H, W)`` uint8, mapped to classes.

        Raises:
            UsageError: the file cannot be read, or holds an id that the data set does not have.
        """
        return self._encoding.read(self.label_paths[index])


def files_by_name(folder: Path, pattern: str, suffix: str) -> dict[str, Path]:
    """Files of ``folder`` that match ``pattern``, by their path below it without ``suffix``.

    Raises:
        UsageError: no such folder, or no such file.
    """
    if not folder.is_dir():
        raise UsageError(
            f"expected the folder {folder}, found none: pass the folder that the archives were unpacked in"
        )
    files = {path.relative_to(folder).as_posix().removesuffix(suffix): path for path in folder.glob(pattern)}
    if not files:
        raise UsageError(f"expected files {pattern} in {folder}, found none: unpack the archive there")
    return files


def check_target_type(target_type: str) -> None:
    """Refuse a guide's target type that no segmentation network learns.

    Raises:
        UsageError: anything but ``semantic``.
    """
    if target_type != "semantic":
        raise UsageError(
            f"expected target_type 'semantic', got {target_type!r}: a segmentation network learns no other"
        )
