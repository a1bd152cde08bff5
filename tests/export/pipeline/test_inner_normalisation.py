# SPDX-License-Identifier: Apache-2.0
"""A network that normalises its input itself is told apart from one that only keeps the constants, by running it."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.pipeline.inner_normalisation import InnerNormalisation, inner_normalisation

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SHAPE = (3, 12, 16)


def body() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(6), nn.Conv2d(6, 4, 1)).eval()


class Keeps(nn.Module):
    """Keeps mean and deviation in a form of choice, and does with them what ``first`` does."""

    def __init__(
        self,
        first: Callable[[Tensor, Tensor, Tensor], Tensor],
        form: str = "1311",
        names: tuple[str, str] = ("mean", "std"),
        constants: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET,
    ) -> None:
        super().__init__()
        self.net, self.first, self.names = body(), first, names
        for name, values in zip(names, constants, strict=True):
            shape = {"1311": (1, -1, 1, 1), "311": (-1, 1, 1), "3": (-1,)}.get(form)
            if shape is None:
                setattr(self, name, list(values))
            else:
                self.register_buffer(name, torch.tensor(values).view(shape))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        mean, std = (torch.as_tensor(getattr(self, name)).view(1, -1, 1, 1) for name in self.names)
        return {"out": self.net(self.first(images, mean, std))}


USES: dict[str, tuple[Callable[[Tensor, Tensor, Tensor], Tensor], str, float]] = {
    "as usual": (lambda x, mean, std: (x - mean) / std, "input", 1.0),
    "divides by 255 first": (lambda x, mean, std: (x / 255 - mean) / std, "input", 255.0),
    "does not read them": (lambda x, *_: x, "none", 1.0),
    "turns the channels first": (lambda x, mean, std: (x.flip(1) - mean) / std, "other", 1.0),
    "undoes it": (lambda x, mean, std: x * std + mean, "other", 1.0),
}


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(USES)),
    st.sampled_from(["1311", "311", "3", "list"]),
    st.sampled_from([("mean", "std"), ("pixel_mean", "pixel_std"), ("_mean", "_std"), ("image_mean", "image_std")]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_inner_normalisation_of_any_form_finds_its_use(
    use: str, form: str, names: tuple[str, str], inside: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    first, expected, white = USES[use]
    network: nn.Module = Keeps(first, form, names)
    if inside:
        network = nn.Sequential(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = inner_normalisation(network, SHAPE)
    title = " and ".join(names)
    assert found is not None
    assert (found.use, found.white, found.place) == (expected, white, f"{title} of 0" if inside else title)
    assert found.mean == pytest.approx(IMAGENET[0])
    assert found.std == pytest.approx(IMAGENET[1])
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_inner_normalisation_in_grey_levels_takes_grey_levels() -> None:
    constants = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    found = inner_normalisation(Keeps(USES["as usual"][0], constants=constants), SHAPE)
    assert found is not None
    assert (found.use, found.white) == ("input", 255.0)


def test_inner_normalisation_of_several_modules_is_the_one_that_acts() -> None:
    unread = Keeps(USES["does not read them"][0])
    network = Keeps(USES["as usual"][0], names=("pixel_mean", "pixel_std"))
    network.add_module("another", unread)
    found = inner_normalisation(network, SHAPE)
    assert found is not None
    assert found.place == "pixel_mean and pixel_std"


@pytest.mark.parametrize("constants", [((0.0,) * 3, (1.0,) * 3), ((0.5,) * 3, (0.0,) * 3), ((0.5,) * 5, (0.5,) * 5)])
def test_inner_normalisation_of_constants_that_are_none_leaves_what_the_network_raises_to_others(
    constants: tuple[tuple[float, ...], tuple[float, ...]],
) -> None:
    class Unrunnable(Keeps):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            raise AssertionError(images)

    assert inner_normalisation(Unrunnable(USES["as usual"][0], constants=constants), SHAPE) is None
    assert inner_normalisation(body(), SHAPE) is None


def test_inner_normalisation_of_a_network_that_sees_nothing_is_other() -> None:
    found = inner_normalisation(Keeps(lambda x, mean, std: 0 * (x - mean) / std), SHAPE)
    assert isinstance(found, InnerNormalisation)
    assert found.use == "other"
