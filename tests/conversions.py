# SPDX-License-Identifier: Apache-2.0
"""Conversions by torch, each made once in a test session and shared by the session's workers.

``torch.onnx.export`` would take most of a test run's time, and most of its calls would convert a network that an earlier test
has converted already. Graphs are kept by everything that the exporter sees: the network's classes, weights, masks and traced
code, the shapes of its inputs, and each option. They lie in the session's temporary folder: a new session converts anew.
"""

import hashlib
import io
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import onnx_ir
import torch
from filelock import FileLock
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.onnx._internal.exporter._registration import ONNXRegistry

Convert = Callable[..., torch.onnx.ONNXProgram | None]
Reduced = tuple[Callable[..., object], tuple[object, ...]] | tuple[Callable[..., object], tuple[object, ...], object]


class _Fingerprint(pickle.Pickler):
    """Pickles what a module computes, in the same bytes in every process; nothing reads it back."""

    def reducer_override(self, value: object) -> Reduced:
        reduced: Reduced = NotImplemented
        if isinstance(value, FakeTensor):
            raise pickle.PicklingError("expected a tensor with values, got one that has a shape alone")
        if isinstance(value, Tensor):
            contents = value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            digest = hashlib.sha256(contents).hexdigest()
            reduced = (
                str,
                (f"{type(value).__name__} {value.dtype} {tuple(value.shape)} {value.requires_grad} {digest}",),
            )
        if isinstance(value, nn.Module):
            reduced = str, (_class_of(value),), _state_of(value)
        return reduced


def _class_of(module: nn.Module) -> str:
    """Name and code of a module's class."""
    if isinstance(module, fx.GraphModule):  # a class of its own for each instance; the code stands in the state
        return "GraphModule"
    kind = type(module)
    if "<locals>" in kind.__qualname__:
        raise pickle.PicklingError(f"expected a class that its name identifies, got {kind.__qualname__}")
    code = getattr(kind.forward, "__code__", None)
    return f"{kind.__module__}.{kind.__qualname__} {'' if code is None else code.co_code.hex()}"


def _state_of(module: nn.Module) -> dict[str, object]:
    """What a module would be pickled by, sets in order; a traced module's code in place of its graph."""
    pickled: dict[str, object] = module.__getstate__()  # type: ignore[no-untyped-call]
    state = {name: sorted(value) if isinstance(value, set) else value for name, value in pickled.items()}
    if isinstance(module, fx.GraphModule):
        state = {name: value for name, value in state.items() if name not in ("_graph", "meta")}
        state["_code"] = module.code
    return state


def fingerprint(network: nn.Module, inputs: tuple[Tensor, ...], options: dict[str, Any]) -> str | None:
    """A digest of all that a conversion depends on; None where a part of the network cannot be told by its contents."""
    shapes = [(str(each.dtype), tuple(each.shape)) for each in inputs]
    contents = io.BytesIO()
    try:
        _Fingerprint(contents).dump((network, shapes, repr(sorted(options.items()))))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return hashlib.sha256(contents.getvalue()).hexdigest()


def converted_once(convert: Convert, folder: Path) -> Convert:
    """``torch.onnx.export`` with its results kept in ``folder``, which several processes may use at once."""

    def converted(network: nn.Module, inputs: tuple[Tensor, ...], **options: Any) -> torch.onnx.ONNXProgram | None:
        key = fingerprint(network, inputs, options)
        if key is None:
            return convert(network, inputs, **options)
        kept = folder / f"{key}.onnx"
        with FileLock(folder / f"{key}.lock"):
            if not kept.is_file():
                program = convert(network, inputs, **options)
                if program is None:
                    return None
                kept.write_bytes(program.model_proto.SerializeToString())
        return torch.onnx.ONNXProgram(onnx_ir.from_proto(onnx.load(kept)), None)

    return converted


def operators_read_once() -> "staticmethod[..., ONNXRegistry]":
    """``ONNXRegistry.from_torchlib`` with one table for each opset, which a conversion reads and leaves as it is."""
    return staticmethod(cache(ONNXRegistry.from_torchlib))
