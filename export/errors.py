# SPDX-License-Identifier: Apache-2.0
"""Errors of the offline stage: one class for each cause, each with the exit code of ``python -m export``.

ExportError                 1  unexpected
├── UsageError              2  a flag or a folder that cannot be used
├── CheckpointError         3  a checkpoint that cannot be read or does not fit the network
├── TapError                3  a layer that cannot be sampled
├── ConversionError         4  a network that has no ONNX form
├── ParityError             5  a graph that disagrees with the network, or fewer bits that change too much
├── CalibrationError        6  frames that do not suffice for a density or a threshold
└── RequirementError        7  a requirement that is not supported, where all have to be
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class ExportError(Exception):
    """Base class of the errors of the offline stage; each message is one line that ends with a remedy.

    Args:
        message: one line.
        words: the remedy as words of a command line, where it is one: ``("--mean", "VALUE", "VALUE", "VALUE")``, with
            :data:`export.findings.PLACEHOLDER` for what the user alone knows.
        without: flags that the remedy leaves out.
        subject: what it is about, one of :data:`export.findings.SUBJECTS`; None where the flags tell it, or the step.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, words: Sequence[str] = (), without: Sequence[str] = (), subject: str | None = None
    ) -> None:
        super().__init__(message)
        self.words, self.without, self.subject = tuple(words), tuple(without), subject

    @property
    def has_remedy(self) -> bool:
        """Whether a command line remedies it."""
        return bool(self.words or self.without)


class UsageError(ExportError):
    """A flag, a path or a combination of them cannot be used."""

    exit_code = 2


class CheckpointError(ExportError):
    """The checkpoint cannot be read, or does not fit the network."""

    exit_code = 3


class TapError(ExportError):
    """The layer to sample does not exist, is ambiguous, or cannot be sampled."""

    exit_code = 3


class ConversionError(ExportError):
    """The network cannot be converted to ONNX."""

    exit_code = 4


class ParityError(ExportError):
    """An exported graph disagrees with the PyTorch network, or fewer bits with float32, beyond the tolerance."""

    exit_code = 5


class CalibrationError(ExportError):
    """The calibration frames do not suffice for the density or the threshold."""

    exit_code = 6


class RequirementError(ExportError):
    """A requirement of an evidence pack is not supported, where every one has to be."""

    exit_code = 7


@contextmanager
def refuse_exit(error: type[ExportError], what: str) -> Iterator[None]:
    """Turn a ``sys.exit`` of a user's code into an error: exit code 0 would stand for work that was never done.

    Args:
        error: class of the error.
        what: names the code in the message.

    Raises:
        ExportError: of the class given.
    """
    try:
        yield
    except SystemExit as left:
        raise error(
            f"expected {what} to return, got sys.exit({left.code!r}) from it: remove the call, or raise an exception there"
        ) from left


def first_line(error: BaseException) -> str:
    """Class and first line of another library's error, for a message of one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
