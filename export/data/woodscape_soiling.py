# SPDX-License-Identifier: Apache-2.0
"""WoodScape's frames of soiled lenses (Yogamani et al. 2019): natural anomalies of the same four cameras.

The guide's later code normalises them by the statistics of WoodScape whatever the network was trained with, so that a
detector can tell them by their scale. Here the network's statistics are to be passed, and there is no default.
"""

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Subset

from export.data.data_module import LoaderOptions, SegmentationDataModule
from export.data.labelled_files import LabelledFiles, files_by_name
from export.data.woodscape import split_indices
from export.datasets.label_encoding import LabelEncoding

SOILING_CLASSES = ("clear", "transparent", "semi-transparent", "opaque")


class WoodScapeSoilingDataset(LabelledFiles):
    """Frames of soiled lenses, in the order of the names.

    An item is the frame ``(H, W, 3)`` uint8 RGB and its label ``(H, W)`` uint8: 0 to 3 as in ``SOILING_CLASSES``.

    Args:
        dataset_dir: holds ``train`` and ``test``, each with ``rgbImages`` and ``gtLabels``.
        train: the training folder, or the test folder.

    Raises:
        UsageError: a folder, a frame or a label is missing.
    """

    def __init__(self, dataset_dir: str | Path, train: bool = True) -> None:
        root = Path(dataset_dir) / ("train" if train else "test")
        super().__init__(
            files_by_name(root / "rgbImages", "*.png", ".png"),
            files_by_name(root / "gtLabels", "*.png", ".png"),
            LabelEncoding({label_id: label_id for label_id in range(len(SOILING_CLASSES))}),
        )


class WoodScapeSoilingDataModule(SegmentationDataModule):
    """Loaders of soiled frames, the natural anomalies of WoodScape; their labels are kinds of soil, not of things.

    Args:
        dataset_dir: holds ``train`` and ``test``, each with ``rgbImages`` and ``gtLabels``.
        norm_mean: RGB mean in [0, 1] that the network was trained with; there is no default.
        norm_std: RGB standard deviation that the network was trained with; there is no default.
        num_workers: processes that read frames; 0 reads in the calling one. Batches do not depend on it.
        batch_size: frames a batch.
        valid_size: share of the ``train`` folder that ``val_dataloader`` gives.
        seed: of the split and the training order.
        img_size: ``(height, width)`` of the network's input.
        shuffle: another order of the training frames in every epoch.
        pin_memory: batches in page-locked memory, for faster copies to a GPU.
        drop_last: drop the last batch where it is short, in every loader.

    Raises:
        UsageError: an argument out of its range; a folder, a frame or a label is missing.
    """

    test_frames: WoodScapeSoilingDataset
    num_classes = len(SOILING_CLASSES)

    def __init__(
        self,
        dataset_dir: str | Path,
        norm_mean: Sequence[float],
        norm_std: Sequence[float],
        num_workers: int = 0,
        batch_size: int = 32,
        valid_size: float = 0.2,
        seed: int = 10,
        img_size: tuple[int, int] = (483, 640),
        *,
        shuffle: bool = True,
        pin_memory: bool = False,
        drop_last: bool = False,
    ) -> None:
        frames = WoodScapeSoilingDataset(dataset_dir)
        train, val, _ = split_indices(len(frames), valid_size, 0, seed)
        super().__init__(
            Subset(frames, train),
            Subset(frames, val),
            WoodScapeSoilingDataset(dataset_dir, train=False),
            LoaderOptions(
                batch_size=batch_size,
                img_size=img_size,
                num_workers=num_workers,
                drop_last=drop_last,
                shuffle=shuffle,
                pin_memory=pin_memory,
                augmentation=None,
                norm_mean=norm_mean,
                norm_std=norm_std,
                seed=seed,
            ),
        )
