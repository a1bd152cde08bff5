# SPDX-License-Identifier: Apache-2.0
"""The loaders that the guide's data modules have in common: three of clean frames, two of degraded ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytorch_lightning as pl
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from export.data.anomalous import AnomalousFrames
from export.data.dataset import Augmentation, LabelledFrames, SegmentationDataset
from export.errors import UsageError

Loader = DataLoader[tuple[Tensor, Tensor]]


class TrainingOrder(Sampler[tuple[int, int]]):
    """Sampler of every index once a pass, with the number of the pass, which sets the order and the augmentation.

    The pass travels with the index because the copies of a data set in worker processes cannot count passes:
    they are made anew for each.

    Args:
        count: number of frames.
        shuffle: another order in every pass; False keeps the order of the frames.
        seed: of the order.
    """

    def __init__(self, count: int, shuffle: bool, seed: int) -> None:
        self.count, self.shuffle, self.seed = count, shuffle, seed
        self._passes = 0

    def __len__(self) -> int:
        return self.count

    def set_epoch(self, epoch: int) -> None:
        """Go on with pass ``epoch``; a Trainer calls this, so that a resumed training repeats no pass."""
        self._passes = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Start the next pass."""
        draw, self._passes = self._passes, self._passes + 1
        order = np.random.default_rng((self.seed, draw)).permutation(self.count) if self.shuffle else range(self.count)
        return ((int(index), draw) for index in order)


@dataclass(frozen=True)
class LoaderOptions:
    """Options for making batches of frames.

    Attributes:
        batch_size: frames a batch.
        img_size: ``(height, width)`` of the network's input.
        num_workers: processes that read frames; 0 reads in the calling one.
        drop_last: drop the last batch where it is short, in every loader.
        shuffle: another order of the training frames in every epoch.
        pin_memory: batches in page-locked memory, for faster copies to a GPU.
        augmentation: of the training frames; None trains on them as they are.
        norm_mean: RGB mean in [0, 1].
        norm_std: RGB standard deviation, above zero.
        seed: of order, augmentation and anomalies; 0 or more.

    Raises:
        UsageError: a value out of its range.
    """

    batch_size: int
    img_size: tuple[int, int]
    num_workers: int
    drop_last: bool
    shuffle: bool
    pin_memory: bool
    augmentation: Augmentation | None
    norm_mean: Sequence[float]
    norm_std: Sequence[float]
    seed: int

    def __post_init__(self) -> None:
        if len(self.img_size) != 2 or min(self.img_size) < 1:
            raise UsageError(
                f"expected img_size as (height, width) in pixels, got {self.img_size}: pass the network's input"
            )
        if self.batch_size < 1 or self.num_workers < 0 or self.seed < 0:
            raise UsageError(
                "expected a batch_size of 1 or more, num_workers and a seed of 0 or more, "
                f"got {self.batch_size}, {self.num_workers} and {self.seed}: pass integers in these ranges"
            )
        if len(self.norm_mean) != 3 or len(self.norm_std) != 3 or min(self.norm_std) <= 0:
            raise UsageError(
                "expected three means and three standard deviations above zero, "
                f"got {self.norm_mean} and {self.norm_std}: pass those that the network was trained with"
            )


class SegmentationDataModule(pl.LightningDataModule):
    """Batches of ``(B, 3, h, w)`` normalised float32 frames and ``(B, h, w)`` int64 labels.

    Nothing depends on the number of workers: augmentation follows from the seed, the frame and the pass. Validation
    and test keep the order of their frames.

    Args:
        train: labelled frames to train on.
        val: labelled frames to validate with.
        test: labelled frames to test with; None for none.
        options: how they become batches.
    """

    def __init__(
        self, train: LabelledFrames, val: LabelledFrames, test: LabelledFrames | None, options: LoaderOptions
    ) -> None:
        super().__init__()
        self.train_frames, self.val_frames, self.test_frames = train, val, test
        self.options = options

    def train_dataloader(self) -> Loader:
        """Training frames, augmented where the module was asked to."""
        order = TrainingOrder(len(self.train_frames), self.options.shuffle, self.options.seed)
        return self._loader(self.train_frames, self.options.augmentation, order)

    def val_dataloader(self) -> Loader:
        """Validation frames in order."""
        return self._loader(self.val_frames)

    def test_dataloader(self) -> Loader:
        """Test frames in order.

        Raises:
            UsageError: the module was made without test frames.
        """
        if self.test_frames is None:
            raise UsageError(
                "expected test frames, this data module was made without any: validate in place of testing"
            )
        return self._loader(self.test_frames)

    def _loader(
        self,
        frames: LabelledFrames,
        augmentation: Augmentation | None = None,
        order: TrainingOrder | None = None,
        drop_last: bool | None = None,
    ) -> Loader:
        options = self.options
        return DataLoader(
            SegmentationDataset(
                frames, options.img_size, options.norm_mean, options.norm_std, augmentation, options.seed
            ),
            options.batch_size,
            sampler=order,
            num_workers=options.num_workers,
            drop_last=options.drop_last if drop_last is None else drop_last,
            pin_memory=options.pin_memory,
        )


class AnomalyDataModule(SegmentationDataModule):
    """A data module with two more loaders, whose validation and test frames are always degraded.

    Args:
        train: labelled frames to train on.
        val: labelled frames to validate with.
        test: labelled frames to test with.
        options: how they become batches.
        anomalies: keys of ``ANOMALIES``, drawn with equal chance.
        severity: 1, just visible, to 5, severe.

    Raises:
        UsageError: an anomaly that does not exist, or a severity out of its range.
    """

    test_frames: LabelledFrames

    def __init__(
        self,
        train: LabelledFrames,
        val: LabelledFrames,
        test: LabelledFrames,
        options: LoaderOptions,
        anomalies: Sequence[str],
        severity: int,
    ) -> None:
        super().__init__(train, val, test, options)
        self.anomaly_val_frames = AnomalousFrames(val, anomalies, severity, options.seed, stream=1)
        self.anomaly_test_frames = AnomalousFrames(test, anomalies, severity, options.seed, stream=2)

    def anomaly_val_dataloader(self) -> Loader:
        """Validation frames in order, each with an anomaly that every pass repeats."""
        return self._loader(self.anomaly_val_frames)

    def anomaly_test_dataloader(self) -> Loader:
        """Test frames in order, each with an anomaly that every pass repeats."""
        return self._loader(self.anomaly_test_frames)
