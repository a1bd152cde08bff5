# SPDX-License-Identifier: Apache-2.0
"""Tell layers on the way to a network's output from those that it does not read, and from those that give the output."""

from enum import Enum

import torch
from torch import Tensor, nn

from export.sampling.python_state import state_put_back
from export.sampling.taps import LayerInfo


class LayerPlace(Enum):
    """Where a layer lies; each value is the reason for which it is no tap."""

    INSIDE = ""
    UNREAD = "which the output does not read"
    LAST = "which gives the output itself"


def place_of_layer(network: nn.Module, image: Tensor, layer: LayerInfo) -> LayerPlace:
    """Add another number to each channel of a layer, and see what becomes of the output.

    An output that stays the same to the last bit does not read the layer, as that of an auxiliary head. One to which the same
    numbers were added, channel by channel, is the layer's own map, perhaps interpolated: the layer is the last one.

    Args:
        network: in evaluation mode; one that returns no single tensor has all its layers inside.
        image: ``(1, 3, H, W)``, an input of it.
        layer: which runs once.
    """
    plain = _output(network, image)
    if not isinstance(plain, Tensor):
        return LayerPlace.INSIDE
    added = torch.linspace(1, 2, layer.channels or 1)

    def change(_: nn.Module, __: object, output: object) -> object:
        if not isinstance(output, Tensor) or output.shape[layer.channel_dim] != len(added):
            return output
        shape = [1] * output.dim()
        shape[layer.channel_dim] = len(added)
        return output + added.to(output.dtype).reshape(shape)

    handle = network.get_submodule(layer.name).register_forward_hook(change)
    try:
        changed = _output(network, image)
    except Exception:  # a user's network may refuse numbers that are out of its range
        return LayerPlace.INSIDE
    finally:
        handle.remove()
    if not isinstance(changed, Tensor) or changed.shape != plain.shape:
        return LayerPlace.INSIDE
    if torch.equal(changed, plain):
        return LayerPlace.UNREAD
    if plain.dim() == 4 and plain.shape[1] == len(added):
        expected = plain + added.to(plain.dtype).reshape(1, -1, 1, 1)
        if torch.allclose(changed, expected, rtol=1e-4, atol=1e-4):
            return LayerPlace.LAST
    return LayerPlace.INSIDE


def _output(network: nn.Module, image: Tensor) -> object:
    with state_put_back(network), torch.no_grad():
        return network(image)
