# SPDX-License-Identifier: Apache-2.0
"""Networks that compute in fewer bits by themselves: autocast is switched off, casts to bfloat16 are refused."""

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import FrameSummary
from unittest.mock import patch

import torch
from torch import Tensor, fx

import export
from export.errors import ConversionError
from export.findings import Finding
from export.source_lines import noted_frame, own_frame, place

_HERE = Path(export.__file__).parent
_CASTS = ("aten.to.", "aten._to_copy.", "aten.type_as.", "lsood.mark.")


class Autocasts:
    """Notes where a network first asks for autocast on the CPU.

    Attributes:
        findings: one where it did.
    """

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()

    def note(self, asked: torch.autocast, frame: FrameSummary | None) -> None:
        """Note a request, unless one is noted already or it has no effect on the CPU."""
        if not self.findings and asked.device == "cpu" and asked._enabled:
            where = "" if frame is None or _HERE in Path(frame.filename).parents else place(frame)
            reason = f"the network's autocast{where} is switched off, as its weights are float32"
            self.findings = (Finding("number format", "float32", "found", reason),)


@contextmanager
def without_autocast() -> Iterator[Autocasts]:
    """Switch autocast off in this thread, for a network that switches it on in its own forward too.

    What is captured and what it is compared with are then the same network, in the float32 of its weights.

    Yields:
        What notes whether the network asked for it.
    """
    thread, noted = threading.get_ident(), Autocasts()
    enter, leave = torch.autocast.__enter__, torch.autocast.__exit__

    def entered(self: torch.autocast) -> object:
        if threading.get_ident() != thread:
            return enter(self)  # type: ignore[no-untyped-call]
        noted.note(self, own_frame(traceback.extract_stack()))
        return self

    def left(self: torch.autocast, *raised: object) -> object:
        return leave(self, *raised) if threading.get_ident() != thread else None

    with (
        torch.autocast("cpu", enabled=False),
        patch.object(torch.autocast, "__enter__", entered),
        patch.object(torch.autocast, "__exit__", left),
    ):
        yield noted


def refuse_bfloat16(graph: fx.Graph) -> None:
    """Refuse computations in bfloat16, for which ONNX Runtime has no kernels on CPUs; casts to it and back are none.

    Raises:
        ConversionError: it names the first one's operation and line.
    """
    for node in graph.nodes:
        value = node.meta.get("val")
        if not (isinstance(value, Tensor) and value.dtype == torch.bfloat16 and node.op == "call_function"):
            continue
        if not (str(node.target).startswith(_CASTS) or getattr(node.target, "is_view", False)):
            raise ConversionError(
                f"expected computations in float32 or float16, got bfloat16 in {node.target}"
                f"{place(noted_frame(node.stack_trace or ''))}: leave the cast to bfloat16 out, the weights are float32"
            )
