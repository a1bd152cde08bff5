# SPDX-License-Identifier: Apache-2.0
"""Labelled folders of any size and number of classes, on small folders that the tests write."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export.data import LabelledFolder, LabelledFolderDataModule
from export.data.data_module import TrainingOrder
from export.errors import UsageError
from lsood_runtime import PixelRules

DRIVES = {"a": 3, "b": 2, "c": 1, "d": 4}


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten frames of four drives, every second one of another size; labels of five classes and 255."""
    rng = np.random.default_rng(0)
    number = 0
    for drive, count in DRIVES.items():
        for _ in range(count):
            size = ((12, 16), (9, 20))[number % 2]
            label = rng.choice(np.array([0, 1, 2, 3, 4, 255], np.uint8), size)
            write(tmp_path / "frames" / f"{drive}_{number}.png", rng.integers(0, 256, (*size, 3), np.uint8))
            write(tmp_path / "labels" / f"{drive}_{number}.png", label)
            number += 1
    return tmp_path


def folder(root: Path, num_classes: int = 5, **options: object) -> LabelledFolder:
    return LabelledFolder(root / "frames", root / "labels", num_classes, **options)  # type: ignore[arg-type]


def raw_labels(frames: LabelledFolder) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in frames.label_paths]


def test_labelled_folder_of_mixed_sizes_gives_each_frame_with_its_label(root: Path) -> None:
    frames = folder(root)
    assert len(frames) == 10
    for index, raw in enumerate(raw_labels(frames)):
        frame, label = frames[index]
        assert frame.shape == (*label.shape, 3)
        assert frames.paths[index].stem == frames.label_paths[index].stem
        np.testing.assert_array_equal(label, raw)
    assert {frames[index][0].shape for index in range(2)} == {(12, 16, 3), (9, 20, 3)}


@pytest.mark.parametrize(
    ("num_classes", "ignore_label", "expected"),
    [
        (3, 255, {0: 0, 1: 1, 2: 2, 255: 255}),
        (3, 0, {0: 255, 1: 0, 2: 1, 3: 2}),
        (3, 1, {0: 0, 1: 255, 2: 1, 3: 2}),
        (3, 3, {0: 0, 1: 1, 2: 2, 3: 255}),
        (255, 255, {0: 0, 254: 254, 255: 255}),
        (255, 0, {0: 255, 1: 0, 255: 254}),
    ],
)
def test_labelled_folder_with_an_ignore_label_numbers_the_other_ids(
    tmp_path: Path, num_classes: int, ignore_label: int, expected: dict[int, int]
) -> None:
    ids = np.array([list(expected)], np.uint8)
    write(tmp_path / "frames" / "x.png", np.zeros((*ids.shape, 3), np.uint8))
    write(tmp_path / "labels" / "x.png", ids)
    _, label = folder(tmp_path, num_classes, ignore_label=ignore_label)[0]
    assert label[0].tolist() == list(expected.values())


def test_labelled_folder_with_sub_folders_pairs_by_the_path_below(root: Path) -> None:
    for drive in ("one", "two"):
        write(root / "deep" / drive / "1.JPG", np.zeros((4, 6, 3), np.uint8))
        write(root / "deep_labels" / drive / "1.png", np.full((4, 6), 1 + (drive == "two"), np.uint8))
    frames = LabelledFolder(root / "deep", root / "deep_labels", 3, group_by="folder")
    assert frames.drives == ("one", "two")
    assert [int(frames[index][1].max()) for index in range(2)] == [1, 2]


def test_labelled_folder_of_grey_frames_needs_a_rule(root: Path) -> None:
    for path in (root / "frames").rglob("*.png"):
        Image.open(path).convert("L").save(path)
    with pytest.raises(UsageError, match="expected a colour image, got a grey one"):
        folder(root)
    frames = folder(root, rules=PixelRules(grey=True))
    for index, path in enumerate(frames.paths):
        frame, _ = frames[index]
        np.testing.assert_array_equal(frame, np.dstack([np.asarray(Image.open(path))] * 3))


def test_labelled_folder_with_drives_keeps_theirs(root: Path) -> None:
    frames = folder(root, group_by="prefix", drives=("d", "b"))
    assert frames.drives == ("b",) * 2 + ("d",) * 4
    assert [path.name[0] for path in frames.paths] == [path.name[0] for path in frames.label_paths] == list("bbdddd")


def test_labelled_folder_with_a_table_of_drives_keeps_theirs(root: Path) -> None:
    rows = [f"{path.name},{'wet' if number % 2 else 'dry'}" for number, path in enumerate(folder(root).paths)]
    (root / "drives.csv").write_text("\n".join(["frame,drive", *rows]))
    assert len(folder(root, group_by=str(root / "drives.csv"), drives=["wet"])) == 5


@pytest.mark.parametrize("seed", range(5))
def test_held_out_frames_of_a_folder_are_whole_drives(root: Path, seed: int) -> None:
    frames = folder(root, group_by="prefix")
    left, held = frames.hold_out(0.2, seed)
    assert not set(left.drives) & set(held.drives)
    assert sorted(left.paths + held.paths) == frames.paths
    assert len(held) >= 2
    assert [path.name[0] for path in held.label_paths] == list(held.drives)
    assert len(frames) == 10


def test_held_out_frames_without_drives_are_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="two drives or more"):
        folder(root).hold_out(0.2, 0)


