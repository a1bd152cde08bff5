# SPDX-License-Identifier: Apache-2.0
"""Refuse hyper-parameters that name classes for the network's code to import and build, since a name can run any code."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from export.errors import CheckpointError
from lsood_runtime.offline import printable

_KEYS = ("class_path", "_target_")  # of LightningCLI and of Hydra
_HARMLESS = (nn.Module, Optimizer, LRScheduler)


def refuse_named_classes(hyper_parameters: object, path: Path) -> None:
    """Refuse names of what is not imported yet, or is no network, optimizer or schedule.

    Args:
        hyper_parameters: of the checkpoint, without those that the user gave.
        path: of the checkpoint.

    Raises:
        CheckpointError: it gives the names and the flag that allows them.
    """
    unknown = [name for name in dict.fromkeys(_names(hyper_parameters)) if not _is_harmless(name)]
    if unknown:
        names = printable(", ".join(unknown))
        raise CheckpointError(
            f"the hyper-parameters of {path} name what the network's code would import and call, "
            f"{names}, which could run any code: give --trust-checkpoint if you know where it comes from",
            words=("--trust-checkpoint",),
        )


def _names(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (str(value[key]) for key in _KEYS if key in value)
        for item in value.values():
            yield from _names(item)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from _names(item)


def _is_harmless(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None)
    return isinstance(found, type) and issubclass(found, _HARMLESS)
