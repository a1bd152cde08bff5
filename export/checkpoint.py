# SPDX-License-Identifier: Apache-2.0
"""Read a PyTorch-Lightning checkpoint without running code from it, and build the network it was trained as."""

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from export.errors import CheckpointError
from export.models import DeepLabV3PlusModule


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode, and what its checkpoint says about it.

    Attributes:
        network: the LightningModule with its weights.
        hyper_parameters: constructor arguments that stood in the checkpoint.
        path: the file.
    """

    network: DeepLabV3PlusModule
    hyper_parameters: dict[str, Any]
    path: Path


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Load a DeepLabV3+ checkpoint, ours or the guide's.

    Raises:
        CheckpointError: the file is missing, cut off, no Lightning checkpoint, or another network's.
    """
    path = Path(path)
    contents = _read(path)
    weights, hyper_parameters = contents["state_dict"], dict(contents["hyper_parameters"])
    try:
        network = DeepLabV3PlusModule(**(hyper_parameters | {"pretrained_backbone": False}))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"expected a checkpoint of DeepLabV3PlusModule, the hyper-parameters of {path} do not fit it: {error}"
        ) from error
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"expected a checkpoint of DeepLabV3PlusModule, the weights in {path} are another network's: {_misfit(error)}"
        ) from error
    return Checkpoint(network.eval().requires_grad_(False), hyper_parameters, path)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"expected a checkpoint file, found none at {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of foreign pickles: what they hold is refused below
            contents = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds pickled Python objects beside its weights, or is cut off; loading them could run any code: "
            "save it again with plain hyper-parameters (numbers, strings, lists)"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"expected a PyTorch-Lightning checkpoint, {path} is cut off or no checkpoint: {reason}"
        ) from error
    if not isinstance(contents, dict) or not {"state_dict", "hyper_parameters"} <= contents.keys():
        found = ", ".join(sorted(map(str, contents))[:5]) if isinstance(contents, dict) else type(contents).__name__
        raise CheckpointError(
            f"expected a PyTorch-Lightning checkpoint with state_dict and hyper_parameters, found {found} in {path}: "
            "call save_hyperparameters() in the module and save through the Trainer"
        )
    return contents


def _misfit(error: RuntimeError) -> str:
    """The first line of torch's report that names a parameter, shortened."""
    detail = str(error).splitlines()[1].strip()
    return detail if len(detail) < 200 else f"{detail[:200]} ..."
