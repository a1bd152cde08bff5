# SPDX-License-Identifier: Apache-2.0
"""CamVid (Brostow, Fauqueur and Cipolla 2009) in the 480x360, 12-label form of the SegNet tutorial."""

from collections.abc import Sequence
from pathlib import Path

from export.data.labelled_folder import LabelledFolder, LabelledFolderDataModule
from export.datasets.label_tables import CAMVID_CLASSES
from export.errors import UsageError

CLASSES = CAMVID_CLASSES


class CamVid(LabelledFolder):
    """Frames and labels of one split, in the order of their names; void is 255.

    Args:
        root: holds ``train``, ``trainannot``, ``val`` and ``valannot``.
        split: ``train`` or ``val``.
        exclude: prefixes of drives to leave out, such as ``("0001TP",)`` for the one at dusk.
        only: prefixes of the drives to keep; empty keeps all.

    Raises:
        UsageError: a folder, a label or every frame is missing.
    """

    def __init__(self, root: str | Path, split: str, exclude: Sequence[str] = (), only: Sequence[str] = ()) -> None:
        frames, labels = Path(root) / split, Path(root) / f"{split}annot"
        for folder in (frames, labels):
            if not folder.is_dir():
                raise UsageError(
                    f"expected CamVid's folder {folder}, found none: pass the folder that holds train/ and val/"
                )
        super().__init__(frames, labels, len(CLASSES), ignore_label=len(CLASSES), group_by="prefix")
        kept = [
            index
            for index, path in enumerate(self.paths)
            if not path.name.startswith(tuple(exclude)) and (not only or path.name.startswith(tuple(only)))
        ]
        if not kept:
            raise UsageError(
                f"expected frames in {frames} with exclude={list(exclude)} and only={list(only)}, found none: "
                "check the prefixes"
            )
        self._keep(kept)


class CamVidDataModule(LabelledFolderDataModule):
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
        seed: of the order and the augmentation.
        num_workers: processes that read frames; 0 reads in the calling one. Batches do not depend on it.
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
        num_workers: int = 0,
    ) -> None:
        train, val = (CamVid(data_dir, split, exclude, only) for split in ("train", "val"))
        super().__init__(train, val, input_size, crop, batch_size, mean, std, seed, num_workers)
