# SPDX-License-Identifier: Apache-2.0
"""Import a class or a factory function named as ``package.module:Class``, and build a network with it."""

import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from export.errors import CheckpointError, UsageError, first_line, refuse_exit
from export.findings import PLACEHOLDER


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
        spec: ``package.module:Class``, or ``package.module:function`` for one that returns a network.

    Raises:
        UsageError: ``spec`` is of another form.
        CheckpointError: the module cannot be imported, or holds no such class or function.
    """
    module_name, colon, name = spec.partition(":")
    if not (module_name and colon and name):
        raise UsageError(
            f"expected --model package.module:Class, got {spec!r}: name the module and, after a colon, the class"
        )
    try:
        with refuse_exit(CheckpointError, module_name):
            module = importlib.import_module(module_name)
    except CheckpointError:
        raise
    except Exception as error:  # the user's module may raise anything while it is imported
        raise CheckpointError(
            f"expected to import {module_name} for --model, got {first_line(error)}: run from the folder that holds it, "
            "or install it"
        ) from error
    target = getattr(module, name, None)
    if not callable(target):
        known = [other for other, value in vars(module).items() if callable(value) and not other.startswith("_")]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)[:5]
        raise CheckpointError(
            f"expected a class or a function {name} in {module_name}, found none: it has {', '.join(near) or 'neither'}"
        )
    found: Callable[..., object] = target
    return found


def build_network(target: Callable[..., object], arguments: Mapping[str, object]) -> nn.Module:
    """Call a class or a factory function with all arguments.

    Raises:
        CheckpointError: an argument is unknown or missing, the call fails, or gives no ``nn.Module``.
    """
    name = getattr(target, "__name__", repr(target))
    check_arguments(name, inspect.signature(target), arguments)
    try:
        with refuse_exit(CheckpointError, name):
            network = target(**arguments)
    except CheckpointError:
        raise
    except Exception as error:  # the user's constructor may raise anything
        raise CheckpointError(
            f"expected hyper-parameters that {name} can be built with, got {first_line(error)}: "
            "correct them by --model-arg key=value"
        ) from error
    if not isinstance(network, nn.Module):
        raise CheckpointError(f"expected {name} to give an nn.Module, got {type(network).__name__}: return the network")
    return network


def check_arguments(
    name: str, signature: inspect.Signature, arguments: Collection[str], carried: Collection[str] = ()
) -> None:
    """Refuse arguments that a class or function does not take, and a call without those that it needs.

    Args:
        name: of the class or function.
        signature: of it.
        arguments: names of the arguments, all of which it must take.
        carried: names of others, which may be left out of the call.

    Raises:
        CheckpointError: it names the arguments.
    """
    parameters = signature.parameters.values()
    by_name = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = [p.name for p in by_name]
    unknown = [argument for argument in arguments if argument not in known]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise CheckpointError(
            f"expected hyper-parameters and --model-arg that {name} takes ({', '.join(known) or 'none'}), got "
            f"{', '.join(unknown)} beside them: name a factory function that takes them too"
        )
    missing = [p.name for p in by_name if p.default is p.empty and p.name not in {*arguments, *carried}]
    if missing:
        raise CheckpointError(
            f"expected the arguments {', '.join(missing)} of {name}, the checkpoint does not carry them: "
            f"give --model-arg {missing[0]}=VALUE",
            words=("--model-arg", *(f"{name}={PLACEHOLDER}" for name in missing)),
        )
