# SPDX-License-Identifier: Apache-2.0
"""Find the line of a user's own code in a stack of calls that torch and this package stand in as well."""

import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from traceback import FrameSummary

_LIBRARIES = [
    Path(spec.origin).parent for spec in (importlib.util.find_spec("torch"),) if spec is not None and spec.origin
] + [Path(__file__).parent / "sampling"]
_NOTED = re.compile(r'File "([^"]+)", line (\d+), in (\S+)\n\s*(.*)')


def own_frame(stack: Iterable[FrameSummary]) -> FrameSummary | None:
    """The innermost frame of code that is neither torch's nor this package's sampling; None where there is none."""
    own = [
        frame
        for frame in stack
        if not frame.filename.startswith("<") and not any(path in Path(frame.filename).parents for path in _LIBRARIES)
    ]
    return own[-1] if own else None


def noted_frame(stack_trace: str) -> FrameSummary | None:
    """The same of a stack in words, as torch.export notes it at a node of a graph."""
    frames = _NOTED.findall(stack_trace)
    return own_frame(FrameSummary(file, int(number), name, line=code) for file, number, name, code in frames)


def place(frame: FrameSummary | None) -> str:
    """A frame as `` at FILE:LINE (`CODE`)``, to stand behind words; empty for None."""
    return "" if frame is None else f" at {frame.filename}:{frame.lineno} (`{(frame.line or '').strip()}`)"
