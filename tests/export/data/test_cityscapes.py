# SPDX-License-Identifier: Apache-2.0
"""Cityscapes and the loaders of the guide, on a miniature tree."""

import itertools
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from export.data import AnomalousFrames, Cityscapes, CityscapesDataModule, degrade, read_frame
from export.datasets.label_tables import CITYSCAPES_CLASSES
from export.errors import UsageError
from tests.conftest import small_network
from tests.miniature_sets import MINIATURE_SIZE, write_cityscapes, write_image

TRAIN_NAME_OF_ID = {
    7: "road",
    8: "sidewalk",
    11: "building",
    12: "wall",
    13: "fence",
    17: "pole",
    19: "traffic light",
    20: "traffic sign",
    21: "vegetation",
    22: "terrain",
    23: "sky",
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
LOADERS = ("train", "val", "test", "anomaly_val", "anomaly_test")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cityscapes(tmp_path_factory.mktemp("cityscapes"))


@pytest.fixture
def own_tree(tree: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tree, tmp_path / "own")


def module(tree: Path, **options: object) -> CityscapesDataModule:
    arguments: dict[str, object] = {"img_size": (24, 48), "batch_size": 5}
    return CityscapesDataModule(tree, **(arguments | options))  # type: ignore[arg-type]


def batches(data: CityscapesDataModule, name: str) -> list[tuple[Tensor, Tensor]]:
    return list(getattr(data, f"{name}_dataloader")())


def same(left: Iterable[tuple[Tensor, Tensor]], right: Iterable[tuple[Tensor, Tensor]]) -> bool:
    return all(torch.equal(a, b) for pair in zip(left, right, strict=True) for a, b in zip(*pair, strict=True))


@pytest.mark.parametrize(("void_as_class", "void"), [(False, 255), (True, 19)])
def test_cityscapes_labels_become_train_ids(tree: Path, void_as_class: bool, void: int) -> None:
    frames = Cityscapes(tree, "val", void_as_class=void_as_class)
    for i, path in enumerate(frames.label_paths):
        frame, label = frames[i]
        np.testing.assert_array_equal(frame, read_frame(frames.paths[i]))
        raw = np.asarray(Image.open(path))
        assert set(np.unique(raw)) == set(range(34))
        for label_id in range(34):
            name = TRAIN_NAME_OF_ID.get(label_id)
            expected = void if name is None else CITYSCAPES_CLASSES.index(name)
            assert (label[raw == label_id] == expected).all()


def test_cityscapes_frames_pair_with_labels_by_name_in_order(tree: Path) -> None:
    frames = Cityscapes(tree, "train")
    assert len(frames) == len(frames.label_paths) == 12
    stems = [path.name.removesuffix("_leftImg8bit.png") for path in frames.paths]
    assert stems == [path.name.removesuffix("_gtFine_labelIds.png") for path in frames.label_paths]
    assert stems == sorted(stems)
    assert {path.parent.name for path in frames.paths} == {"aachen", "ulm"}


def test_cityscapes_module_by_the_guides_call_has_five_loaders(tree: Path) -> None:
    data = CityscapesDataModule(
        data_dir=str(tree),
        batch_size=1,
        target_type="semantic",
        img_size=(32, 64),
        num_workers=0,
        drop_last=True,
        default_transforms=True,
        default_img_mask_transforms=False,
    )
    for name in LOADERS:
        got = batches(data, name)
        assert len(got) == 12
        for image, label in got:
            assert (image.shape, image.dtype) == ((1, 3, 32, 64), torch.float32)
            assert (label.shape, label.dtype) == ((1, 32, 64), torch.int64)
            assert torch.isfinite(image).all()


def test_cityscapes_clean_frames_are_resized_as_by_pillow_and_normalised(tree: Path) -> None:
    mean, std = np.array([0.28689554, 0.32513303, 0.28389177]), np.array([0.18696375, 0.19017339, 0.18720214])
    for name, split in (("val", "val"), ("test", "test")):
        frames = Cityscapes(tree, split)
        images = torch.cat([image for image, _ in batches(module(tree), name)])
        assert len(images) == 12
        for image, path in zip(images, frames.paths, strict=True):
            resized = np.asarray(Image.open(path).resize((48, 24), Image.Resampling.BILINEAR)) / 255
            expected = ((resized - mean) / std).transpose(2, 0, 1)
            np.testing.assert_allclose(image.numpy(), expected, atol=0.03)  # Pillow rounds to bytes, twice


def test_cityscapes_module_with_other_statistics_applies_them(tree: Path) -> None:
    image, _ = batches(module(tree, norm_mean=(0.0, 0.0, 0.0), norm_std=(1.0, 1.0, 1.0)), "val")[0]
    plain, _ = batches(module(tree), "val")[0]
    mean, std = torch.tensor([0.28689554, 0.32513303, 0.28389177]), torch.tensor([0.18696375, 0.19017339, 0.18720214])
    torch.testing.assert_close(plain * std.view(3, 1, 1) + mean.view(3, 1, 1), image, atol=1e-5, rtol=0)


@given(height=st.integers(5, 70), width=st.integers(5, 130))
@settings(max_examples=10, deadline=None)
def test_cityscapes_resized_labels_hold_ids_of_the_label_alone(tree: Path, height: int, width: int) -> None:
    frames = Cityscapes(tree, "val")
    _, labels = batches(module(tree, img_size=(height, width), batch_size=4), "val")[0]
    for i, label in enumerate(labels):
        full = frames[i][1]
        assert set(label.unique().tolist()) <= set(np.unique(full).tolist())
        rows, columns = np.arange(height) * MINIATURE_SIZE[0] / height, np.arange(width) * MINIATURE_SIZE[1] / width
        nearest = [  # a position on the edge between two pixels may fall to either
            full[np.ix_((rows + dy).clip(0).astype(int), (columns + dx).clip(0).astype(int))]
            for dy, dx in itertools.product((-1e-3, 1e-3), repeat=2)
        ]
        assert np.any([label.numpy() == ids for ids in nearest], axis=0).all()


def test_anomalous_frames_of_a_source_are_its_frames_degraded(tree: Path) -> None:
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    data = module(tree, img_size=MINIATURE_SIZE, norm_mean=mean, norm_std=std, seed=3)
    for name, split, stream in (("anomaly_val", "val", 1), ("anomaly_test", "test", 2)):
        frames = Cityscapes(tree, split)
        degraded = AnomalousFrames(frames, seed=3, stream=stream)
        images, labels = map(torch.cat, zip(*batches(data, name), strict=True))
        for i in range(len(frames)):
            clean, label = frames[i]
            kind, seed = degraded.draw(i)
            expected = degrade(clean, kind, 4, seed)
            assert (expected != clean).mean() > 0.1
            np.testing.assert_allclose(images[i].permute(1, 2, 0).numpy(), expected / 255, atol=1e-5)
            np.testing.assert_array_equal(labels[i].numpy(), label)


def test_anomaly_loader_without_change_equals_the_clean_loader(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the anomaly changes nothing, the loaders agree to the bit: no resizer or scale of their own tells them."""
    monkeypatch.setattr("export.data.anomalous.degrade", lambda frame, *_: frame)
    data = module(tree)
    assert same(batches(data, "val"), batches(data, "anomaly_val"))
    assert same(batches(data, "test"), batches(data, "anomaly_test"))


def test_anomalous_frames_draw_kinds_equally_and_from_the_seed() -> None:
    source = [(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))] * 3000
    draws = [AnomalousFrames(source, seed=seed, stream=stream) for seed, stream in ((0, 1), (0, 2), (1, 1))]
    seen = [[frames.draw(i) for i in range(3000)] for frames in draws]
    for kinds in seen:
        counts = Counter(kind for kind, _ in kinds)
        assert set(counts) == {"mud", "fog", "sun_flare"}
        assert all(abs(count - 1000) < 130 for count in counts.values())  # five standard deviations
        assert len({seed for _, seed in kinds}) > 2990
    assert seen[0] != seen[1]
    assert seen[0] != seen[2]
    assert seen[0] == [AnomalousFrames(source, stream=1).draw(i) for i in range(3000)]


def test_cityscapes_module_with_other_anomalies_uses_them(tree: Path) -> None:
    data = module(tree, img_size=MINIATURE_SIZE, norm_mean=(0.0,) * 3, norm_std=(1.0,) * 3, anomalies=("night",))
    dark, clean = batches(data, "anomaly_val")[0][0], batches(data, "val")[0][0]
    assert (dark.mean((1, 2, 3)) < clean.mean((1, 2, 3))).all()
    severe = batches(module(tree, anomaly_severity=5), "anomaly_val")
    assert not same(severe, batches(module(tree, anomaly_severity=1), "anomaly_val"))


def test_cityscapes_batches_with_any_number_of_workers_are_equal(tree: Path) -> None:
    options = {"default_img_mask_transforms": True, "img_size": (16, 32)}
    alone, helped = module(tree, **options), module(tree, num_workers=2, **options)
    for name in LOADERS:
        assert same(batches(alone, name), batches(helped, name))
    one, two = alone.train_dataloader(), helped.train_dataloader()
    assert same(one, two)
    assert same(one, two)  # the second pass too, which differs from the first
    assert not same(one, alone.train_dataloader())


def test_cityscapes_loaders_in_a_second_pass_repeat_except_training(tree: Path) -> None:
    data = module(tree, default_img_mask_transforms=True)
    for name in ("val", "test", "anomaly_val", "anomaly_test"):
        loader = getattr(data, f"{name}_dataloader")()
        assert same(loader, loader)
    train = data.train_dataloader()
    assert not same(train, train)
    assert not same(data.train_dataloader(), module(tree, default_img_mask_transforms=True, seed=1).train_dataloader())


def test_cityscapes_training_pass_has_every_frame_once(tree: Path) -> None:
    frames = Cityscapes(tree, "train")
    ordered = torch.cat([image for image, _ in batches(module(tree, shuffle=False, img_size=(8, 16)), "train")])
    loader = module(tree, img_size=(8, 16)).train_dataloader()
    orders = []
    for _ in range(2):
        shuffled = torch.cat([image for image, _ in loader])
        distances = (shuffled[:, None] - ordered[None]).abs().amax((2, 3, 4))
        orders.append(distances.argmin(1).tolist())
        assert distances.amin(1).max() == 0
    assert [sorted(order) for order in orders] == [list(range(len(frames)))] * 2
    assert orders[0] != orders[1] != list(range(12))


@pytest.mark.parametrize(
    ("default_transforms", "default_img_mask_transforms", "augmented"),
    [(False, False, False), (True, False, False), (False, True, True), (True, True, False)],
)
def test_cityscapes_module_with_a_flag_of_the_guide_applies_it(
    tree: Path, default_transforms: bool, default_img_mask_transforms: bool, augmented: bool
) -> None:
    data = module(
        tree,
        shuffle=False,
        default_transforms=default_transforms,
        default_img_mask_transforms=default_img_mask_transforms,
    )
    plain = module(tree, shuffle=False)
    assert same(batches(data, "train"), batches(plain, "train")) is not augmented
    for name in LOADERS[1:]:
        assert same(batches(data, name), batches(plain, name))


def test_cityscapes_augmentation_pads_labels_with_void(tree: Path) -> None:
    for void_as_class, void in ((False, 255), (True, 19)):
        data = module(tree, default_img_mask_transforms=True, void_as_class=void_as_class)
        assert data.num_classes == 19 + void_as_class
        assert data.options.augmentation is not None
        data.options.augmentation.scales = (0.3, 0.3)
        _, labels = batches(data, "train")[0]
        share = (labels == void).float().mean()
        assert share > 0.85  # a crop that the zoomed frame fills to 9 %
        assert labels.max() == void


@pytest.mark.parametrize(("drop_last", "sizes"), [(True, [5, 5]), (False, [5, 5, 2])])
def test_cityscapes_short_batches_are_kept_or_dropped_as_asked(tree: Path, drop_last: bool, sizes: list[int]) -> None:
    data = module(tree, drop_last=drop_last)
    for name in LOADERS:
        assert [len(image) for image, _ in batches(data, name)] == sizes


@pytest.mark.parametrize(("void_as_class", "classes"), [(False, 19), (True, 20)])
def test_cityscapes_module_trains_a_network(tree: Path, void_as_class: bool, classes: int) -> None:
    data = module(tree, img_size=(64, 128), void_as_class=void_as_class, default_img_mask_transforms=True)
    network = small_network(width_multiplier=0.0625)
    network = type(network)(**(dict(network.hparams) | {"n_class": classes}))
    trainer = pl.Trainer(
        fast_dev_run=1, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, logger=False
    )
    trainer.fit(network, datamodule=data)
    assert torch.isfinite(trainer.callback_metrics["validation_loss"])


def test_cityscapes_frames_of_a_damaged_tree_are_refused(own_tree: Path) -> None:
    first = "aachen_000000_000019"
    frame = own_tree / "leftImg8bit" / "val" / "aachen" / f"{first}_leftImg8bit.png"
    label = own_tree / "gtFine" / "val" / "aachen" / f"{first}_gtFine_labelIds.png"
    contents = label.read_bytes()

    height, width = MINIATURE_SIZE
    for array, message in (
        (np.full(MINIATURE_SIZE, 34, np.uint8), rf"ids from 0 to 33 in .*{label.name}, got 34"),
        (np.array([[255, 40] * (width // 2)] * height, np.uint8), "got 40, 255"),
        (
            np.zeros((height, width + 2), np.uint8),
            rf"expected 48 x 96 \(height x width\) as in {frame.name}, got 48 x 98 in .*{label.name}",
        ),
        (np.zeros((height, width, 3), np.uint8), "one byte a pixel"),
        (np.zeros(MINIATURE_SIZE, np.uint16), "one byte a pixel"),
    ):
        write_image(label, array)
        with pytest.raises(UsageError, match=message):
            Cityscapes(own_tree, "val")[0]
    label.write_bytes(contents[:60])
    with pytest.raises(UsageError, match="could not read"):
        Cityscapes(own_tree, "val")[0]
    label.write_bytes(contents)

    other = frame.with_name("aachen_000002_000019_leftImg8bit.png")
    write_image(other, np.zeros((height // 2, width, 3), np.uint8))
    with pytest.raises(
        UsageError, match=rf"expected 48 x 96 \(height x width\) as in {frame.name}, got 24 x 96 in .*{other.name}"
    ):
        Cityscapes(own_tree, "val")[1]

    label.unlink()
    with pytest.raises(UsageError, match=rf"a label for every frame, 1 of 12 have none, first .*{frame.name}"):
        CityscapesDataModule(own_tree)
    label.write_bytes(contents)
    frame.unlink()
    with pytest.raises(UsageError, match=rf"a frame for every label, 1 of 12 have none, first .*{label.name}"):
        CityscapesDataModule(own_tree)

    shutil.rmtree(own_tree / "leftImg8bit" / "val" / "aachen")
    shutil.rmtree(own_tree / "leftImg8bit" / "val" / "ulm")
    with pytest.raises(UsageError, match=r"expected files .*_leftImg8bit.png in .*val, found none"):
        CityscapesDataModule(own_tree)
    shutil.rmtree(own_tree / "gtFine" / "test")
    with pytest.raises(UsageError, match=r"expected the folder .*gtFine/test, found none"):
        Cityscapes(own_tree, "test")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_type": "instance"}, "target_type 'semantic'"),
        ({"img_size": (0, 48)}, "img_size"),
        ({"img_size": (24,)}, "img_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"num_workers": -1}, "num_workers"),
        ({"seed": -1}, "seed"),
        ({"norm_std": (0.2, 0.0, 0.2)}, "above zero"),
        ({"norm_mean": (0.2,)}, "three means"),
        ({"anomalies": ("hail",)}, "got .'hail',."),
        ({"anomalies": "fog"}, "got 'fog'"),
        ({"anomalies": ()}, "sequence of anomalies"),
        ({"anomaly_severity": 6}, "severity from 1 to 5"),
    ],
)
def test_cityscapes_module_with_arguments_out_of_range_is_refused(
    tree: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        module(tree, **options)


def test_cityscapes_frames_of_an_unknown_split_or_stream_are_refused(tree: Path) -> None:
    with pytest.raises(UsageError, match="train, val, test, got 'valid'"):
        Cityscapes(tree, "valid")
    with pytest.raises(UsageError, match="got 0 and -1"):
        AnomalousFrames(Cityscapes(tree, "val"), stream=-1)
