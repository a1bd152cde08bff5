# SPDX-License-Identifier: Apache-2.0
"""Load the network of a checkpoint: build it, and fill it with the weights that are its own."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from export.checkpoint.argument_remedies import with_better_arguments, with_missing_arguments
from export.checkpoint.arguments import SwitchedOff, ready_arguments
from export.checkpoint.build_limit import limited_construction
from export.checkpoint.download import download_error
from export.checkpoint.filling import OF_ANOTHER_NETWORK, fill_network
from export.checkpoint.frozen import frozen
from export.checkpoint.lightning_module import (
    build_lightning_module,
    finish_module,
    is_of_lightning,
    lightning_class,
    unused_found,
)
from export.checkpoint.method_names import check_method_names
from export.checkpoint.module_file import class_of, importable_for
from export.checkpoint.named_classes import refuse_named_classes
from export.checkpoint.plain_values import plain_values
from export.checkpoint.read import read_contents
from export.checkpoint.state_dicts import StateDict, find_state_dicts
from export.checkpoint.stood_in_downloads import stood_in_downloads
from export.checkpoint.user_model import build_network, import_model, importable_working_directory, tried_to_download
from export.errors import CheckpointError, refuse_exit
from export.findings import PLACEHOLDER, Finding
from export.models import DeepLabV3PlusModule
from export.reporter import SILENT, Reporter
from lsood_runtime.offline import printable

HyperParameters = dict[str, Any]
"""By name, as Lightning pickled them; the network's constructor alone knows their types."""
_HYPER_PARAMETERS = "hyper_parameters"


