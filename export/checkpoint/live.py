# SPDX-License-Identifier: Apache-2.0
"""Take a network that lives in the user's own program, and leave it as it is."""

import copy
from collections.abc import Mapping

from torch import nn

from export.checkpoint.frozen import frozen
from export.checkpoint.load import Checkpoint
from export.checkpoint.method_names import check_method_names
from export.checkpoint.unwrapped import without_wrapper
from export.errors import CheckpointError, first_line
from export.findings import Finding
from export.reporter import SILENT, Reporter


def live_checkpoint(network: nn.Module, reporter: Reporter = SILENT) -> Checkpoint:
    """Copy a network, in evaluation mode, in float32 and on the CPU.

    The network itself keeps its mode, weights, hooks, device and methods; nothing of it is switched off or downloaded.

    Args:
        network: any module; the hyper-parameters of a LightningModule count as those of a checkpoint.
        reporter: told what was taken.

    Raises:
        CheckpointError: it is no module, cannot be copied, hides methods of torch behind attributes, or does not go into
            evaluation mode.
    """
    if not isinstance(network, nn.Module):
        raise CheckpointError(
            f"expected an nn.Module as the network, got {type(network).__name__}: give the network itself"
        )
    inside, _ = without_wrapper(network)
    try:
        copied = copy.deepcopy(inside)
    except Exception as error:  # a module may hold anything, and refuse to be copied in any way
        raise CheckpointError(
            f"expected a network that copy.deepcopy can copy, got {first_line(error)}: save network.state_dict() and "
            "give its file and --model"
        ) from error
    check_method_names(copied, ("float", "to"))
    copied = frozen(copied.float().to("cpu"))
    stated = getattr(inside, "hparams", None)
    hyper_parameters = {str(name): value for name, value in stated.items()} if isinstance(stated, Mapping) else {}
    weights = sum(parameter.numel() for parameter in nn.Module.parameters(copied))
    reporter.found(
        Finding("weights", f"{weights:,} parameters", "given", f"a copy of the live {type(inside).__name__}")
    )
    return Checkpoint(copied, hyper_parameters, None)
