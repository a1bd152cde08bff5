# SPDX-License-Identifier: Apache-2.0
"""Freeze a loaded network: in evaluation mode, without gradients."""

from torch import nn

from export.errors import CheckpointError, first_line

_REMEDY = "let its train(mode) call super().train(mode), and leave out what sets another mode for this export"


def frozen(network: nn.Module) -> nn.Module:
    """Put a network into evaluation mode and switch its gradients off.

    Returns:
        The network itself.

    Raises:
        CheckpointError: a part of it stays in training mode, as by a ``train`` of its own, or that fails.
    """
    for parameter in nn.Module.parameters(network):
        parameter.requires_grad_(False)
    try:
        network.eval()
    except Exception as error:  # a train() of the user's own may raise anything
        raise CheckpointError(
            f"expected a network that eval() puts into evaluation mode, got {first_line(error)}: {_REMEDY}"
        ) from error
    training = [name or type(network).__name__ for name, module in network.named_modules() if module.training]
    if training:
        raise CheckpointError(
            f"expected a network that eval() puts into evaluation mode, {training[0]} stays in training mode: {_REMEDY}"
        )
    return network