@dataclass(frozen=True, eq=False)
class Unswitched:
    """The same network, built with the arguments whose downloads were switched off for the other one.

    Attributes:
        switched: what was switched off.
        build: builds it without a download, and fills it with the weights of the checkpoint; raises CheckpointError where it
            needs the download, or where the weights are not its own.
    """

    switched: tuple[SwitchedOff, ...]
    build: Callable[[], nn.Module]


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode with its hyper-parameters.

    Attributes:
        network: the network with its weights.
        hyper_parameters: constructor arguments from the checkpoint, and those that the user gave in their place.
        path: the file; None for a network that was given live.
        unswitched: the network as it would be without the switches against downloads, until it is known whether that differs;
            None where nothing was switched off.
    """

    network: nn.Module
    hyper_parameters: HyperParameters
    path: Path | None
    unswitched: Unswitched | None = None


def load_checkpoint(
    path: str | Path,
    model: str | None = None,
    model_args: Mapping[str, object] | None = None,
    *,
    key: str | None = None,
    prefix: str | None = None,
    trust: bool = False,
    reporter: Reporter = SILENT,
) -> Checkpoint:
    """Load a checkpoint of any network.

    Args:
        path: a Lightning checkpoint or, with ``model``, a file that holds a state dict, alone or under any name; with
            ``trust`` a pickled network too.
        model: ``package.module:Class``, ``package.module.Class``, or a Python file's path with ``:Class``, looked for in
            the working directory too; None for a pickled network, else for DeepLabV3+, ours or the guide's.
        model_args: constructor arguments that replace or complete the checkpoint's hyper-parameters; one that is an object is
            written as ``{class_path: ..., init_args: {...}}``.
        key: name of the state dict in the file, dots leading into nested dicts; None for the one that fits.
        prefix: of the names to take from it; None for the one that fits.
        trust: unpickle whatever the file holds, which may run any code.
        reporter: told what the weights were found to be.

    Raises:
        CheckpointError: the file is missing, cut off or no checkpoint, the class cannot be imported or built, or the
            weights are another network's, or several that differ.
        UsageError: ``model`` is of another form.
    """
    wanted = _Wanted(model, model_args or {}, key, prefix, trust)
    with refuse_exit(CheckpointError, "the code of the network or of its checkpoint"):
        loaded, findings = _load_checkpoint(Path(path), wanted)
    is_whole = all(finding.origin != "guessed" for finding in findings if finding.subject == "weights")
    reporter.found(_weights_found(loaded, is_whole=is_whole), *findings)
    return loaded


@dataclass(frozen=True)
class _Wanted:
    """The arguments of :func:`load_checkpoint` that choose what is loaded."""

    model: str | None
    model_args: Mapping[str, object]
    key: str | None
    prefix: str | None
    trust: bool
    switch_off: bool = True


@dataclass(frozen=True, eq=False)
class _Built:
    """A network, the state dicts that may be its own, and the function that it was built by with its arguments."""

    network: nn.Module
    sources: tuple[StateDict, ...]
    hyper_parameters: HyperParameters
    may_lack: bool = False
    findings: tuple[Finding, ...] = ()
    target: Callable[..., object] | None = None
    arguments: Mapping[str, object] = field(default_factory=dict)
    switched: tuple[SwitchedOff, ...] = ()


def _load_checkpoint(path: Path, wanted: _Wanted) -> tuple[Checkpoint, tuple[Finding, ...]]:
    with importable_working_directory():  # a trusted pickle may name the user's own classes
        contents = read_contents(path, trust=wanted.trust)
        sources = find_state_dicts(contents, wanted.key)
        with limited_construction(sources):
            built = _build_offline(contents, sources, path, wanted)
        found = _fill(built, path, wanted)
    unswitched = None
    if built.switched:
        build = partial(_build_unswitched, contents, sources, path, wanted)
        unswitched = Unswitched(built.switched, build)
    loaded = Checkpoint(frozen(built.network), built.hyper_parameters, path, unswitched)
    return loaded, built.findings + tuple(_by_the_user(finding, wanted) for finding in found)


def _fill(built: _Built, path: Path, wanted: _Wanted) -> tuple[Finding, ...]:
    network, remedy, may_lack = built.network, _remedy(built.network), built.may_lack
    if may_lack and built.switched:
        asked = " ".join(f"--model-arg {each.asked_value}" for each in built.switched if not each.place)
        may_lack, remedy = (
            False,
            f"those that it lacks may be the ones that its constructor fetches: give {asked or remedy}",
        )
    check_method_names(network)
    try:
        return fill_network(network, built.sources, path, wanted.prefix, may_lack=may_lack, remedy=remedy)
    except CheckpointError as error:
        other = with_better_arguments(error, built.target, built.arguments, built.sources, wanted.model_args)
        raise other from error.__cause__


def _build_offline(contents: object, sources: tuple[StateDict, ...], path: Path, wanted: _Wanted) -> _Built:
    """Build a network; again without its download where that fails, since the weights come from the checkpoint."""
    try:
        return _build(contents, sources, path, wanted)
    except CheckpointError as error:
        if download_error(error) is None:
            raise
        try:
            with stood_in_downloads() as asked:
                built = _build(contents, sources, path, wanted)
        except CheckpointError:
            raise error from error.__cause__
    reason = "no connection was made for it: all weights come from the checkpoint"
    skipped = Finding("weights", f"without {printable(', '.join(asked))}", "found", reason)
    return replace(built, may_lack=False, findings=(*built.findings, skipped))


def _build_unswitched(contents: object, sources: tuple[StateDict, ...], path: Path, wanted: _Wanted) -> nn.Module:
    unswitched = replace(wanted, switch_off=False)
    with importable_working_directory(), torch.random.fork_rng(devices=[]):
        with (
            refuse_exit(CheckpointError, "the code of the network"),
            limited_construction(sources),
            stood_in_downloads(),
        ):
            built = _build(contents, sources, path, unswitched)
        _fill(replace(built, may_lack=False), path, unswitched)
    return frozen(built.network)


def _build(contents: object, sources: tuple[StateDict, ...], path: Path, wanted: _Wanted) -> _Built:
    pickled = tuple(source for source in sources if source.module is not None)
    if wanted.model is None and pickled:
        return _Built(_unpickled(pickled[0]), pickled, {})
    if wanted.model is None and wanted.key is None:
        sources = tuple(source for source in sources if source.key == "state_dict")
    _check(contents, sources, path, bare=wanted.model is not None)
    if wanted.model is None:
        hyper_parameters = {**plain_values(_hyper_parameters(contents)), **wanted.model_args}
        return _Built(_deeplab(hyper_parameters, path), sources, hyper_parameters)
    target = import_model(wanted.model)
    module = lightning_class(class_of(target))
    if module is not None:
        with importable_for(target):
            return _build_module(module, contents, sources, path, wanted)
    return _build_plain(target, contents, sources, path, wanted)


def _build_plain(
    target: Callable[..., object], contents: object, sources: tuple[StateDict, ...], path: Path, wanted: _Wanted
) -> _Built:
    carried = _hyper_parameters(contents)
    findings = []
    parameters = inspect.signature(target).parameters.values()
    if is_of_lightning(contents) and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        unused = [name for name in carried if name not in {p.name for p in parameters}]
        carried = {name: value for name, value in carried.items() if name not in unused}
        findings += unused_found(target, unused)
    if not wanted.trust:
        refuse_named_classes(
            {name: value for name, value in plain_values(carried).items() if name not in wanted.model_args}, path
        )
    arguments, switched = ready_arguments(
        target, {**carried, **wanted.model_args}, wanted.model_args, named=True, switch_off=wanted.switch_off
    )
    try:
        network = build_network(target, arguments)
    except CheckpointError as error:
        raise with_missing_arguments(error, target, arguments, sources) from error.__cause__
    known = {**plain_values(_hyper_parameters(contents)), **wanted.model_args}
    may_lack = False
    if lightning_class(type(network)) is not None and is_of_lightning(contents) and wanted.key is None:
        weights, may_lack = finish_module(network, contents)  # of a function that returns a LightningModule
        sources = (StateDict("state_dict", weights),)
    return _Built(network, sources, known, may_lack, tuple(findings), target, arguments, switched)


def _build_module(
    module: type, contents: object, sources: tuple[StateDict, ...], path: Path, wanted: _Wanted
) -> _Built:
    """Build a LightningModule, whose weights are by Lightning's rule those under ``state_dict``."""
    written = contents if isinstance(contents, Mapping) and "state_dict" in contents else {}
    by_rule = wanted.key is None and bool(written)
    if not by_rule:
        written = {**written, _HYPER_PARAMETERS: _hyper_parameters(contents), "state_dict": sources[0].weights}
    taken = inspect.signature(module).parameters
    known = {**_hyper_parameters(contents), **wanted.model_args}
    known = {name: value for name, value in known.items() if name in taken or name in wanted.model_args}
    ready, switched = ready_arguments(module, known, wanted.model_args, switch_off=wanted.switch_off)
    changed = {name: value for name, value in ready.items() if name not in known or value is not known[name]}
    own = {name: ready[name] for name in (*wanted.model_args, *changed)}
    try:
        built = build_lightning_module(module, written, path, own, trust=wanted.trust)
    except CheckpointError as error:
        download = download_error(error.__cause__)
        if download is not None:
            raise tried_to_download(module, ready, download) from error.__cause__
        if OF_ANOTHER_NETWORK in str(error):
            raise with_better_arguments(error, module, ready, sources, wanted.model_args) from error.__cause__
        raise with_missing_arguments(error, module, ready, sources) from error.__cause__
    findings = built.findings
    if by_rule:
        others = [
            source.key for source in sources if source.key != "state_dict" and source.holds_as_many_as(built.weights)
        ]
        if others:
            reason = f"which Lightning loads; {', '.join(others)} may be weights too"
            findings += (Finding("weights", "key state_dict", "found", reason, ("--key", "state_dict")),)
        sources = (StateDict("state_dict", built.weights),)
    known = {**built.hyper_parameters, **wanted.model_args}
    return _Built(built.module, sources, known, built.may_lack, findings, module, ready, switched)


