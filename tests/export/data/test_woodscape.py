# SPDX-License-Identifier: Apache-2.0
"""WoodScape and its soiled frames, on miniature trees."""

import random
import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from export.data import (
    WoodScapeDataModule,
    WoodScapeDataset,
    WoodScapeSoilingDataModule,
    WoodScapeSoilingDataset,
    read_frame,
)
from export.data.woodscape import split_indices
from export.errors import UsageError
from tests.miniature_sets import MINIATURE_SIZE, write_image, write_soiling, write_woodscape

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LOADERS = ("train", "val", "test", "anomaly_val", "anomaly_test")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_woodscape(tmp_path_factory.mktemp("woodscape"))


@pytest.fixture(scope="module")
def soiling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soiling(tmp_path_factory.mktemp("soiling"))


def module(tree: Path, **options: object) -> WoodScapeDataModule:
    arguments: dict[str, object] = {"img_size": (24, 32), "batch_size": 3}
    return WoodScapeDataModule(tree, **(arguments | options))  # type: ignore[arg-type]


def batches(data: object, name: str) -> list[tuple[Tensor, Tensor]]:
    return list(cast(DataLoader[tuple[Tensor, Tensor]], getattr(data, f"{name}_dataloader")()))


def images(data: object, name: str) -> Tensor:
    return torch.cat([image for image, _ in batches(data, name)])


def indices(frames: object) -> list[int]:
    assert isinstance(frames, Subset)
    return list(frames.indices)


def test_woodscape_frames_pair_with_labels_by_name(tree: Path) -> None:
    frames = WoodScapeDataset(tree)
    assert [path.name for path in frames.paths] == [path.name for path in frames.label_paths]
    assert len(frames) == 20
    frame, label = frames[7]
    np.testing.assert_array_equal(frame, read_frame(tree / "rgb_images" / "00007_RV.png"))
    raw = np.asarray(Image.open(tree / "semantic_annotations" / "gtLabels" / "00007_RV.png"))
    np.testing.assert_array_equal(label, raw)
    assert set(np.unique(label)) == set(range(10))


@given(
    count=st.integers(20, 400),
    valid_size=st.floats(0.1, 0.6),
    test_size=st.floats(0.1, 0.5),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=50, deadline=None)
def test_woodscape_split_of_any_sizes_equals_the_guides(
    count: int, valid_size: float, test_size: float, seed: int
) -> None:
    train, valid, test = split_indices(count, valid_size, test_size, seed)
    state = random.getstate()
    random.seed(seed)  # as the guide's code draws it, from the global generator
    drawn = list(range(count))
    random.shuffle(drawn)
    random.setstate(state)
    n_test = int(np.floor(test_size * count))
    n_valid = int(np.floor(valid_size * (count - n_test)))
    assert set(test) == set(drawn[:n_test])
    assert set(valid) == set(drawn[n_test : n_test + n_valid])
    assert sorted(train + valid + test) == list(range(count))
    assert all(part == sorted(part) for part in (train, valid, test))


def test_woodscape_split_with_defaults_has_the_published_sizes() -> None:
    assert [len(part) for part in split_indices(8234, 0.2, 0.1, 100)] == [5929, 1482, 823]
    state = random.getstate()
    assert split_indices(50, 0.2, 0.1, 1) != split_indices(50, 0.2, 0.1, 2)
    assert random.getstate() == state


def test_woodscape_loaders_of_a_tree_hold_their_parts(tree: Path) -> None:
    data = module(tree)
    parts = [indices(part) for part in (data.train_frames, data.val_frames, data.test_frames)]
    assert [len(part) for part in parts] == [15, 3, 2]
    assert sorted(index for part in parts for index in part) == list(range(20))
    assert parts != [indices(part) for part in (module(tree, seed=11).train_frames, data.val_frames, data.test_frames)]
    mean, std = np.array([0.32757252, 0.33050337, 0.33689716]), np.array([0.20290555, 0.20525302, 0.2037721])
    frames = WoodScapeDataset(tree)
    for name, part in zip(("val", "test"), parts[1:], strict=True):
        for image, index in zip(images(data, name), part, strict=True):
            resized = np.asarray(Image.open(frames.paths[index]).resize((32, 24), Image.Resampling.BILINEAR)) / 255
            np.testing.assert_allclose(image.permute(1, 2, 0).numpy(), (resized - mean) / std, atol=0.03)


def test_woodscape_batches_are_normalised_frames_and_labels(tree: Path) -> None:
    data = module(tree, target_type="semantic", num_workers=0, drop_last=True, default_transforms=True)
    for name, count in zip(LOADERS, (5, 1, 0, 1, 0), strict=True):
        got = batches(data, name)
        assert len(got) == count
        for image, label in got:
            assert (image.shape, image.dtype) == ((3, 3, 24, 32), torch.float32)
            assert (label.shape, label.dtype) == ((3, 24, 32), torch.int64)
            assert set(np.unique(label.numpy())) <= set(range(10))


