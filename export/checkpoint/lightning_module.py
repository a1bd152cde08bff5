# SPDX-License-Identifier: Apache-2.0
"""Build a LightningModule from its checkpoint by Lightning's own ``load_from_checkpoint``.

Lightning never reads the file: what was read safely is written into memory and handed to it, so that no version of it
unpickles anything else. Its rules then hold for hyper-parameters under a name or in a type, for those that the constructor
does not take, and for ``configure_model`` and ``on_load_checkpoint``.
"""

import argparse
import copy
import importlib.metadata
import inspect
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from export.checkpoint.files_beside import hyper_parameters_beside
from export.checkpoint.filling import OF_ANOTHER_NETWORK, shortened_report
from export.checkpoint.named_classes import refuse_named_classes
from export.checkpoint.plain_values import plain_values
from export.checkpoint.safe_types import safe_types
from export.checkpoint.user_model import check_arguments
from export.errors import CheckpointError, first_line, refuse_exit
from export.findings import Finding
from export.source_lines import raised_at
from lsood_runtime.offline import printable

_PACKAGES = {"pytorch_lightning": "pytorch_lightning.cli", "lightning": "lightning.pytorch.cli"}
_CLI = "_instantiator"
_VERSION, _HYPER_PARAMETERS, _NAME, _TYPE = (
    "pytorch-lightning_version",
    "hyper_parameters",
    "hparams_name",
    "hparams_type",
)


@dataclass(frozen=True, eq=False)
class LightningBuild:
    """A LightningModule as Lightning built it.

    Attributes:
        module: with whatever weights fitted.
        weights: the state dict after ``on_load_checkpoint``.
        hyper_parameters: of the checkpoint or a file beside it, with those of the user in their place.
        may_lack: whether the module says by ``strict_loading`` that a checkpoint need not hold all its weights.
        findings: where the hyper-parameters come from, and which are not used.
    """

    module: nn.Module
    weights: Mapping[str, object]
    hyper_parameters: dict[str, Any]
    may_lack: bool
    findings: tuple[Finding, ...]


def lightning_class(target: Callable[..., object]) -> type | None:
    """The class itself where it is a LightningModule of ``pytorch_lightning`` or ``lightning``, else None."""
    if not isinstance(target, type):
        return None
    return target if _package(target) is not None else None


def is_of_lightning(contents: object) -> bool:
    """Whether a Trainer wrote these contents."""
    return isinstance(contents, Mapping) and isinstance(contents.get("state_dict"), Mapping) and _VERSION in contents


def build_lightning_module(
    target: type,
    contents: Mapping[str, object],
    path: Path,
    model_args: Mapping[str, object],
    *,
    trust: bool,
) -> LightningBuild:
    """Build a LightningModule as ``load_from_checkpoint`` does.

    Args:
        target: the class.
        contents: of the checkpoint, with a ``state_dict``.
        path: of the checkpoint.
        model_args: arguments by the user, in place of hyper-parameters.
        trust: whether the contents may hold any object.

    Raises:
        CheckpointError: arguments are missing or unknown, or the constructor or a hook fails.
    """
    checkpoint, findings = _complete(target, contents, path)
    checkpoint = _with_arguments(target, checkpoint, model_args, path, trust=trust)
    findings += _unused(target, checkpoint)
    module = _load(target, checkpoint, model_args, trust=trust)
    weights, may_lack = _mended(module, checkpoint)
    return LightningBuild(
        module=module,
        weights=weights,
        hyper_parameters={**plain_values(checkpoint[_HYPER_PARAMETERS]), **model_args},
        may_lack=may_lack,
        findings=tuple(findings),
    )


def finish_module(module: Any, contents: Any) -> tuple[Mapping[str, object], bool]:
    """Do for a LightningModule that is built already what ``load_from_checkpoint`` does before it loads the weights.

    Args:
        module: is changed by its ``configure_model``.
        contents: of a checkpoint that a Trainer wrote.

    Returns:
        The state dict after ``on_load_checkpoint``, and whether it need not have all weights, by ``strict_loading``.

    Raises:
        CheckpointError: a hook fails.
    """
    try:
        with refuse_exit(CheckpointError, type(module).__name__):
            module.configure_model()
    except CheckpointError:
        raise
    except Exception as error:  # the user's hook may raise anything
        raise _failed(type(module), error) from error
    return _mended(module, contents)


