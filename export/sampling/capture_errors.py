# SPDX-License-Identifier: Apache-2.0
"""Why torch.export cannot follow a network: the line of the network's own code, and the remedy for what stands there."""

import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from traceback import FrameSummary
from unittest.mock import patch

import torch
from sympy import Expr
from torch import nn
from torch.fx.experimental.sym_node import SymNode

from export.errors import ConversionError, first_line
from export.source_lines import own_frame, place

_SYMBOLS = re.compile(r"\b(?:zu?f|zf|u|s)\d+\b")

_BY_VALUE = "decide by shapes and not by values (torch.where in place of `if`)"
_AS_TENSOR = "keep the value in a tensor (`x.amax().clamp(min=1e-6)` in place of `max(float(x.max()), 1e-6)`)"
_OF_FRAMES: tuple[tuple[str, str], ...] = (
    (r"\.tolist\(|\.item\(", _AS_TENSOR),
    (r"\blen\(", "write x.shape[0] for the batch (not len(x))"),
    (r"\brange\(|\bfor\b", "work on all frames at once in place of a loop over them"),
    (r"\bint\(", "write x.shape[0] for the batch, without int()"),
    (r"\bassert\b|\bif\b|\braise\b", "leave the check of the number of frames out"),
)
_ANY_NUMBER = "leave the number of frames open: x.shape[0] or -1 in place of a number"


class FixedBatch:
    """Notes where a network first fixes the number of frames to a constant.

    Attributes:
        stack: frames of the call; none while the number is free.
    """

    def __init__(self) -> None:
        self.stack: list[FrameSummary] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the questions that Python asks of symbolic sizes."""
        with (
            patch.object(SymNode, "guard_int", self._noting(SymNode.guard_int)),
            patch.object(SymNode, "guard_bool", self._noting(SymNode.guard_bool)),
        ):
            yield

    def _noting(self, ask: Callable[..., object]) -> Callable[..., object]:
        @wraps(ask)
        def asked(node: SymNode, *arguments: object) -> object:
            answer = ask(node, *arguments)
            if not self.stack and any(value.is_Integer for value in _replaced(node)):
                self.stack = list(traceback.extract_stack())
            return answer

        return asked


def _replaced(node: SymNode) -> list[Expr]:
    """What the symbols of a size are known to be."""
    return [] if node.shape_env is None else list(node.shape_env.replacements.values())


def capture_error(error: Exception, network: nn.Module, fixed: FixedBatch) -> ConversionError:
    """Make one line of what torch.export raised: where it stopped in the network's code, and what to write there.

    Args:
        error: as it was raised.
        network: that was followed.
        fixed: where the network fixed the number of frames, if it did.
    """
    scripted = [name for name, module in network.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    own = own_frame(traceback.extract_tb(error.__traceback__))
    if own is None or _is_about_sizes(error):
        own = own_frame(fixed.stack) or own
    code = "" if own is None else (own.line or "").strip()
    what, remedy = _remedy(error, code, scripted)
    return ConversionError(
        f"expected a network that torch.export can follow with a free batch, got {what}{place(own)}: {remedy}",
        subject="network",
    )


def _remedy(error: Exception, code: str, scripted: list[str]) -> tuple[str, str]:
    """What stands in the way, and what to do about it."""
    text = str(error)
    if _is_about_sizes(error):
        remedy = next((remedy for pattern, remedy in _OF_FRAMES if re.search(pattern, code)), _ANY_NUMBER)
        return "a number of frames that the code fixes", remedy
    if "data-dependent" in text:
        by_number = re.search(r"\bfloat\(|\bint\(|\.item\(|\.tolist\(", code)
        return "a value of a tensor on which the code depends", _AS_TENSOR if by_number else _BY_VALUE
    if ".numpy()" in text or "numpy" in code:
        return "a computation by NumPy", "write it with torch's functions, on tensors"
    if "unhashable type" in text and "SymInt" in text:
        return "a number of frames in the key of a dict", "leave it out of the key: x.shape[1:] in place of x.shape"
    if "is invalid for input of size" in text:
        return "a shape for one frame", "write x.shape[0] or -1 for the batch, not 1"
    if isinstance(error, AssertionError):
        return "an assertion that fails for two frames", "leave the check of the number of frames out"
    if scripted:
        return f"a module of torch.jit, {scripted[0]}", "build the network with the module that was scripted or traced"
    plain = _SYMBOLS.sub("a size", first_line(error))
    return plain, f"{_BY_VALUE}, and write x.shape[0] for the batch (not len(x))"


def _is_about_sizes(error: Exception) -> bool:
    return "Constraints violated" in str(error)