def test_class_weights_of_a_folder_follow_the_pixels(root: Path) -> None:
    frames = folder(root, num_classes=6)  # class 5 never occurs
    pixels = np.concatenate([raw.ravel() for raw in raw_labels(frames)])
    counts = np.array([(pixels == c).sum() for c in range(6)])
    np.testing.assert_array_equal(frames.class_counts(), counts)
    expected = 1 / np.log(1.1 + counts / counts.sum())
    np.testing.assert_allclose(frames.class_weights(), expected / expected.mean())
    assert np.isfinite(frames.class_weights()).all()
    held, _ = folder(root, group_by="prefix").hold_out(0.5, 0)
    assert held.class_counts().sum() < counts.sum()


def test_class_weights_without_a_class_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "frames" / "x.png", np.zeros((4, 6, 3), np.uint8))
    write(tmp_path / "labels" / "x.png", np.full((4, 6), 255, np.uint8))
    with pytest.raises(UsageError, match="labels to ignore alone"):
        folder(tmp_path).class_weights()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no frames folder", r"found no folder .*frames"),
        ("no labels folder", r"found no folder .*labels"),
        ("empty", r"\.png files in .*labels, found none"),
        ("no label", r"a label for every frame, 1 of 10 have none, first .*frames.*a_0\.png"),
        ("no frame", r"a frame for every label, 1 of 10 have none, first .*labels.*a_0\.png"),
        ("two frames", r"one file for each name in .*frames, got a_0\.(jpg|png) and a_0\.(jpg|png)"),
        ("two drives missing", r"2 of 3 have no frame, first x: check"),
        ("no prefix", "the drive before an underscore"),
        ("no class", "1 to 255 classes"),
        ("ignore out of range", "a label from 0 to 255 to ignore"),
    ],
)
def test_labelled_folder_that_is_incomplete_is_refused(root: Path, damage: str, message: str) -> None:
    first = "a_0.png"
    options: dict[str, object] = {}
    if damage in ("no frames folder", "no labels folder"):
        (root / damage.split()[1]).rename(root / "elsewhere")
    elif damage == "empty":
        (root / "labels").rename(root / "elsewhere")
        (root / "labels").mkdir()
    elif damage == "no label":
        (root / "labels" / first).unlink()
    elif damage == "no frame":
        (root / "frames" / first).unlink()
    elif damage == "two frames":
        write(root / "frames" / "a_0.jpg", np.zeros((12, 16, 3), np.uint8))
    elif damage == "two drives missing":
        options = {"group_by": "prefix", "drives": ("a", "y", "x")}
    elif damage == "no prefix":
        for kind in ("frames", "labels"):
            (root / kind / first).rename(root / kind / "a.png")
        options = {"group_by": "prefix"}
    elif damage == "no class":
        options = {"num_classes": 0}
    elif damage == "ignore out of range":
        options = {"ignore_label": 256}
    with pytest.raises(UsageError, match=message):
        folder(root, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (np.full((12, 16), 5, np.uint8), r"ids from 0 to 4, 255 in .*labels.*a_0\.png, got 5"),
        (
            np.zeros((12, 17), np.uint8),
            r"12 x 16 \(height x width\) as in a_0\.png, got 12 x 17 in .*labels.*a_0\.png: a label has the size",
        ),
        (np.zeros((12, 16), np.uint16), r"one byte a pixel in the label .*a_0\.png"),
        (np.zeros((12, 16, 3), np.uint8), r"one byte a pixel in the label .*a_0\.png"),
    ],
)
def test_labelled_folder_with_a_wrong_label_names_its_file(root: Path, label: np.ndarray, message: str) -> None:
    write(root / "labels" / "a_0.png", label)
    with pytest.raises(UsageError, match=message):
        folder(root)[0]


def test_labelled_folder_module_feeds_batches_of_one_size(root: Path) -> None:
    train, val = folder(root, group_by="prefix").hold_out(0.3, 1)
    batch = len(val) - 1 or 1
    data = LabelledFolderDataModule(train, val, (24, 32), (16, 20), batch)
    batches = list(data.train_dataloader())
    assert len(batches) == len(train) // batch
    for frames, labels in batches:
        assert frames.shape == (batch, 3, 16, 20)
        assert labels.shape == (batch, 16, 20)
        assert labels.dtype == torch.int64
        assert set(labels.unique().tolist()) <= {*range(5), 255}
    assert sum(len(frames) for frames, _ in data.val_dataloader()) == len(val)
    assert next(iter(data.val_dataloader()))[0].shape[1:] == (3, 24, 32)
    with pytest.raises(UsageError, match="expected test frames"):
        data.test_dataloader()


def test_labelled_folder_module_in_any_process_and_after_resuming_repeats_its_batches(root: Path) -> None:
    train = folder(root)
    first = LabelledFolderDataModule(train, train, (24, 32), (16, 20), 4, seed=3).train_dataloader()
    passes = [torch.cat([frames for frames, _ in first]) for _ in range(2)]
    assert not torch.equal(*passes)
    resumed = LabelledFolderDataModule(train, train, (24, 32), (16, 20), 4, seed=3).train_dataloader()
    assert isinstance(resumed.sampler, TrainingOrder)
    resumed.sampler.set_epoch(1)  # as a Trainer does
    torch.testing.assert_close(torch.cat([frames for frames, _ in resumed]), passes[1], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("batch_size", "crop", "message"), [(11, (8, 8), "at least 11 training frames"), (2, (0, 8), "a crop as")]
)
def test_labelled_folder_module_with_unusable_sizes_is_refused(
    root: Path, batch_size: int, crop: tuple[int, int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        LabelledFolderDataModule(folder(root), folder(root), (24, 32), crop, batch_size)
