# SPDX-License-Identifier: Apache-2.0
"""Find the line of a user's own code in a stack of calls that torch and this package stand in as well."""

import functools
import importlib.util
import re
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from traceback import FrameSummary

_LIBRARIES = [
    Path(spec.origin).parent for spec in (importlib.util.find_spec("torch"),) if spec is not None and spec.origin
] + [Path(__file__).parent / "sampling"]
_INSTALLED = [
    Path(__file__).parent,
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
]
_NOTED = re.compile(r'File "([^"]+)", line (\d+), in (\S+)\n\s*(.*)')


def own_frame(stack: Iterable[FrameSummary]) -> FrameSummary | None:
    """The innermost frame of code that is neither torch's nor this package's sampling; None where there is none."""
    own = [
        frame
        for frame in stack
        if not frame.filename.startswith("<") and not any(path in Path(frame.filename).parents for path in _LIBRARIES)
    ]
    return own[-1] if own else None


def raised_at(error: BaseException | None) -> str:
    """Where an error came from in the code that a user brings, as :func:`place` has it.

    It is the innermost line of a file that is neither Python's, an installed package's nor this package's; of a file that is
    no Python it is the line that is wrong.
    """
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename is not None:
            return place(FrameSummary(error.filename, error.lineno or 1, "", line=error.text or "", lookup_line=False))
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if is_of_the_user(frame.filename)]
        if own:
            return place(own[-1])
        error = error.__cause__
    return ""


@functools.cache  # asked of every function and class that a network names, each time it is captured
def is_of_the_user(file: str) -> bool:
    """Whether a file of Python code belongs neither to Python, nor to an installed package, nor to this one."""
    path = Path(file)
    return not (file.startswith("<") or any(folder in path.parents for folder in _INSTALLED))


def noted_frame(stack_trace: str) -> FrameSummary | None:
    """The same of a stack in words, as torch.export notes it at a node of a graph."""
    frames = _NOTED.findall(stack_trace)
    return own_frame(FrameSummary(file, int(number), name, line=code) for file, number, name, code in frames)


def place(frame: FrameSummary | None) -> str:
    """A frame as `` at FILE:LINE (`CODE`)``, to stand behind words; empty for None."""
    return "" if frame is None else f" at {frame.filename}:{frame.lineno} (`{(frame.line or '').strip()}`)"
