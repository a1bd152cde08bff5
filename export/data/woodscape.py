# SPDX-License-Identifier: Apache-2.0
"""WoodScape (Yogamani et al. 2019), fisheye frames of four cameras.

Where the guide's code does otherwise:

- It pairs the i-th frame with the i-th label; here names pair them.
- Its augmentation cannot run: the transform of frame and label is called with the frame alone. Here it is
  ``Augmentation``, padded with void.
- Labels, resizing and anomalies differ as told in ``export.data.cityscapes``.

The split is the one of the guide's code for the same seed. A network must be judged on the split that it was trained
with: the released script trains with seed 100 and the released notebooks judge with 9290, on frames most of which
the network has seen.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Subset

from export.data.anomalous import GUIDE_ANOMALIES
from export.data.data_module import AnomalyDataModule, LoaderOptions
from export.data.dataset import Augmentation
from export.data.labelled_files import LabelledFiles, check_target_type, files_by_name
from export.datasets.label_tables import WOODSCAPE_CLASSES, WOODSCAPE_IDS
from export.errors import UsageError

WOODSCAPE_MEAN = (0.32757252, 0.33050337, 0.33689716)
WOODSCAPE_STD = (0.20290555, 0.20525302, 0.2037721)
_VOID = 0


class WoodScapeDataset(LabelledFiles):
    """Every labelled frame, in the order of the names.

    An item is the frame ``(H, W, 3)`` uint8 RGB and its label ``(H, W)`` uint8: 0 to 9 as in ``WOODSCAPE_CLASSES``;
    void is class 0 and learned.

    Args:
        dataset_dir: holds ``rgb_images`` and ``semantic_annotations/gtLabels``.

    Raises:
        UsageError: a folder, a frame or a label is missing.
    """

    def __init__(self, dataset_dir: str | Path) -> None:
        root = Path(dataset_dir)
        super().__init__(
            files_by_name(root / "rgb_images", "*.png", ".png"),
            files_by_name(root / "semantic_annotations" / "gtLabels", "*.png", ".png"),
            WOODSCAPE_IDS,
        )


def split_indices(count: int, valid_size: float, test_size: float, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Split ``range(count)`` as the guide's code does, each part in ascending order.

    Args:
        count: number of frames.
        valid_size: share of what the test set leaves, rounded down.
        test_size: share of all, rounded down.
        seed: of the shuffling.

    Returns:
        Indices for training, validation and test.

    Raises:
        UsageError: a share outside [0, 1), or one above zero that gives no frame.
    """
    shuffled = list(range(count))
    random.Random(seed).shuffle(shuffled)
    parts = []
    for name, share in (("test_size", test_size), ("valid_size", valid_size)):
        if not 0 <= share < 1:
            raise UsageError(f"expected {name} in [0, 1), got {share}: pass a share of the frames")
        taken = int(share * len(shuffled))
        if share and not taken:
            raise UsageError(
                f"expected at least one frame from {name}={share} of {len(shuffled)} frames, got none: raise the share"
            )
        parts.append(sorted(shuffled[:taken]))
        shuffled = shuffled[taken:]
    test, valid = parts
    return sorted(shuffled), valid, test


class WoodScapeDataModule(AnomalyDataModule):
    """Clean loaders of three parts of WoodScape, loaders of anomalies for two.

    Args:
        dataset_dir: holds ``rgb_images`` and ``semantic_annotations/gtLabels``.
        target_type: ``semantic``.
        num_workers: processes that read frames; 0 reads in the calling one. Batches do not depend on it.
        batch_size: frames a batch.
        valid_size: share of what the test part leaves.
        test_size: share of all frames.
        seed: of the split, the training order, the augmentation and the anomalies.
        img_size: ``(height, width)`` of the network's input.
        shuffle: another order of the training frames in every epoch.
        pin_memory: batches in page-locked memory, for faster copies to a GPU.
        drop_last: drop the last batch where it is short, in every loader.
        default_transforms: plain frames in every clean loader, also where ``default_img_mask_transforms`` is set.
        default_img_mask_transforms: augmented frames in ``train_dataloader``.
        norm_mean: RGB mean in [0, 1]; WoodScape's, unless the network was trained with another: the guide's DeepLabV3+
            was trained with ImageNet's, 0.485, 0.456, 0.406.
        norm_std: RGB standard deviation; likewise, ImageNet's is 0.229, 0.224, 0.225.
        anomalies: keys of ``ANOMALIES``; each frame of the loaders of anomalies gets one, with equal chance.
        anomaly_severity: 1, just visible, to 5, severe.

    Raises:
        UsageError: an argument out of its range; a folder, a frame or a label is missing.
    """

    num_classes = len(WOODSCAPE_CLASSES)

    def __init__(
        self,
        dataset_dir: str | Path,
        target_type: str = "semantic",
        num_workers: int = 0,
        batch_size: int = 32,
        valid_size: float = 0.2,
        test_size: float = 0.1,
        seed: int = 10,
        img_size: tuple[int, int] = (483, 640),
        *,
        shuffle: bool = True,
        pin_memory: bool = False,
        drop_last: bool = False,
        default_transforms: bool = False,
        default_img_mask_transforms: bool = False,
        norm_mean: Sequence[float] = WOODSCAPE_MEAN,
        norm_std: Sequence[float] = WOODSCAPE_STD,
        anomalies: Sequence[str] = GUIDE_ANOMALIES,
        anomaly_severity: int = 4,
    ) -> None:
        check_target_type(target_type)
        frames = WoodScapeDataset(dataset_dir)
        train, val, test = split_indices(len(frames), valid_size, test_size, seed)
        augmented = default_img_mask_transforms and not default_transforms
        super().__init__(
            Subset(frames, train),
            Subset(frames, val),
            Subset(frames, test),
            LoaderOptions(
                batch_size=batch_size,
                img_size=img_size,
                num_workers=num_workers,
                drop_last=drop_last,
                shuffle=shuffle,
                pin_memory=pin_memory,
                augmentation=Augmentation(img_size, void=_VOID) if augmented else None,
                norm_mean=norm_mean,
                norm_std=norm_std,
                seed=seed,
            ),
            anomalies,
            anomaly_severity,
        )
