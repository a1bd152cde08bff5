# SPDX-License-Identifier: Apache-2.0
"""Published data sets, opened by name, for training."""

from collections.abc import Collection, Sequence
from pathlib import Path

from export.data.labelled_drives import LabelledDrives
from export.data.labelled_folder import LabelledFolderDataModule
from export.datasets.find import find_frames, split_of
from export.datasets.layouts import layout_named
from export.errors import UsageError
from lsood_runtime.offline import AS_STATED, PixelRules


class PublishedFrames(LabelledDrives):
    """Frames and labels of a split of a published data set, in the order of their paths.

    An item is the frame ``(H, W, 3)`` uint8 RGB and its label ``(H, W)`` uint8: classes from 0 as in ``classes``, and
    255 for pixels to ignore. Of data sets of unknown objects the classes are 0, known, and 1, unknown.

    Args:
        name: of the data set, a key of ``LAYOUTS``.
        root: folder that its archives were unpacked in.
        split: name of the split; None for the usual one.
        parts: to keep, such as ``("fog",)``; empty keeps all.
        rules: what frame files do not say themselves.

    Attributes:
        layout: of the data set.
        classes: names, in the order of their numbers.
        drives: name of each frame's drive; the data set's name where it tells none.
        parts: of each frame; empty text where the data set has none.

    Raises:
        UsageError: no such data set, split or part; a split without labels; a folder, a frame or a label is missing.
    """

    def __init__(
        self,
        name: str,
        root: str | Path,
        split: str | None = None,
        parts: Collection[str] = (),
        rules: PixelRules = AS_STATED,
    ) -> None:
        self.layout = layout_named(name)
        if split_of(self.layout, split).labels is None:
            labelled = ", ".join(word for word, each in self.layout.splits.items() if each.labels is not None)
            raise UsageError(
                f"expected a split of {self.layout.title} with published labels, {labelled}; got {split!r}: choose one of "
                "them"
            )
        found = find_frames(self.layout, root, split, parts)
        names = [frame.path.relative_to(root).as_posix() for frame in found]
        super().__init__(
            dict(zip(names, [frame.path for frame in found], strict=True)),
            {name: frame.label for name, frame in zip(names, found, strict=True) if frame.label is not None},
            self.layout.encoding_of(frame.label for frame in found if frame.label is not None),
            len(self.layout.classes),
            self.layout.one_size,
            rules,
        )
        self.classes = self.layout.classes
        self.drives = tuple(frame.drive for frame in found)
        self.parts = tuple(frame.part for frame in found)

    def _keep(self, indices: Sequence[int]) -> None:
        super()._keep(indices)
        self.parts = tuple(self.parts[i] for i in indices)


def open_dataset(
    name: str, root: str | Path, split: str | None = None, parts: Collection[str] = (), rules: PixelRules = AS_STATED
) -> PublishedFrames:
    """Open a split of a published data set.

    Args:
        name: of the data set, a key of ``LAYOUTS``.
        root: folder that its archives were unpacked in.
        split: name of the split; None for the usual one.
        parts: to keep, such as ``("fog",)``; empty keeps all.
        rules: what frame files do not say themselves.

    Raises:
        UsageError: as :class:`PublishedFrames`.
    """
    return PublishedFrames(name, root, split, parts, rules)


class PublishedDataModule(LabelledFolderDataModule):
    """A published data set for a Lightning Trainer: shuffled and augmented training frames, plain validation frames.

    Args:
        name: of the data set, a key of ``LAYOUTS``.
        data_dir: folder that its archives were unpacked in.
        input_size: ``(height, width)`` of the network's input; every frame is resized to it.
        crop: ``(height, width)`` of the training crops.
        batch_size: frames a batch; a last short one is left out in training and kept in validation.
        train_split: name of the split to train on.
        val_split: name of the split to validate with.
        parts: to keep, such as ``("fog",)``; empty keeps all.
        mean: RGB mean in [0, 1].
        std: RGB standard deviation.
        seed: of the order and the augmentation.
        num_workers: processes that read frames; 0 reads in the calling one. Batches do not depend on it.

    Raises:
        UsageError: as :class:`PublishedFrames`, a value out of its range, or fewer training frames than a batch takes.
    """

    def __init__(
        self,
        name: str,
        data_dir: str | Path,
        input_size: tuple[int, int],
        crop: tuple[int, int],
        batch_size: int = 8,
        train_split: str = "train",
        val_split: str = "val",
        parts: Collection[str] = (),
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        train, val = (PublishedFrames(name, data_dir, split, parts) for split in (train_split, val_split))
        super().__init__(train, val, input_size, crop, batch_size, mean, std, seed, num_workers)
        self.num_classes = train.num_classes
