# SPDX-License-Identifier: Apache-2.0
"""Import a class or a factory function that a user names, and build a network with it."""

import difflib
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from torch import nn

from export.checkpoint.download import download_error, without_downloads
from export.checkpoint.module_file import called_in_folder, class_of, import_file, importable_folder, root_of
from export.errors import CheckpointError, UsageError, first_line, refuse_exit
from export.findings import PLACEHOLDER
from export.source_lines import raised_at

_FORMS = "package.module:Class, package.module.Class or path/to/file.py:Class"


@contextmanager
def importable_working_directory() -> Iterator[None]:
    """Put the working directory on the import path, as ``python -m`` does and a console script does not."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def import_model(spec: str) -> Callable[..., object]:
    """Import a class or a function.

    Args:
        spec: ``package.module:Class``, ``package.module.Class``, or the path of a Python file with ``:Class``; in place of a
            class, a function that returns a network.

    Raises:
        UsageError: ``spec`` is of another form.
        CheckpointError: the module cannot be imported, or holds no such class or function.
    """
    module_name, _, name = spec.rpartition(":" if ":" in spec else ".")
    if not (module_name and name) or name == "py":
        raise UsageError(f"expected {_FORMS}, got {spec!r}: name the module and, after a colon, the class")
    if not module_name.endswith(".py"):
        return _member(_imported(module_name, lambda: importlib.import_module(module_name)), name, module_name)
    path = Path(module_name)
    if not path.is_file():
        raise CheckpointError(
            f"expected a Python file at {module_name}, found none: check the path before the colon of --model",
            words=("--model", PLACEHOLDER),
        )
    folder = root_of(path)
    with importable_folder(folder):
        module = _imported(module_name, lambda: import_file(path))
    return called_in_folder(_member(module, name, module_name), folder)


def _imported(name: str, do_import: Callable[[], ModuleType]) -> ModuleType:
    try:
        with refuse_exit(CheckpointError, name):
            return do_import()
    except CheckpointError:
        raise
    except Exception as error:  # the user's module may raise anything while it is imported
        missing = error.name if isinstance(error, ModuleNotFoundError) and error.name else None
        is_itself = missing is not None and f"{name}.".startswith(f"{missing}.")
        if is_itself:
            remedy = "run from the folder that holds it, or install it"
        elif missing is not None:
            remedy = f"install what holds {missing}, or run from the folder that does"
        else:
            remedy = "correct it there"
        raise CheckpointError(
            f"expected to import {name}, got {first_line(error)}{raised_at(error)}: {remedy}",
            words=("--model", PLACEHOLDER) if is_itself else (),
            subject="network",
        ) from error


def _member(module: ModuleType, name: str, where: str) -> Callable[..., object]:
    target: object = module
    for part in name.split("."):
        target = getattr(target, part, None)
    if not callable(target):
        known = [other for other, value in vars(module).items() if callable(value) and not other.startswith("_")]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)[:5]
        right = (
            f"{where}:{near[0]}" if len(difflib.get_close_matches(name, known, n=2, cutoff=0.8)) == 1 else PLACEHOLDER
        )
        raise CheckpointError(
            f"expected a class or a function {name} in {where}, found none: it has {', '.join(near) or 'neither'}",
            words=("--model", right),
        )
    return target


def build_network(target: Callable[..., object], arguments: Mapping[str, object]) -> nn.Module:
    """Call a class or a factory function with all arguments.

    Raises:
        CheckpointError: an argument is unknown or missing, the call fails, or gives no ``nn.Module``.
    """
    network = call_target(target, arguments)
    if not isinstance(network, nn.Module):
        raise CheckpointError(
            f"expected {name_of(target)} to give an nn.Module, got {type(network).__name__}: return the network"
        )
    return network


def call_target(target: Callable[..., object], arguments: Mapping[str, object], *, inside: bool = False) -> object:
    """Call what a user names, with all arguments.

    Args:
        target: class or function.
        arguments: by name.
        inside: it makes an argument of another one, as ``init_args`` says.

    Raises:
        CheckpointError: an argument is unknown or missing, or the call fails.
    """
    name = name_of(target)
    check_arguments(name, _signature(target), arguments, inside=inside)
    try:
        with refuse_exit(CheckpointError, name):
            return target(**arguments)
    except CheckpointError:
        raise
    except Exception as error:  # the user's constructor may raise anything
        download = download_error(error)
        if download is not None:
            raise tried_to_download(target, arguments, download, inside=inside) from error
        raise CheckpointError(
            f"expected hyper-parameters that {name} can be built with, got {first_line(error)}{raised_at(error)}: "
            "correct them by --model-arg key=value",
            subject="arguments",
        ) from error


def name_of(target: Callable[..., object]) -> str:
    """Name of a class or a function in a message."""
    return getattr(target, "__name__", repr(target))


def _signature(target: Callable[..., object]) -> inspect.Signature:
    """The names that a class or function takes, and any other where a wrapper around it takes any.

    Of a wrapper made by ``functools.wraps``, as those of transformers' configurations, ``inspect.signature`` has the wrapped
    function's names alone, though the wrapper may take more.
    """
    target = class_of(target)  # whose wrapper takes any name, and passes it on
    inner, outer = inspect.signature(target), inspect.signature(target, follow_wrapped=False)
    others = [p for p in outer.parameters.values() if p.kind is p.VAR_KEYWORD]
    known = list(inner.parameters.values())
    if not others or any(p.kind is p.VAR_KEYWORD for p in known):
        return inner
    return inner.replace(parameters=[*known, others[0].replace(name="_others")])


def check_arguments(
    name: str,
    signature: inspect.Signature,
    arguments: Mapping[str, object],
    carried: Collection[str] = (),
    *,
    inside: bool = False,
) -> None:
    """Refuse arguments that a class or function does not take, and a call without those that it needs.

    What takes any name is given every one, as its own call judges them: one that is nearly spelt as a name of the signature
    may be right, as ``out_indices`` beside the field ``_out_indices`` of transformers' configurations.

    Args:
        name: of the class or function.
        signature: of it.
        arguments: those that it must take.
        carried: names of others, which may be left out of the call.
        inside: the call makes an argument of another one, as ``init_args`` says.

    Raises:
        CheckpointError: it names the arguments.
    """
    parameters = signature.parameters.values()
    by_name = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = [p.name for p in by_name]
    unknown = [argument for argument in arguments if argument not in known]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    missing = [p.name for p in by_name if p.default is p.empty and p.name not in {*arguments, *carried}]
    meant = _meant(unknown, missing or [name for name in known if name not in {*arguments, *carried}])
    if meant and (missing or not takes_any):
        raise _misspelt(name, arguments, meant, [name for name in missing if name not in meant.values()], inside=inside)
    if unknown and not takes_any:
        raise CheckpointError(
            f"expected hyper-parameters and --model-arg that {name} takes ({', '.join(known) or 'none'}), got "
            f"{', '.join(unknown)} beside them: name a factory function that takes them too"
        )
    if missing and inside:
        raise CheckpointError(
            f"expected the arguments {', '.join(missing)} of {name}, its init_args do not have them: add {missing[0]}: VALUE"
        )
    if missing:
        raise CheckpointError(
            f"expected the arguments {', '.join(missing)} of {name}, the checkpoint does not carry them: "
            f"give --model-arg {missing[0]}=VALUE",
            words=("--model-arg", *(f"{name}={PLACEHOLDER}" for name in missing)),
        )


def _meant(unknown: Collection[str], free: Collection[str]) -> dict[str, str]:
    """By name of an unknown argument, the one free name that is spelt nearly so."""
    near = {name: difflib.get_close_matches(name, free, n=2, cutoff=0.75) for name in unknown}
    return {name: names[0] for name, names in near.items() if len(names) == 1}


def _misspelt(
    owner: str, arguments: Mapping[str, object], meant: Mapping[str, str], missing: Collection[str], *, inside: bool
) -> CheckpointError:
    said = ", ".join(f"{name} (did you mean {right}?)" for name, right in meant.items())
    others = f", and not {', '.join(missing)}" if missing else ""
    values = {right: _word(arguments[name]) for name, right in meant.items()} | dict.fromkeys(missing, PLACEHOLDER)
    words = () if inside else ("--model-arg", *(f"{name}={value}" for name, value in values.items()))
    remedy = "correct its init_args" if inside else f"give {' '.join(words)}"
    return CheckpointError(
        f"expected arguments that {owner} takes, got {said}{others}: {remedy}",
        words=words,
        without=() if inside else [f"--model-arg={name}" for name in meant],
    )


def _word(value: object) -> str:
    """A value as ``--model-arg`` takes it, which reads JSON too."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return PLACEHOLDER


def tried_to_download(
    target: Callable[..., object], arguments: Mapping[str, object], error: BaseException, *, inside: bool = False
) -> CheckpointError:
    """An error that names the arguments by which a constructor downloads.

    Args:
        target: class or function.
        arguments: that it was called with.
        error: of the network connection.
        inside: the call makes an argument of another one, as ``init_args`` says.
    """
    asking = [
        f"{name}={'null' if off is None else 'false'}" for name, off in without_downloads(target, arguments).items()
    ]
    if not asking:
        remedy = "take the download out of its constructor, or connect to the network"
    elif inside:
        remedy = f"give {', '.join(asking).replace('=', ': ')} in its init_args"
    else:
        remedy = f"give {' '.join(f'--model-arg {switch}' for switch in asking)}"
    return CheckpointError(
        f"expected {name_of(target)} to be built without a download, since the weights come from the checkpoint; it tried "
        f"one, which failed ({first_line(error)}): {remedy}"
    )
