# SPDX-License-Identifier: Apache-2.0
"""Flags that choose where the graphs run, and what they say to ``OoDMonitor``."""

import argparse
from pathlib import Path
from typing import Any

from lsood_runtime._cli.arguments import add_threads
from lsood_runtime._inference.providers import SHORT_NAMES, parse_provider, register_library


def add_providers(parser: argparse.ArgumentParser, *, fallback: bool = True) -> None:
    """Add the execution providers and threads; :func:`provider_arguments` collects them.

    Args:
        parser: to add them to.
        fallback: whether others may be gone on with; without that a provider has to be named.
    """
    default = " (default: cpu)" if fallback else "; no default"
    parser.add_argument(
        "--provider",
        action="append",
        type=_provider,
        metavar="NAME[:KEY=VALUE,...]",
        help=f"{', '.join(SHORT_NAMES)}, or ONNX Runtime's own name, with options of it, such as openvino:device_type=GPU; "
        f"repeat it in order of preference{default}",
    )
    parser.add_argument(
        "--provider-library",
        action="append",
        type=_library,
        default=[],
        metavar="NAME=FILE",
        help="register the library of a plug-in provider under a name first; repeatable",
    )
    if fallback:
        parser.add_argument(
            "--allow-fallback", action="store_true", help="go on with the next provider, at last the CPU"
        )
    parser.add_argument(
        "--require-provider",
        action="store_true",
        help="refuse a provider that leaves any node to the CPU, as most leave those in float64; batches of one frame",
    )
    add_threads(parser)


def provider_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of ``OoDMonitor`` for the flags of :func:`add_providers`; libraries are registered.

    Raises:
        ProviderError: a library that is none, or whose provider finds no device here.
    """
    register_libraries(options)
    return {
        "providers": options.provider,
        "allow_fallback": options.allow_fallback,
        "require_provider": options.require_provider,
        "batch": 1 if options.require_provider else None,  # folds away arithmetic on shapes, which runs on the host
        "threads": options.threads,
    }


def register_libraries(options: argparse.Namespace) -> None:
    """Register the libraries of plug-in providers that were given.

    Raises:
        ProviderError: one that is none, or whose provider finds no device here.
    """
    for name, path in options.provider_library:
        register_library(name, path)


def _provider(text: str) -> tuple[str, dict[str, Any]]:
    try:
        return parse_provider(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _library(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE, got {text!r}")
    return name, Path(path)
