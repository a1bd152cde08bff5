# SPDX-License-Identifier: Apache-2.0
"""What can go wrong offline, one class a cause, each with the exit code that `python -m export` ends with.

ExportError                 1  unexpected
├── UsageError              2  a flag or a folder that cannot be used
├── CheckpointError         3  a checkpoint that cannot be read or does not fit the network
├── TapError                3  a layer that cannot be sampled
├── ConversionError         4  a network that has no ONNX form
├── ParityError             5  a graph that disagrees with the network, or fewer bits that cost too much
└── CalibrationError        6  frames that cannot carry a density or a threshold
"""


class ExportError(Exception):
    """Root of every error that the offline stage raises on purpose; its message is one line with a remedy."""

    exit_code = 1


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
    """The network has no ONNX form."""

    exit_code = 4


class ParityError(ExportError):
    """An exported graph disagrees with the PyTorch network, or fewer bits with float32, beyond the tolerance."""

    exit_code = 5


class CalibrationError(ExportError):
    """The calibration frames cannot carry the density or the threshold asked for."""

    exit_code = 6


def first_line(error: BaseException) -> str:
    """Class and first line of another library's error, for a message of one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
