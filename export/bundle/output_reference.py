# SPDX-License-Identifier: Apache-2.0
"""The chosen output of a network in plain Python: the reference that graphs are compared with."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from export.checkpoint.chosen_output import output_choice, whole_network


def reference_output(network: nn.Module, images: Tensor) -> Any:  # a user's network may return anything
    """Call the network itself and take the output from what it returns, by nothing but indexing.

    Args:
        network: in evaluation mode, as the graphs were made of.
        images: ``(B, 3, H, W)`` float32.

    Returns:
        The chosen tensor; all that the network returns where none was chosen.
    """
    choice = output_choice(network)
    called: Any = whole_network(network)
    for part in choice.method.split("."):
        called = called if part == "forward" else getattr(called, part)
    value = called(images)
    for name in choice.names:
        if isinstance(value, Mapping):
            value = next(found for key, found in value.items() if str(key) == name)
        else:
            value = getattr(value, name) if not name.isdecimal() else value[int(name)]
    return value[:, None] if choice.squeezed else value
