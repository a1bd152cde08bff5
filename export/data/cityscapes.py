# SPDX-License-Identifier: Apache-2.0
"""Cityscapes (Cordts et al. 2016) in its official folder layout, with the loaders of the guide.

Where the guide's code does otherwise:

- It learns void as class 19, and its ``ignore_index=255`` never meets a pixel. Here void is 255 and ignored, unless
  ``void_as_class`` asks for 20 classes as in the guide's checkpoints.
- It resizes ids bilinearly, which puts ids of other classes on every boundary. Here the nearest neighbour's id is kept.
- It resizes clean frames with an antialiasing filter and degraded ones without, so that a detector can tell the two by
  their sharpness. Here both go through the same resizer.
- Its frames come in the order of the file system and its anomalies from an unseeded generator. Here names give the
  order, and seeds the anomalies.
- Its augmentation is one of crop, mirror, hue and brightness in half of the frames; here it is ``Augmentation``.
"""

from collections.abc import Sequence
from pathlib import Path

from export.data.anomalous import GUIDE_ANOMALIES
from export.data.data_module import AnomalyDataModule, LoaderOptions
from export.data.dataset import Augmentation
from export.data.labelled_files import LabelledFiles, check_target_type, files_by_name
from export.datasets.label_encoding import VOID, LabelEncoding
from export.datasets.label_tables import CITYSCAPES_CLASSES, cityscapes_ids
from export.errors import UsageError

CITYSCAPES_MEAN = (0.28689554, 0.32513303, 0.28389177)
CITYSCAPES_STD = (0.18696375, 0.19017339, 0.18720214)


class Cityscapes(LabelledFiles):
    """Frames and fine labels of one split, in the order of city and name.

    An item is the frame ``(H, W, 3)`` uint8 RGB and its label ``(H, W)`` uint8 in train ids: 0 to 18 as in
    ``CITYSCAPES_CLASSES``, and void. Labels of the ``test`` split are public as void alone.

    Args:
        root: holds ``leftImg8bit`` and ``gtFine``.
        split: ``train``, ``val`` or ``test``.
        target_type: ``semantic``, the one that a segmentation network learns.
        void_as_class: void is class 19, to be learned, instead of 255, to be ignored.

    Raises:
        UsageError: another split or target type, a folder, a frame or a label is missing.
    """

    def __init__(
        self, root: str | Path, split: str = "train", target_type: str = "semantic", void_as_class: bool = False
    ) -> None:
        if split not in ("train", "val", "test"):
            raise UsageError(f"expected a split from train, val, test, got {split!r}: choose one of them")
        check_target_type(target_type)
        self.split = split
        self.void = len(CITYSCAPES_CLASSES) if void_as_class else VOID
        super().__init__(
            files_by_name(Path(root) / "leftImg8bit" / split, "*/*_leftImg8bit.png", "_leftImg8bit.png"),
            files_by_name(Path(root) / "gtFine" / split, "*/*_gtFine_labelIds.png", "_gtFine_labelIds.png"),
            LabelEncoding(cityscapes_ids(self.void)),
        )


class CityscapesDataModule(AnomalyDataModule):
    """The guide's data module: clean loaders of three splits, loaders of anomalies for two.

    Args:
        data_dir: holds ``leftImg8bit`` and ``gtFine``.
        img_size: ``(height, width)`` of the network's input.
        num_workers: processes that read frames; 0 reads in the calling one. Batches do not depend on it.
        batch_size: frames a batch.
        seed: of the training order, the augmentation and the anomalies.
        target_type: ``semantic``.
        norm_mean: RGB mean in [0, 1]; Cityscapes' own, unless the network was trained with another.
        norm_std: RGB standard deviation; likewise.
        default_transforms: plain frames in every clean loader, also where ``default_img_mask_transforms`` is set.
        default_img_mask_transforms: augmented frames in ``train_dataloader``. It does not decide about anomalies,
            whatever the guide's comment says, in the guide's code neither.
        shuffle: another order of the training frames in every epoch; the guide's code shuffles every loader or none.
        pin_memory: batches in page-locked memory, for faster copies to a GPU.
        drop_last: drop the last batch where it is short, in every loader.
        void_as_class: void is class 19, as in the guide's checkpoints of 20 classes, instead of 255, to be ignored.
        anomalies: keys of ``ANOMALIES``; each frame of the loaders of anomalies gets one, with equal chance.
        anomaly_severity: 1, just visible, to 5, severe.

    Raises:
        UsageError: an argument out of its range; a folder, a frame or a label is missing.
    """

    def __init__(
        self,
        data_dir: str | Path,
        img_size: tuple[int, int] = (256, 512),
        num_workers: int = 0,
        batch_size: int = 32,
        seed: int = 42,
        *,
        target_type: str = "semantic",
        norm_mean: Sequence[float] = CITYSCAPES_MEAN,
        norm_std: Sequence[float] = CITYSCAPES_STD,
        default_transforms: bool = False,
        default_img_mask_transforms: bool = False,
        shuffle: bool = True,
        pin_memory: bool = False,
        drop_last: bool = False,
        void_as_class: bool = False,
        anomalies: Sequence[str] = GUIDE_ANOMALIES,
        anomaly_severity: int = 4,
    ) -> None:
        train, val, test = (
            Cityscapes(data_dir, split, target_type, void_as_class) for split in ("train", "val", "test")
        )
        augmented = default_img_mask_transforms and not default_transforms
        super().__init__(
            train,
            val,
            test,
            LoaderOptions(
                batch_size=batch_size,
                img_size=img_size,
                num_workers=num_workers,
                drop_last=drop_last,
                shuffle=shuffle,
                pin_memory=pin_memory,
                augmentation=Augmentation(img_size, void=train.void) if augmented else None,
                norm_mean=norm_mean,
                norm_std=norm_std,
                seed=seed,
            ),
            anomalies,
            anomaly_severity,
        )
        self.num_classes = len(CITYSCAPES_CLASSES) + void_as_class
