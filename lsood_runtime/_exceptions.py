# SPDX-License-Identifier: Apache-2.0
"""Errors of the runtime, one class for each cause.

LsoodError
├── BundleError      the bundle is incomplete, damaged, or of a schema that this version cannot read
├── ProviderError    an execution provider does not load, or fails in a run
├── SelfTestError    the scores of the golden frames differ from those at export
├── FrameError       a frame that does not fit the input contract
├── TileCheckError   tiles of a check that are too small in the frames of a bundle
├── CameraError      a camera by a name under which a stream has taken in nothing
├── MediaError       a file that cannot be read or written
│   └── MissingPackageError  a package for it is missing
└── ClosedError      a monitor or a worker that was closed
"""

from lsood_runtime._text.printable import printable
from lsood_runtime._version import __version__


class LsoodError(Exception):
    """Root of every error that this package raises on purpose; its message is one line with a remedy."""


class BundleError(LsoodError):
    """The bundle is incomplete, damaged, or of a schema that this version cannot read."""


class ProviderError(LsoodError):
    """An execution provider does not load on this machine, or fails in a run."""


class SelfTestError(LsoodError):
    """The scores of the golden frames differ from those at export: the bundle must not be used on this machine."""


class FrameError(LsoodError, ValueError):
    """A frame does not fit the input contract."""


class TileCheckError(LsoodError, ValueError):
    """The tiles of a check are too small in the frames of a bundle."""


class CameraError(LsoodError, KeyError):
    """A stream has taken in nothing of a camera of this name."""

    __str__ = Exception.__str__  # that of KeyError quotes the message


class MediaError(LsoodError):
    """A file cannot be read or written, or a package for it is missing."""


class MissingPackageError(MediaError):
    """A package of an extra is not installed, so that no file of this kind can be read or written."""


class ClosedError(LsoodError, RuntimeError):
    """The monitor or the worker was closed."""


def missing_extra(purpose: str, extra: str) -> MissingPackageError:
    """The error where a package of an extra is not installed; ``purpose`` is what it is needed for."""
    return MissingPackageError(
        f"{purpose} needs packages that are not installed: install lsood-runtime with its extra {extra}, "
        f"pip install 'lsood_runtime-{__version__}-py3-none-any.whl[{extra}]'"
    )


def one_line(error: BaseException | str) -> str:
    """A message, or that of an error, in one line of text: whitespace becomes spaces, control characters are escaped."""
    return printable(" ".join(str(error).split()))


def reason_of(error: BaseException) -> str:
    """What went wrong, in one line, without the number and the path that stand in the message of an OSError."""
    return (error.strerror if isinstance(error, OSError) else None) or one_line(error)
