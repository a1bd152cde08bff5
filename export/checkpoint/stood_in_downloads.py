# SPDX-License-Identifier: Apache-2.0
"""Build networks whose constructors download weights, without a network connection, where the weights come from elsewhere."""

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

_Functions = dict[Callable[..., object], Callable[..., object]]


class StandInWeights(dict[str, Any]):
    """Stands for weights that were not fetched: every module loads them without a change, and so does any part of them."""

    def __missing__(self, key: str) -> "StandInWeights":
        """The weights under a key, as of a checkpoint with several."""
        return self

    def copy(self) -> "StandInWeights":
        """The same."""
        return self


@contextlib.contextmanager
def stood_in_downloads() -> Iterator[list[str]]:
    """While entered, functions that fetch weights fetch none, modules take what stands in for them, and no host is reached.

    Stood in for are ``load_state_dict_from_url`` and ``download_url_to_file`` of ``torch.hub`` and ``hf_hub_download`` of
    ``huggingface_hub``, under every name by which a module that is imported knows them. Any other connection fails.

    Yields:
        What was asked for: addresses and names of files, filled while entered.
    """
    asked: list[str] = []
    files: set[str] = set()

    def weights_of(url: str, *_: object, **__: object) -> StandInWeights:
        asked.append(url)
        return StandInWeights()

    def fetch(url: str, dst: str, *_: object, **__: object) -> None:
        asked.append(url)
        files.add(str(dst))

    def file_of(repo_id: str, filename: str, *_: object, **__: object) -> str:
        asked.append(f"{repo_id}/{filename}")
        files.add(str(Path(repo_id, filename)))
        return str(Path(repo_id, filename))

    stand_ins: _Functions = {torch.hub.load_state_dict_from_url: weights_of, torch.hub.download_url_to_file: fetch}
    readers: list[Callable[..., object]] = [torch.load]
    for library, name in (("huggingface_hub", "hf_hub_download"), ("safetensors.torch", "load_file")):
        found = getattr(sys.modules.get(library), name, None)
        if found is not None and name == "load_file":
            readers.append(found)
        elif found is not None:
            stand_ins[found] = file_of
    stand_ins |= {reader: _reads(reader, files) for reader in readers}
    with contextlib.ExitStack() as entered:
        entered.enter_context(_replaced(stand_ins))
        entered.enter_context(patch.object(nn.Module, "load_state_dict", _loads(nn.Module.load_state_dict)))
        for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo")):
            entered.enter_context(patch.object(owner, name, _refused))
        yield asked


def _refused(*_: object, **__: object) -> None:
    raise ConnectionError("weights come from the checkpoint, no host is reached")


def _reads(reader: Callable[..., object], files: set[str]) -> Callable[..., object]:
    def read(file: object, *others: object, **options: object) -> object:
        return StandInWeights() if str(file) in files else reader(file, *others, **options)

    return read


def _loads(load: Callable[..., object]) -> Callable[..., object]:
    def load_state_dict(module: nn.Module, weights: object, *others: object, **options: object) -> object:
        if isinstance(weights, StandInWeights):
            return nn.modules.module._IncompatibleKeys([], [])
        return load(module, weights, *others, **options)

    return load_state_dict


@contextlib.contextmanager
def _replaced(functions: _Functions) -> Iterator[None]:
    """Put functions in the place of others under every name of an imported module, and undo it for those imported since."""
    _rename(functions)
    try:
        yield
    finally:
        _rename({stand_in: own for own, stand_in in functions.items()})


def _rename(functions: _Functions) -> None:
    by_identity = {id(own): stand_in for own, stand_in in functions.items()}
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        for name in [name for name, value in list(names.items()) if id(value) in by_identity]:
            names[name] = by_identity[id(names[name])]
