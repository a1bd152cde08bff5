# SPDX-License-Identifier: Apache-2.0
"""A loader gives the camera's own bytes back, or is refused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from export.errors import UsageError
from export.frames.loader_frames import loader_frames

IN_DICTIONARIES: Any = [{"image": torch.zeros(3, 8, 8)}]


def camera_frames(seed: int, count: int = 7) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 10, 12, 3), np.uint8)


def normalised(frames: NDArray[np.uint8], mean: Any, std: Any) -> Tensor:
    """As a training does it: ``ToTensor`` and ``Normalize`` in float32."""
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float().div(255)
    return pixels.sub(torch.tensor(mean).view(3, 1, 1)).div(torch.tensor(std).view(3, 1, 1))


def loader(*parts: Tensor, **options: Any) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*parts), batch_size=3, **options)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_normalised_batches_give_the_cameras_bytes(seed: int, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(seed)
    mean, std = (rng.uniform(low, high, 3).tolist() for low, high in ((0.25, 0.6), (0.15, 0.3)))
    frames = camera_frames(seed)
    images = normalised(frames, mean, std).to(dtype)
    given = loader_frames(loader(images, torch.zeros(len(frames))), mean, std)
    np.testing.assert_array_equal(given, frames)
    np.testing.assert_array_equal(loader_frames(loader(images), mean, std, reverse=True), frames[..., ::-1])


@pytest.mark.parametrize("last", [True, False])
def test_uint8_batches_are_taken_as_they_are(last: bool) -> None:
    frames = torch.from_numpy(camera_frames(8))
    given = loader_frames(loader(frames if last else frames.permute(0, 3, 1, 2)), None, None, reverse=True)
    np.testing.assert_array_equal(given, frames.numpy())
    assert all(frame.flags.c_contiguous for frame in given)


@pytest.mark.parametrize("changed", ["resized", "another deviation", "brighter", "not a number", "bfloat16"])
def test_normalised_batches_that_are_no_camera_frames_are_refused(changed: str) -> None:
    mean, std = [0.45] * 3, [0.25] * 3
    images, said = normalised(camera_frames(9), mean, std), [0.26] * 3 if changed == "another deviation" else std
    match changed:
        case "resized":
            images = F.interpolate(images, (11, 13), mode="bilinear")
        case "brighter":
            images = images + 0.1 / 0.25
        case "not a number":
            images[4, 1, 3, 3] = torch.nan
        case "bfloat16":
            images = images.bfloat16()
    with pytest.raises(
        UsageError, match=r"whole numbers from 0 to 255, got numbers that are \S+ off: check mean and std"
    ):
        loader_frames(loader(images), mean, said)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (loader(torch.zeros(6, 3, 8, 8)), "expected mean and std with floating-point batches"),
        (loader(torch.zeros(6, 1, 8, 8)), r"got \(3, 1, 8, 8\) torch.float32"),
        (loader(torch.zeros(6, 3, 8, 3).byte()), r"got \(3, 3, 8, 3\) torch.uint8"),
        (loader(torch.zeros(6, 3, 8, 8).long()), r"got \(3, 3, 8, 8\) torch.int64"),
        (
            DataLoader(IN_DICTIONARIES),
            "got dict: give uint8 arrays, or a loader that gives such batches",
        ),
    ],
)
def test_loader_of_anything_else_is_refused(given: DataLoader[Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        loader_frames(given, None, None)


FRAMES = TensorDataset(torch.zeros(6, 3, 8, 8).byte())
SHUFFLING: list[Sampler[int]] = [
    RandomSampler(FRAMES),
    SubsetRandomSampler(range(6)),
    WeightedRandomSampler([1.0] * 6, 6),
    DistributedSampler(FRAMES, num_replicas=2, rank=0, shuffle=False),  # leaves out every other frame
]


@pytest.mark.parametrize("sampler", SHUFFLING, ids=lambda sampler: type(sampler).__name__)
def test_loader_of_another_order_than_the_data_sets_is_refused(sampler: Sampler[int]) -> None:
    batches = BatchSampler(sampler, 3, drop_last=False)
    for given in (
        DataLoader(FRAMES, 3, sampler=sampler),
        DataLoader(FRAMES, batch_sampler=batches),
        DataLoader(FRAMES, None, sampler=batches),
    ):
        with pytest.raises(
            UsageError, match=f"order of recording, got one with {type(sampler).__name__}, .* shuffle=False"
        ):
            loader_frames(given, None, None)


class Streamed(IterableDataset[Tensor]):
    """Frames one after the other."""

    def __init__(self, frames: Tensor) -> None:
        self.frames = frames

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.frames)


def test_loader_in_the_order_of_its_data_set_is_taken_however_it_makes_batches() -> None:
    frames = torch.from_numpy(camera_frames(10))
    dataset = TensorDataset(frames)
    batches = BatchSampler(SequentialSampler(dataset), 3, drop_last=False)
    for given in (
        DataLoader(dataset, 2, sampler=SequentialSampler(dataset)),
        DataLoader(dataset, batch_sampler=batches),
        DataLoader(dataset, None, sampler=batches),
        DataLoader(Streamed(frames), 4),
    ):
        np.testing.assert_array_equal(loader_frames(given, None, None), frames.numpy())