def _mended(module: Any, contents: Mapping[str, Any]) -> tuple[Mapping[str, object], bool]:
    mended = {**contents, "state_dict": copy.copy(contents["state_dict"])}
    try:
        with refuse_exit(CheckpointError, type(module).__name__):
            module.on_load_checkpoint(mended)
    except CheckpointError:
        raise
    except Exception as error:  # the user's hook may raise anything
        raise _failed(type(module), error) from error
    return mended["state_dict"], not module.strict_loading


def _package(target: type) -> str | None:
    for base in target.__mro__:
        package = base.__module__.partition(".")[0]
        if base.__name__ == "LightningModule" and package in _PACKAGES:
            return package
    return None


def _complete(target: type, contents: Mapping[str, object], path: Path) -> tuple[dict[str, Any], list[Finding]]:
    """What a Trainer writes, of contents that may lack hyper-parameters or be a bare state dict."""
    package = _package(target) or "pytorch_lightning"
    checkpoint: dict[str, Any] = {_VERSION: importlib.metadata.version(package.replace("_", "-")), **contents}
    if "optimizer_states" in checkpoint:
        checkpoint["optimizer_states"] = []  # twice as large as the weights, and of no use here
    if not checkpoint.get(_HYPER_PARAMETERS):
        beside = hyper_parameters_beside(path, {base.__name__ for base in target.__mro__})
        checkpoint[_HYPER_PARAMETERS] = {} if beside is None else beside[1]
        if beside is not None:
            reason = f"the checkpoint has no hyper-parameters, {beside[0].name} beside it has"
            return checkpoint, [Finding("arguments", ", ".join(beside[1]), "found", reason)]
    return checkpoint, []


def _with_arguments(
    target: type, checkpoint: dict[str, Any], model_args: Mapping[str, object], path: Path, *, trust: bool
) -> dict[str, Any]:
    """Check the arguments, and settle by which name and instantiator the hyper-parameters go to the constructor."""
    known = checkpoint[_HYPER_PARAMETERS] = copy.copy(checkpoint[_HYPER_PARAMETERS])
    if not isinstance(known, Mapping):
        raise CheckpointError(
            f"expected named hyper-parameters in {path}, got {type(known).__name__}: give --model-arg"
        )
    name = _one_argument(target, checkpoint)
    if name in model_args:
        known = checkpoint[_HYPER_PARAMETERS] = {}
        checkpoint.pop(_NAME)
        name = None
    carried = set(known) if name is None else {name}
    check_arguments(target.__name__, inspect.signature(target), model_args if name is None else {}, carried)
    if _CLI in known:
        _settle_instantiator(target, known, path)
    if not trust:
        refuse_named_classes({key: value for key, value in plain_values(known).items() if key not in model_args}, path)
    return checkpoint


