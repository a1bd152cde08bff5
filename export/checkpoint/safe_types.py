# SPDX-License-Identifier: Apache-2.0
"""Types of hyper-parameters that are read without trust: building them sets attributes and runs no other code."""

import argparse
import builtins
import collections
import pathlib
import typing
from collections.abc import Callable

import torch

from export.checkpoint.numpy_scalars import ScalarType, read_scalar

SafeTypes = list[Callable[..., object] | tuple[Callable[..., object], str]]

_NODES = ("AnyNode", "BooleanNode", "BytesNode", "FloatNode", "IntegerNode", "PathNode", "StringNode")


def safe_types() -> SafeTypes:
    """What ``torch.serialization.safe_globals`` is given: Namespaces, paths, NumPy's numbers, OmegaConf's if there."""
    known: SafeTypes = [argparse.Namespace, torch.torch_version.TorchVersion]
    known += [pathlib.PosixPath, (pathlib.PurePosixPath, "pathlib.PurePosixPath")]
    known += [(pathlib.PureWindowsPath, name) for name in ("pathlib.WindowsPath", "pathlib.PureWindowsPath")]
    known += [(read_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    known += [(ScalarType, "numpy.dtype")]
    return known + _omegaconf_types()


def _omegaconf_types() -> SafeTypes:
    try:
        from omegaconf import DictConfig, ListConfig, base, nodes
    except ImportError:
        return []
    containers: SafeTypes = [DictConfig, ListConfig, base.ContainerMetadata, base.Metadata]
    plain: SafeTypes = [builtins.dict, builtins.list, builtins.str, builtins.int, builtins.float, builtins.bool]
    annotations: SafeTypes = [(typing.cast(Callable[..., object], typing.Any), "typing.Any")]
    return [*containers, *(getattr(nodes, name) for name in _NODES), *plain, *annotations, collections.defaultdict]
