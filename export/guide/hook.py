# SPDX-License-Identifier: Apache-2.0
"""A forward or backward hook that keeps the last input and output of a layer."""

from typing import Any

from torch import nn


class Hook:
    """Keeps the last input and output of a layer, or their gradients.

    Nothing is copied: a layer behind this one that works in place changes what is kept.

    Args:
        module: the layer.
        backward: keep the gradients of the last backward pass instead.

    Attributes:
        input: tuple of the layer's inputs (or of their gradients); None before the first pass.
        output: the layer's output (or a tuple of its gradients); None before the first pass.
    """

    def __init__(self, module: nn.Module, backward: bool = False) -> None:
        self.input: Any = None  # a layer may take and give anything
        self.output: Any = None
        register = module.register_full_backward_hook if backward else module.register_forward_hook
        self._handle = register(self._keep)

    def _keep(self, module: nn.Module, inputs: object, output: object) -> None:
        del module
        self.input, self.output = inputs, output

    def close(self) -> None:
        """Remove the hook from the layer; its last input and output stay."""
        self._handle.remove()
