# SPDX-License-Identifier: Apache-2.0
"""Published data sets opened by name, on small trees of their folders."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
from PIL import Image

from export.data import PublishedDataModule, open_dataset
from export.datasets import LAYOUTS, find_frames
from export.errors import UsageError
from tests.published_sets import WRITERS, Tree


@pytest.mark.parametrize("name", WRITERS)
def test_data_set_gives_frames_and_classes_of_its_labels(name: str, tmp_path: Path) -> None:
    WRITERS[name](Tree(tmp_path))
    frames = open_dataset(name, tmp_path)
    found = find_frames(LAYOUTS[name], tmp_path)
    assert frames.paths == [frame.path for frame in found]
    assert (frames.drives, frames.parts) == tuple(zip(*((frame.drive, frame.part) for frame in found), strict=True))
    assert frames.num_classes == len(frames.classes)
    for index in range(len(frames)):
        frame, label = frames[index]
        np.testing.assert_array_equal(frame, np.asarray(Image.open(frames.paths[index]).convert("RGB")))
        assert label.shape == (12, 16) == frame.shape[:2]
        assert set(np.unique(label)) <= {*range(frames.num_classes), 255}
        assert len(np.unique(label)) > 1


def test_held_out_drives_keep_their_parts(tmp_path: Path) -> None:
    WRITERS["acdc"](Tree(tmp_path))
    left, held = open_dataset("acdc", tmp_path, "train").hold_out(0.2, seed=1)
    for part in (left, held):
        assert [path.parent.parent.parent.name for path in part.paths] == list(part.parts)
    assert len(left) + len(held) == 8
    assert len(open_dataset("acdc", tmp_path, parts=("night",)).class_weights()) == 19


def test_split_without_published_labels_is_refused(tmp_path: Path) -> None:
    WRITERS["idd"](Tree(tmp_path))
    with pytest.raises(UsageError, match=r"expected a split of IDD.* with published labels, train, val; got 'test'"):
        open_dataset("idd", tmp_path, "test")


def test_frames_of_mixed_sizes_are_refused_where_a_data_set_has_one_size(tmp_path: Path) -> None:
    for name in ("acdc", "idd"):
        WRITERS[name](Tree(tmp_path / name))
        frame = find_frames(LAYOUTS[name], tmp_path / name)[1]
        for path, mode in ((frame.path, "RGB"), (frame.label, "L")):
            assert path is not None
            Image.new(mode, (20, 10)).save(path)
    with pytest.raises(UsageError, match=r"expected 12 x 16 .*got 10 x 20.*one data set holds frames of one size"):
        open_dataset("acdc", tmp_path / "acdc")[1]
    assert open_dataset("idd", tmp_path / "idd")[1][0].shape == (10, 20, 3)


def test_data_module_of_a_name_gives_batches_of_both_splits(tmp_path: Path) -> None:
    WRITERS["rugd"](Tree(tmp_path))
    data = PublishedDataModule("rugd", tmp_path, input_size=(8, 10), crop=(8, 8), batch_size=2)
    assert isinstance(data, pl.LightningDataModule)
    train, val = list(data.train_dataloader()), list(data.val_dataloader())
    assert [tuple(batch[0].shape) for batch in train] == [(2, 3, 8, 8)] * 2
    assert [tuple(batch[1].shape) for batch in val] == [(2, 8, 10)] * 2
    assert (data.num_classes, set(data.val_frames.drives)) == (24, {"park-8", "trail-5"})
