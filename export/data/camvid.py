# SPDX-License-Identifier: Apache-2.0
"""CamVid (Brostow, Fauqueur and Cipolla 2009) in the 480x360, 12-label form of the SegNet tutorial."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from export.data.dataset import Augmentation, SegmentationDataset
from export.errors import UsageError
from export.frames.files import read_frame
from export.frames.labels import read_label

CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
VOID = 255
_SIZE = (360, 480)


class CamVid:
    """Frames and labels of one split, in the order of their names.

    Args:
        root: holds ``train``, ``trainannot``, ``val`` and ``valannot``.
        split: ``train`` or ``val``.
        exclude: prefixes of drives to leave out, such as ``("0001TP",)`` for the one at dusk.
        only: prefixes of the drives to keep; empty keeps all.

    Raises:
        UsageError: a folder, a label or every frame is missing, or a file has another size or unknown labels.
    """

    def __init__(self, root: str | Path, split: str, exclude: Sequence[str] = (), only: Sequence[str] = ()) -> None:
        frames, labels = Path(root) / split, Path(root) / f"{split}annot"
        for folder in (frames, labels):
            if not folder.is_dir():
                raise UsageError(
                    f"expected CamVid's folder {folder}, found none: pass the folder that holds train/ and val/"
                )
        self.paths = [
            path
            for path in sorted(frames.iterdir())
            if path.suffix in (".png", ".jpg")
            and not path.name.startswith(tuple(exclude))
            and (not only or path.name.startswith(tuple(only)))
        ]
        if not self.paths:
            raise UsageError(
                f"expected frames in {frames} with exclude={list(exclude)} and only={list(only)}, found none: "
                "check the prefixes"
            )
        self._labels = [labels / f"{path.stem}.png" for path in self.paths]
        missing = [path.name for path in self._labels if not path.is_file()]
        if missing:
            raise UsageError(
                f"expected a label for every frame in {labels}, {len(missing)} are missing, first {missing[0]}: "
                "complete the download"
            )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Frame ``(360, 480, 3)`` uint8 RGB and label ``(360, 480)`` uint8: 0 to 10, 255 for void."""
        frame, label = read_frame(self.paths[index]), read_label(self._labels[index]).copy()
        if frame.shape[:2] != _SIZE or label.shape != _SIZE:
            raise UsageError(
                f"expected {self.paths[index].name} and its label to be 480x360, "
                f"got {frame.shape[1]}x{frame.shape[0]} and label shape {label.shape}: use the SegNet tutorial's files"
            )
        if label.max() > len(CLASSES):
            raise UsageError(
                f"expected labels 0 to {len(CLASSES)} in {self._labels[index].name}, got {label.max()}: use its labels"
            )
        label[label == len(CLASSES)] = VOID
        return frame, label

    def class_weights(self) -> list[float]:
        """Weights of a class-balanced loss: ``1 / log(1.1 + share of the class)``, scaled to a mean of 1."""
        counts = np.zeros(256, np.int64)
        for i in range(len(self)):
            counts += np.bincount(self[i][1].ravel(), minlength=256)
        counts = counts[: len(CLASSES)]
        weights = 1 / np.log(1.1 + counts / counts.sum())
        return [float(weight) for weight in weights / weights.mean()]


class _InMemory:
    """Labelled frames, decoded once and kept in memory: 45 MB for 100 frames."""

    def __init__(self, source: CamVid) -> None:
        self._items = [source[i] for i in range(len(source))]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self._items[index]


class CamVidDataModule(pl.LightningDataModule):
    """CamVid for a Lightning Trainer: augmented ``train``, plain ``val``.

    Args:
        data_dir: folder that holds ``train``, ``trainannot``, ``val`` and ``valannot``.
        input_size: ``(height, width)`` of the network's input.
        crop: ``(height, width)`` of the training crops.
        batch_size: frames a batch.
        exclude: prefixes of drives to leave out of both splits.
        only: prefixes of the drives to keep; empty keeps all.
        mean: RGB mean in [0, 1].
        std: RGB standard deviation.
        seed: of the augmentation.
    """

    def __init__(
        self,
        data_dir: str | Path,
        input_size: tuple[int, int] = (240, 320),
        crop: tuple[int, int] = (192, 256),
        batch_size: int = 8,
        exclude: Sequence[str] = (),
        only: Sequence[str] = (),
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.train_frames = CamVid(data_dir, "train", exclude, only)
        self.val_frames = CamVid(data_dir, "val", exclude, only)
        self._train = SegmentationDataset(
            _InMemory(self.train_frames), input_size, mean, std, Augmentation(crop, void=VOID), seed
        )
        self._val = SegmentationDataset(_InMemory(self.val_frames), input_size, mean, std)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Training batches, shuffled and augmented, without a last short one."""
        return DataLoader(self._train, self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Validation batches in the order of the names."""
        return DataLoader(self._val, self.batch_size)
