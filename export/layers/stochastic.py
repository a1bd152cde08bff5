# SPDX-License-Identifier: Apache-2.0
"""Stochastic layers: every kind of randomness that is known, and the kind of a layer."""

from torch import nn

from export.layers.alpha_dropout import AlphaDropoutRandomness
from export.layers.channel_dropout import ChannelDropoutRandomness
from export.layers.dropblock import DropBlockRandomness
from export.layers.dropout import DropoutRandomness
from export.layers.gaussian_dropout import GaussianDropoutRandomness
from export.layers.randomness import Randomness

KINDS: tuple[type[Randomness], ...] = (
    DropBlockRandomness,
    DropoutRandomness,
    ChannelDropoutRandomness,
    AlphaDropoutRandomness,
    GaussianDropoutRandomness,
)
"""The first kind that recognises a layer is taken."""


def recognise(module: nn.Module) -> Randomness | None:
    """The randomness of a layer in training; None where it draws nothing or has p = 0."""
    found = (kind.recognise(module) for kind in KINDS)
    return next((randomness for randomness in found if randomness is not None), None)