def test_woodscape_module_with_other_statistics_applies_them(tree: Path) -> None:
    def in_units(data: WoodScapeDataModule, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
        return images(data, "anomaly_val") * torch.tensor(std).view(3, 1, 1) + torch.tensor(mean).view(3, 1, 1)

    default = in_units(module(tree), (0.32757252, 0.33050337, 0.33689716), (0.20290555, 0.20525302, 0.2037721))
    imagenet = in_units(module(tree, norm_mean=IMAGENET_MEAN, norm_std=IMAGENET_STD), IMAGENET_MEAN, IMAGENET_STD)
    torch.testing.assert_close(default, imagenet, atol=1e-5, rtol=0)
    assert default.min() > -1e-5
    assert default.max() < 1 + 1e-5


def test_woodscape_anomalies_with_any_number_of_workers_repeat(tree: Path) -> None:
    alone = module(tree, default_img_mask_transforms=True)
    helped = module(tree, default_img_mask_transforms=True, num_workers=2)
    for name in LOADERS:
        torch.testing.assert_close(images(alone, name), images(helped, name), atol=0, rtol=0)
    for name in ("val", "test"):
        degraded, clean = images(alone, f"anomaly_{name}"), images(alone, name)
        assert ((degraded - clean).abs().mean((1, 2, 3)) > 0.02).all()


def test_woodscape_augmentation_pads_labels_with_void(tree: Path) -> None:
    data = module(tree, default_img_mask_transforms=True)
    assert data.options.augmentation is not None
    assert data.options.augmentation.void == 0
    assert module(tree, default_img_mask_transforms=True, default_transforms=True).options.augmentation is None


def test_woodscape_soiling_module_of_a_tree_feeds_soiled_frames(soiling: Path) -> None:
    train, test = WoodScapeSoilingDataset(soiling), WoodScapeSoilingDataset(soiling, train=False)
    assert (len(train), len(test)) == (12, 12)
    assert not np.array_equal(train[0][0], test[0][0])
    data = WoodScapeSoilingDataModule(soiling, IMAGENET_MEAN, IMAGENET_STD, img_size=(24, 32), batch_size=4, seed=5)
    assert (len(data.train_frames), len(data.val_frames), len(data.test_frames)) == (10, 2, 12)
    expected = split_indices(12, 0.2, 0, 5)
    assert [indices(data.train_frames), indices(data.val_frames), []] == list(expected)
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    for image, path in zip(images(data, "test") * std + mean, test.paths, strict=True):
        resized = np.asarray(Image.open(path).resize((32, 24), Image.Resampling.BILINEAR)) / 255
        np.testing.assert_allclose(image.permute(1, 2, 0).numpy(), resized, atol=0.006)
    for name in ("train", "val", "test"):
        assert set(np.unique(torch.cat([label for _, label in batches(data, name)]).numpy())) == {0, 1, 2, 3}


def test_woodscape_soiling_module_without_statistics_is_refused(soiling: Path) -> None:
    with pytest.raises(TypeError, match="norm_mean"):
        WoodScapeSoilingDataModule(soiling)  # type: ignore[call-arg]


def test_woodscape_frames_of_a_damaged_tree_are_refused(tree: Path, soiling: Path, tmp_path: Path) -> None:
    own = shutil.copytree(tree, tmp_path / "own")
    labels = own / "semantic_annotations" / "gtLabels"
    frames = WoodScapeDataset(own)
    write_image(labels / "00000_FV.png", np.full(MINIATURE_SIZE, 10, np.uint8))
    with pytest.raises(UsageError, match=r"ids from 0 to 9 in .*00000_FV.png, got 10"):
        frames[0]
    write_image(labels / "00001_MVL.png", np.zeros((24, 96), np.uint8))
    with pytest.raises(
        UsageError,
        match=r"expected 48 x 96 \(height x width\) as in 00000_FV.png, got 24 x 96 in .*gtLabels/00001_MVL.png",
    ):
        frames[1]
    (labels / "00003_RV.png").unlink()
    (labels / "00002_MVR.png").unlink()
    with pytest.raises(UsageError, match=r"a label for every frame, 2 of 20 have none, first .*00002_MVR.png"):
        WoodScapeDataModule(own)
    shutil.rmtree(labels)
    with pytest.raises(UsageError, match=r"expected the folder .*gtLabels, found none"):
        WoodScapeDataModule(own)
    with pytest.raises(UsageError, match=r"expected the folder .*train/rgbImages, found none"):
        WoodScapeSoilingDataset(tree)
    with pytest.raises(UsageError, match=r"expected the folder .*rgb_images, found none"):
        WoodScapeDataset(soiling)
    bad = shutil.copytree(soiling, tmp_path / "soiling")
    write_image(bad / "test" / "gtLabels" / "0002_MVR.png", np.full(MINIATURE_SIZE, 4, np.uint8))
    with pytest.raises(UsageError, match=r"ids from 0 to 3 in .*0002_MVR.png, got 4"):
        WoodScapeSoilingDataset(bad, train=False)[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_type": "instance"}, "target_type 'semantic'"),
        ({"test_size": 1.0}, r"test_size in \[0, 1\), got 1.0"),
        ({"valid_size": -0.1}, "valid_size"),
        ({"test_size": 0.01}, "at least one frame from test_size=0.01 of 20 frames"),
        ({"seed": -1}, "seed"),
        ({"anomalies": ("hail",)}, "hail"),
    ],
)
def test_woodscape_module_with_arguments_out_of_range_is_refused(
    tree: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        module(tree, **options)