def _one_argument(target: type, checkpoint: Mapping[str, Any]) -> str | None:
    """Name of the argument that takes all hyper-parameters at once, where there is one."""
    name = checkpoint.get(_NAME)
    by_name = [
        p.name for p in inspect.signature(target).parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    return name if name in by_name else None


def _settle_instantiator(target: type, known: Any, path: Path) -> None:
    """Let LightningCLI's own function of the module's package build it, and no other that the file may name."""
    if known[_CLI] not in {f"{cli}.instantiate_module" for cli in _PACKAGES.values()}:
        raise CheckpointError(
            f"expected LightningCLI's instantiator in {path}, got {known['_instantiator']!r}: save the checkpoint again "
            "without _instantiator in its hyper-parameters"
        )
    known[_CLI] = f"{_PACKAGES[_package(target) or 'lightning']}.instantiate_module"
    written = str(known.pop("_class_path", target.__name__))
    if written.rpartition(".")[2] not in {base.__name__ for base in target.__mro__}:
        raise CheckpointError(
            f"expected a checkpoint of {target.__name__}, {path} is of {printable(written)}: name it by --model",
            words=("--model", written),
        )


def _unused(target: type, checkpoint: Mapping[str, Any]) -> list[Finding]:
    """Say which hyper-parameters the constructor does not take."""
    parameters = inspect.signature(target).parameters
    if _one_argument(target, checkpoint) or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return []
    return unused_found(target, [name for name in checkpoint[_HYPER_PARAMETERS] if name not in {*parameters, _CLI}])


def unused_found(target: Callable[..., object], names: Sequence[str]) -> list[Finding]:
    """Say which hyper-parameters a class or function does not take; nothing where there are none."""
    reason = f"the checkpoint has them, {getattr(target, '__name__', target)} does not take them"
    return [Finding("arguments", f"without {printable(', '.join(map(str, names)))}", "found", reason)] if names else []


def _load(target: type, checkpoint: dict[str, Any], model_args: Mapping[str, object], *, trust: bool) -> Any:
    """Call ``load_from_checkpoint``; with a Namespace where a plain dict does not do."""
    try:
        return _load_once(target, checkpoint, model_args, trust=trust)
    except CheckpointError as error:
        if _one_argument(target, checkpoint) is None or checkpoint.get(_TYPE) is not None:
            raise
        try:
            return _load_once(target, {**checkpoint, _TYPE: as_namespace}, model_args, trust=trust)
        except CheckpointError:
            raise error from None


def as_namespace(values: Mapping[str, object]) -> argparse.Namespace:
    """Hyper-parameters as ``argparse`` gave them, of which Lightning keeps the dict alone."""
    return argparse.Namespace(**values)


def _load_once(target: Any, checkpoint: dict[str, Any], model_args: Mapping[str, object], *, trust: bool) -> Any:
    taken = inspect.signature(target.load_from_checkpoint).parameters
    options: dict[str, object] = {"map_location": "cpu"}
    if "weights_only" in taken:
        options["weights_only"] = not trust
    own = {name: value for name, value in model_args.items() if name not in taken}
    clashing = {name: value for name, value in model_args.items() if name in taken}
    known = copy.copy(checkpoint[_HYPER_PARAMETERS])
    try:
        known.update(clashing)
        with refuse_exit(CheckpointError, target.__name__), warnings.catch_warnings():
            for kind in (UserWarning, DeprecationWarning, FutureWarning):
                warnings.simplefilter("ignore", kind)  # of other versions, and of keys, which are judged afterwards
            contents = {**checkpoint, _HYPER_PARAMETERS: known}
            try:
                return _from_memory(target, contents, options | own)
            except RuntimeError as error:
                if not _is_of_weights(error):
                    raise
                misfit = error
            return _without_names(target, contents, options | own, misfit)
    except CheckpointError:
        raise
    except Exception as error:  # the user's constructor and hooks may raise anything
        raise _failed(target, error) from error


def _without_names(
    target: Any, contents: Mapping[str, object], options: Mapping[str, object], misfit: Exception
) -> object:
    """Build the module whatever the names of the weights are, for which prefixes are looked for afterwards."""
    try:
        return _from_memory(target, contents, {**options, "strict": False})
    except (RuntimeError, ValueError) as error:  # of shapes, or of a module that insists on names
        if not (_is_of_weights(error) or "strict" in str(error)):
            raise
        found = error if _is_of_weights(error) else misfit
        raise CheckpointError(
            f"expected weights of {target.__name__}, those of the checkpoint {OF_ANOTHER_NETWORK}: "
            f"{shortened_report(found)}; check --model and --model-arg"
        ) from error


def _is_of_weights(error: Exception) -> bool:
    return str(error).startswith("Error(s) in loading state_dict")


def _from_memory(target: Any, contents: Mapping[str, object], options: Mapping[str, object]) -> object:
    file = io.BytesIO()
    torch.save(contents, file)
    file.seek(0)
    with torch.serialization.safe_globals([*safe_types(), as_namespace]):
        return target.load_from_checkpoint(file, **options)


def _failed(target: type, error: Exception) -> CheckpointError:
    if isinstance(error, ImportError) and "jsonargparse" in str(error):
        return CheckpointError(
            f"expected the package jsonargparse to build {target.__name__} as LightningCLI does, found none: "
            "pip install 'jsonargparse[signatures]'"
        )
    return CheckpointError(
        f"expected hyper-parameters that {target.__name__} can be built with, got {first_line(error)}{raised_at(error)}: "
        "correct them by --model-arg key=value",
        subject="arguments",
    )
