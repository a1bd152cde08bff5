# SPDX-License-Identifier: Apache-2.0
"""A folder of frames and a folder of label images, of any sizes and any number of classes."""

from collections.abc import Collection, Sequence
from pathlib import Path

from export.data.data_module import Loader, LoaderOptions, SegmentationDataModule, TrainingOrder
from export.data.dataset import Augmentation
from export.data.labelled_drives import LabelledDrives
from export.datasets.label_encoding import VOID, LabelEncoding
from export.errors import UsageError
from export.frames.drives import drive_names
from lsood_runtime.offline import AS_STATED, IMAGE_SUFFIXES, PixelRules, visible


class LabelledFolder(LabelledDrives):
    """Frames of a folder and their labels of another, paired by their path below it without the suffix.

    An item is the frame ``(H, W, 3)`` uint8 RGB and its label ``(H, W)`` uint8: classes from 0, and ``VOID``. Frames
    may differ in size; a label has the size of its frame.

    Args:
        frames: folder of images, in sub-folders or not.
        labels: folder of PNG files with one id a pixel: ``a/1.png`` is the label of the frame ``a/1.jpg``.
        num_classes: number of classes, 1 to 255. Their ids are the lowest that are not ignored: 0 to 6 for seven classes
            and ``ignore_label`` 255, 1 to 7 for seven classes and ``ignore_label`` 0.
        ignore_label: id of the pixels that belong to no class, 0 to 255.
        group_by: rule that tells drives apart, see :func:`export.frames.drives.drive_names`.
        drives: names of the drives to keep; None keeps all.
        rules: what frame files do not say themselves, such as that grey ones are meant.

    Attributes:
        drives: name of each frame's drive.

    Raises:
        UsageError: a folder, a label, a frame or a drive is missing, or a number is out of its range.
    """

    def __init__(
        self,
        frames: str | Path,
        labels: str | Path,
        num_classes: int,
        ignore_label: int = 255,
        group_by: str = "none",
        drives: Collection[str] | None = None,
        rules: PixelRules = AS_STATED,
    ) -> None:
        if not (1 <= num_classes <= VOID and 0 <= ignore_label <= 255):
            raise UsageError(
                f"expected 1 to {VOID} classes and a label from 0 to 255 to ignore, got {num_classes} and {ignore_label}: "
                "a label file holds one byte a pixel"
            )
        ids = [label_id for label_id in range(num_classes + 1) if label_id != ignore_label][:num_classes]
        classes = {label_id: index for index, label_id in enumerate(ids)} | {ignore_label: VOID}
        super().__init__(
            _files_by_stem(Path(frames), IMAGE_SUFFIXES),
            _files_by_stem(Path(labels), (".png",)),
            LabelEncoding(classes),
            num_classes,
            one_size=False,
            rules=rules,
        )
        self.drives = drive_names(self.paths, group_by)
        if drives is not None:
            unknown = sorted(set(drives) - set(self.drives))
            if unknown:
                raise UsageError(
                    f"expected drives of the frames in {frames}, {len(unknown)} of {len(set(drives))} have no frame, "
                    f"first {unknown[0]}: check the names and the rule that tells drives apart"
                )
            self._keep([index for index, drive in enumerate(self.drives) if drive in drives])


class LabelledFolderDataModule(SegmentationDataModule):
    """Labelled folders for a Lightning Trainer: shuffled and augmented training frames, plain validation frames.

    Args:
        train: frames to train on.
        val: frames to validate with.
        input_size: ``(height, width)`` of the network's input; every frame is resized to it.
        crop: ``(height, width)`` of the training crops.
        batch_size: frames a batch; a last short one is left out in training and kept in validation.
        mean: RGB mean in [0, 1].
        std: RGB standard deviation.
        seed: of the order and the augmentation.
        num_workers: processes that read frames; 0 reads in the calling one. Batches do not depend on it.

    Raises:
        UsageError: a value out of its range, or fewer training frames than a batch takes.
    """

    train_frames: LabelledDrives
    val_frames: LabelledDrives

    def __init__(
        self,
        train: LabelledDrives,
        val: LabelledDrives,
        input_size: tuple[int, int],
        crop: tuple[int, int],
        batch_size: int = 8,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        if min(crop) < 1:
            raise UsageError(f"expected a crop as (height, width) in pixels, got {crop}: pass sizes of 1 or more")
        options = LoaderOptions(
            batch_size=batch_size,
            img_size=input_size,
            num_workers=num_workers,
            drop_last=False,
            shuffle=True,
            pin_memory=False,
            augmentation=Augmentation(crop, void=VOID),
            norm_mean=mean,
            norm_std=std,
            seed=seed,
        )
        super().__init__(train, val, None, options)
        if len(train) < batch_size:
            raise UsageError(
                f"expected at least {batch_size} training frames, one batch, got {len(train)}: lower the batch size"
            )

    def train_dataloader(self) -> Loader:
        """Training batches, shuffled and augmented, without a last short one."""
        order = TrainingOrder(len(self.train_frames), self.options.shuffle, self.options.seed)
        return self._loader(self.train_frames, self.options.augmentation, order, drop_last=True)


def _files_by_stem(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Files below ``folder`` with one of the suffixes, hidden ones left out, by their path below it without the suffix."""
    if not folder.is_dir():
        raise UsageError(f"expected a folder of {', '.join(suffixes)} files, found no folder {folder}: check the path")
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in suffixes or not path.is_file() or not visible(path):
            continue
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in files:
            raise UsageError(
                f"expected one file for each name in {folder}, got {files[stem].name} and {path.name}: drop one"
            )
        files[stem] = path
    if not files:
        raise UsageError(f"expected {', '.join(suffixes)} files in {folder}, found none: check the folder")
    return files