def _by_the_user(finding: Finding, wanted: _Wanted) -> Finding:
    """Say of a key or prefix that the user gave it."""
    given = {"--key": wanted.key, "--prefix": wanted.prefix}
    is_given = bool(finding.words) and given.get(finding.words[0]) is not None
    return replace(finding, origin="given") if is_given else finding


def _weights_found(loaded: Checkpoint, *, is_whole: bool) -> Finding:
    weights = sum(parameter.numel() for parameter in nn.Module.parameters(loaded.network))
    share = "all of them are" if is_whole else "those in the file are"
    reason = f"{share} those of {type(loaded.network).__name__}"
    return Finding("weights", f"{weights:,} parameters", "found", reason)


def _unpickled(source: StateDict) -> nn.Module:
    """A pickled network in float32, without the wrapper of data parallelism.

    Raises:
        CheckpointError: it is TorchScript, whose layers cannot be read.
    """
    network = source.module
    assert network is not None
    if isinstance(network, torch.jit.ScriptModule):
        raise CheckpointError(
            "expected a network in Python, got TorchScript: name its class by --model, its weights are taken from the file",
            words=("--model", PLACEHOLDER),
        )
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        network = network.module
    check_method_names(network, ("float",))
    return network.float()


def _check(contents: object, sources: Sequence[StateDict], path: Path, *, bare: bool) -> None:
    """Refuse what is no checkpoint; ``bare`` allows any state dict."""
    if bare and sources:
        return
    found = ", ".join(sorted(map(str, contents))[:5]) if isinstance(contents, dict) else type(contents).__name__
    if bare:
        raise CheckpointError(
            f"expected a state dict, alone or under the key state_dict, found {found} in {path}: "
            "save network.state_dict()"
        )
    lightning = isinstance(contents, Mapping) and {"state_dict", "hyper_parameters"} <= contents.keys()
    if not (lightning and sources):
        raise CheckpointError(
            f"expected a PyTorch-Lightning checkpoint with state_dict and hyper_parameters, found {found} in {path}: call "
            "save_hyperparameters() in the module and save through the Trainer, or name the network's class by --model",
            words=("--model", PLACEHOLDER),
        )


def _hyper_parameters(contents: object) -> HyperParameters:
    found = contents.get(_HYPER_PARAMETERS) if isinstance(contents, Mapping) else None
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else plain_values(found)


def _deeplab(hyper_parameters: HyperParameters, path: Path) -> DeepLabV3PlusModule:
    try:
        return DeepLabV3PlusModule(**(hyper_parameters | {"pretrained_backbone": False}))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"expected a checkpoint of DeepLabV3PlusModule, the hyper-parameters of {path} do not fit it: {error}; "
            "name another network's class by --model"
        ) from error


def _remedy(network: nn.Module) -> str:
    return "name its class by --model" if isinstance(network, DeepLabV3PlusModule) else "check --model and --model-arg"
