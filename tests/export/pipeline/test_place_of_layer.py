# SPDX-License-Identifier: Apache-2.0
"""Layers on the way to the output, beside it, and at its end."""

import pytest
import torch
from torch import Tensor, nn

from export.pipeline.place_of_layer import LayerPlace, place_of_layer
from export.sampling.taps import list_layers


class Places(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.inner, self.beside = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.last, self.narrow = nn.Conv2d(3, 5, 1), nn.Hardtanh(-1e3, 1e3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.frozen(x)
        x = self.narrow(self.inner(x))
        assert x.abs().max() < 100
        self.beside(x)
        return nn.functional.interpolate(self.last(x), scale_factor=2, mode="bilinear")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("frozen", LayerPlace.INSIDE),
        ("inner", LayerPlace.INSIDE),
        ("beside", LayerPlace.UNREAD),
        ("last", LayerPlace.LAST),
    ],
)
def test_place_of_layer_is_told_by_what_becomes_of_the_output(name: str, place: LayerPlace) -> None:
    torch.manual_seed(0)
    network, image = Places().eval(), torch.randn(1, 3, 8, 12)
    layer = next(each for each in list_layers(network, image) if each.name == name)
    before = network(image)
    assert place_of_layer(network, image, layer) is place
    assert torch.equal(network(image), before), "no hook is left"


@pytest.mark.parametrize("dtype", [list, tuple])
def test_place_of_layer_of_a_network_of_several_outputs_is_inside(dtype: type) -> None:
    class Several(Places):
        def forward(self, x: Tensor) -> Tensor:
            return dtype([super().forward(x)])  # type: ignore[no-any-return]

    network, image = Several().eval(), torch.randn(1, 3, 8, 12)
    layer = next(each for each in list_layers(network, image) if each.name == "beside")
    assert place_of_layer(network, image, layer) is LayerPlace.INSIDE


def test_place_of_layer_of_a_network_that_refuses_other_numbers_is_inside() -> None:
    network, image = Places().eval(), torch.randn(1, 3, 8, 12)
    layer = next(each for each in list_layers(network, image) if each.name == "narrow")
    for parameter, value in zip(network.inner.parameters(), (0.0, 98.5), strict=True):
        parameter.data.fill_(value)
    assert place_of_layer(network, image, layer) is LayerPlace.INSIDE
