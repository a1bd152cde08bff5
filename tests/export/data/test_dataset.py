# SPDX-License-Identifier: Apache-2.0
"""Frames from files, CamVid's tree, and augmentation, on trees that the tests write."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export.data import Augmentation, CamVid, CamVidDataModule, FrameFiles, SegmentationDataset
from export.errors import UsageError


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, drives in {"train": ["0006R0", "0016E5", "0001TP"], "val": ["0016E5"]}.items():
        for drive in drives:
            for i in range(4):
                write(tmp_path / split / f"{drive}_{i:05d}.png", rng.integers(0, 256, (360, 480, 3), np.uint8))
                write(tmp_path / f"{split}annot" / f"{drive}_{i:05d}.png", rng.integers(0, 12, (360, 480), np.uint8))
    return tmp_path


def test_camvid_frames_of_a_tree_keep_drives_and_map_void(camvid: Path) -> None:
    assert len(CamVid(camvid, "train")) == 12
    day = CamVid(camvid, "train", exclude=("0001TP",))
    assert {path.name[:6] for path in day.paths} == {"0006R0", "0016E5"}
    assert {path.name[:6] for path in CamVid(camvid, "train", only=("0001TP",)).paths} == {"0001TP"}
    frame, label = day[0]
    assert frame.shape == (360, 480, 3)
    with Image.open(camvid / "trainannot" / f"{day.paths[0].stem}.png") as image:
        raw = np.asarray(image)
    assert set(np.unique(label)) == {*range(11), 255}
    np.testing.assert_array_equal(label == 255, raw == 11)


def test_camvid_label_of_16_bits_is_refused(camvid: Path) -> None:
    """Of 256 and more the low byte would pass for a class."""
    write(camvid / "valannot" / "0016E5_00000.png", np.full((360, 480), 256 + 3, np.uint16))
    with pytest.raises(UsageError, match="one byte a pixel"):
        CamVid(camvid, "val")[0]


def test_class_weights_of_a_split_follow_the_counts(camvid: Path) -> None:
    frames = CamVid(camvid, "val")
    labels = np.stack([frames[i][1] for i in range(len(frames))])
    share = np.array([(labels == c).sum() for c in range(11)]) / (labels != 255).sum()
    expected = 1 / np.log(1.1 + share)
    np.testing.assert_allclose(frames.class_weights(), expected / expected.mean())


def test_camvid_module_of_a_tree_feeds_normalised_batches(camvid: Path) -> None:
    data = CamVidDataModule(camvid, input_size=(60, 80), crop=(48, 64), batch_size=3, exclude=("0001TP",))
    frames, labels = next(iter(data.train_dataloader()))
    assert frames.shape == (3, 3, 48, 64)
    assert labels.shape == (3, 48, 64)
    assert labels.dtype == torch.int64
    assert set(labels.unique().tolist()) <= {*range(11), 255}
    frames, labels = next(iter(data.val_dataloader()))
    assert frames.shape == (3, 3, 60, 80)
    assert frames.mean().abs() < 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no folder", "CamVid's folder"),
        ("no label", r"a label for every frame, 1 of 4 have none, first .*0016E5_00000\.png"),
        ("small frame", r"36 x 48 \(height x width\) as in 0016E5_00000\.png, got 360 x 480 in .*valannot"),
        ("unknown label", r"ids from 0 to 11 in .*0016E5_00000\.png, got 12"),
        ("no frames", "found none"),
    ],
)
def test_camvid_frames_of_a_damaged_tree_are_refused(camvid: Path, damage: str, message: str) -> None:
    first = "0016E5_00000.png"
    if damage == "no label":
        (camvid / "valannot" / first).unlink()
    elif damage == "small frame":
        write(camvid / "val" / first, np.zeros((36, 48, 3), np.uint8))
    elif damage == "unknown label":
        write(camvid / "valannot" / first, np.full((360, 480), 12, np.uint8))
    only = ("0099",) if damage == "no frames" else ()
    with pytest.raises(UsageError, match=message):
        CamVid(camvid / "nowhere" if damage == "no folder" else camvid, "val", only=only)[0]


def test_augmentation_of_a_pair_moves_frame_and_label_alike() -> None:
    rng = np.random.default_rng(0)
    label = np.zeros((40, 60), np.uint8)
    label[10:30, 20:45] = 7
    frame = np.repeat((label * 20)[..., None], 3, axis=2)  # a frame that shows its label
    for _ in range(50):
        got_frame, got_label = Augmentation((32, 48), (0.6, 1.5))(frame, label, rng)
        assert got_frame.shape == (32, 48, 3)
        assert got_label.shape == (32, 48)
        inside, outside = got_frame[got_label == 7], got_frame[got_label == 0]
        if len(inside) and len(outside):
            assert np.median(inside) > np.median(outside) + 60


def test_data_set_without_augmentation_repeats_its_items() -> None:
    source = [(np.full((20, 30, 3), i, np.uint8), np.full((20, 30), i, np.uint8)) for i in range(3)]
    data = SegmentationDataset(source, (10, 15), mean=(0, 0, 0), std=(1, 1, 1))
    image, label = data[2]
    torch.testing.assert_close(image, torch.full((3, 10, 15), 2 / 255))
    assert (label == 2).all()
    torch.testing.assert_close(data[2][0], image)


def test_frame_files_of_several_paths_keep_their_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.jpg", "a/3.png"):
        write(tmp_path / name, np.zeros((8, 10, 3), np.uint8))
    (tmp_path / "b" / "notes.txt").write_text("not a frame")
    files = FrameFiles([tmp_path / "b", tmp_path / "a" / "3.png"])
    assert [path.name for path in files.paths] == ["1.jpg", "2.png", "3.png"]
    assert files.shape == (8, 10, 3)
    assert len(list(files)) == 3


def test_frame_files_of_an_unusable_file_name_it(tmp_path: Path) -> None:
    write(tmp_path / "f" / "1.png", np.zeros((8, 10, 3), np.uint8))
    write(tmp_path / "f" / "2.png", np.zeros((8, 12, 3), np.uint8))
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes((tmp_path / "f" / "1.png").read_bytes()[:40])
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(UsageError, match=r"8 x 10 \(height x width\) as in 1.png, got 8 x 12 in 2.png"):
        list(FrameFiles([tmp_path / "f"]))
    for source, message in {
        "empty": "found none",
        "missing": "found nothing",
        "broken.png": "cannot read",
        "text.png": "cannot read",
    }.items():
        with pytest.raises(UsageError, match=message):
            FrameFiles([tmp_path / source])
    with pytest.raises(UsageError, match="folders of frames or images, got none"):
        FrameFiles([])
