# SPDX-License-Identifier: Apache-2.0
"""Find an input on which a network runs, where it does not run on the one that it was given: a remedy that was tried."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.checkpoint.chosen_output import network_name
from export.errors import ConversionError, refuse_exit

_MULTIPLES = (2, 4, 8, 16, 32, 64, 128)
"""Of which networks want their input's size to be one, as U-Nets of several depths do."""

_CHANNELS = {1: "grey", 3: "rgb"}
_OTHER_CHANNELS = (4, 2, 5, 6)
"""Of cameras with infrared or depth, of stereo pairs; no frame has them here."""


@dataclass(frozen=True)
class InputRemedy:
    """A change to the input with which a network runs.

    Attributes:
        text: the change, in words of a message.
        words: flags that make it; none where no flag does.
    """

    text: str
    words: tuple[str, ...] = ()


def input_remedy(network: nn.Module, example: Tensor) -> InputRemedy | None:
    """Try other numbers of channels, then padded sizes; None where none of them helps.

    Args:
        network: in evaluation mode; it does not run on ``example``.
        example: ``(B, C, H, W)`` float32.
    """
    for count in (*_CHANNELS, *_OTHER_CHANNELS):
        if count == example.shape[1] or not _runs(network, example[:, :1].expand(-1, count, -1, -1).contiguous()):
            continue
        if count in _CHANNELS:
            return InputRemedy(
                f"it runs on {count} channels, give --network-channels {_CHANNELS[count]}; or",
                ("--network-channels", _CHANNELS[count]),
            )
        return InputRemedy(
            f"it runs on {count} channels, and frames of {count} channels are not supported: make them of three inside the "
            "network; or"
        )
    tried = tuple(example.shape[-2:])
    for multiple in _MULTIPLES:
        bottom, right = (-length % multiple for length in example.shape[-2:])
        size = (example.shape[-2] + bottom, example.shape[-1] + right)
        if size != tried and _runs(network, F.pad(example, (0, right, 0, bottom))):
            return InputRemedy(
                f"it runs with --pad {multiple}, which adds rows and columns; or", ("--pad", str(multiple))
            )
        tried = size
    return None


def _runs(network: nn.Module, example: Tensor) -> bool:
    try:
        with torch.inference_mode(), refuse_exit(ConversionError, network_name(network)):
            network(example)
    except Exception:  # a trial: what the network said of its own input is what is reported
        return False
    return True
