# SPDX-License-Identifier: Apache-2.0
"""Read a checkpoint without running code from it, and build its network."""

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.checkpoint.user_model import build_network, import_model, importable_working_directory
from export.errors import CheckpointError, first_line, refuse_exit
from export.findings import Finding
from export.models import DeepLabV3PlusModule
from export.reporter import SILENT, Reporter

HyperParameters = dict[str, Any]
"""By name, as Lightning pickled them; the network's constructor alone knows their types."""


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode with its hyper-parameters.

    Attributes:
        network: the network with its weights.
        hyper_parameters: constructor arguments from the checkpoint, and those that the user gave in their place.
        path: the file.
    """

    network: nn.Module
    hyper_parameters: HyperParameters
    path: Path


def load_checkpoint(
    path: str | Path,
    model: str | None = None,
    model_args: Mapping[str, object] | None = None,
    *,
    trust: bool = False,
    reporter: Reporter = SILENT,
) -> Checkpoint:
    """Load a checkpoint of any network.

    Args:
        path: a Lightning checkpoint or, with ``model``, a state dict, alone or under the key ``state_dict``.
        model: ``package.module:Class``, looked for in the working directory too; None for DeepLabV3+, ours or the
            guide's.
        model_args: constructor arguments that replace or complete the checkpoint's hyper-parameters.
        trust: unpickle whatever the file holds, which may run any code.
        reporter: told what the weights were found to be.

    Raises:
        CheckpointError: the file is missing, cut off or no checkpoint, the class cannot be imported or built, or the
            weights are another network's.
        UsageError: ``model`` is not of the form ``package.module:Class``.
    """
    with refuse_exit(CheckpointError, "the code of the network or of its checkpoint"):
        loaded = _load_checkpoint(Path(path), model, model_args or {}, trust)
    reporter.found(_weights_found(loaded))
    return loaded


def _load_checkpoint(path: Path, model: str | None, model_args: Mapping[str, object], trust: bool) -> Checkpoint:
    with importable_working_directory():  # a trusted pickle may name the user's own classes
        weights, hyper_parameters = _weights(_read(path, trust), path, bare=model is not None)
        hyper_parameters |= model_args
        network = build_network(import_model(model), hyper_parameters) if model else _deeplab(hyper_parameters, path)
    _fill(network, weights, path)
    return Checkpoint(network.eval().requires_grad_(False), hyper_parameters, path)


def _weights_found(loaded: Checkpoint) -> Finding:
    weights = sum(parameter.numel() for parameter in loaded.network.parameters())
    reason = f"all of them are those of {type(loaded.network).__name__}"
    return Finding("weights", f"{weights:,} parameters", "found", reason)


def _read(path: Path, trust: bool) -> object:
    if not path.is_file():
        raise CheckpointError(f"expected a checkpoint file, found none at {path}: check --ckpt")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of foreign pickles: what they hold is refused below
            return torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        if trust:
            raise _damaged(path, error) from error
        raise CheckpointError(
            f"{path} holds pickled Python objects beside its weights, or is cut off; loading them could run any code: "
            "save it again with plain hyper-parameters (numbers, strings, lists), or give --trust-checkpoint if you know "
            "where it comes from"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, error) from error
    except (ImportError, AttributeError) as error:
        raise CheckpointError(
            f"expected to find the classes that are pickled in {path}, got {error}: run from the folder that holds them"
        ) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"expected a checkpoint, {path} is cut off or none: {first_line(error)}; save or copy it again"
    )


def _weights(contents: object, path: Path, bare: bool) -> tuple[Mapping[str, Tensor], HyperParameters]:
    """Split a checkpoint into state dict and hyper-parameters; ``bare`` allows a state dict alone."""
    if isinstance(contents, dict):
        if isinstance(contents.get("state_dict"), dict) and (bare or "hyper_parameters" in contents):
            return contents["state_dict"], dict(contents.get("hyper_parameters") or {})
        if bare and contents and all(isinstance(value, Tensor) for value in contents.values()):
            return contents, {}
    found = ", ".join(sorted(map(str, contents))[:5]) if isinstance(contents, dict) else type(contents).__name__
    if bare:
        raise CheckpointError(
            f"expected a state dict, alone or under the key state_dict, found {found} in {path}: "
            "save network.state_dict()"
        )
    raise CheckpointError(
        f"expected a PyTorch-Lightning checkpoint with state_dict and hyper_parameters, found {found} in {path}: "
        "call save_hyperparameters() in the module and save through the Trainer, or name the network's class by --model"
    )


def _deeplab(hyper_parameters: HyperParameters, path: Path) -> DeepLabV3PlusModule:
    try:
        return DeepLabV3PlusModule(**(hyper_parameters | {"pretrained_backbone": False}))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"expected a checkpoint of DeepLabV3PlusModule, the hyper-parameters of {path} do not fit it: {error}; "
            "name another network's class by --model"
        ) from error


def _fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load the weights, which must be exactly those of the network."""
    expected = network.state_dict()
    differing = {
        "missing": [key for key in expected if key not in weights],
        "unexpected": [key for key in weights if key not in expected],
    }
    details = [f"{len(keys)} {what}, the first is {keys[0]}" for what, keys in differing.items() if keys]
    if not details:
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            details = [_misfit(error)]
    if details:
        remedy = (
            "check --model and --model-arg"
            if not isinstance(network, DeepLabV3PlusModule)
            else "name its class by --model"
        )
        raise CheckpointError(
            f"expected weights of {type(network).__name__}, those in {path} are another network's: "
            f"{'; '.join(details)}; {remedy}"
        )


def _misfit(error: RuntimeError) -> str:
    """Shorten torch's report to its first line that names a parameter."""
    detail = str(error).splitlines()[1].strip()
    return detail if len(detail) < 200 else f"{detail[:200]} ..."
